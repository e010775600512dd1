"""One museum, one seed, several days through the real core: what it said each minute beside what was true.

    simulated devices -> records (20 ms batches, a tick a second, a tick a minute at night) -> Monitor.apply_record

What is compared is what a screen shows: the latest state of each zone when the minute is full, provisional or closed.
The monitor is one object over all days; learning days are simulated alike and not compared.
"""

import time
from collections.abc import Callable, Iterator
from math import ceil, nan

import numpy as np
from msgspec import Struct, field, structs
from numpy.typing import NDArray

from flowmon.facts import Presence, Record, Tick
from flowmon.findings import EpisodeChanged, Finding, QueueState, VenueState, ZoneState
from flowmon.monitor.core import Monitor
from flowmon.names import OUTSIDE
from flowmon.venue.model import Venue
from simulator.days import days
from simulator.locating import Located
from simulator.record import records
from simulator.scenario import Scenario
from simulator.simulation import Simulation
from simulator.truth import Carried, Occupied, Queued, Truth, Waited

Floats = NDArray[np.float64]
EVERY_S = 60
NIGHT_S = 60.0


class Party(Struct, frozen=True, gc=False):
    """A party that joined a queue. called, gone: NaN when it was turned away. p50, p90: what was shown then, or NaN.

    desks: open at that time.
    """

    queue: str
    day: int
    joined: float
    called: float
    gone: float
    desks: int
    p50: float
    p90: float


class Watched(Struct):
    """What one seed gave. T minutes × Z zones; NaN where the model said `unknown`.

    day (T,): number of the scored day. zones: truth, value, lo, hi, raw, beacons, each (T, Z). venue: truth, value, lo,
    hi, each (T,). affected (T, Z): a counter or receiver of the zone is faulty then. last_hour (T,): before closing.
    carriers (T,): true beacons inside. alerts: episodes raised on scored days, by rule.
    """

    seed: int
    day: NDArray[np.int64]
    zones: dict[str, Floats]
    venue: dict[str, Floats]
    affected: NDArray[np.bool_]
    last_hour: NDArray[np.bool_]
    carriers: Floats
    capacity: Floats
    parties: list[Party]
    located: Located | None
    alerts: dict[str, int]
    methods: dict[str, int]
    facts: int
    simulator_s: float
    core_s: float


class _Shown(Struct):
    """What the screens show now."""

    zones: dict[str, ZoneState] = field(default_factory=dict)
    venue: VenueState | None = None
    queues: dict[str, QueueState] = field(default_factory=dict)


class _True(Struct):
    """What is true now, and what was of the queues."""

    people: dict[str, int] = field(default_factory=dict)
    carried: set[str] = field(default_factory=set)
    desks: dict[str, int] = field(default_factory=dict)
    joined: dict[tuple[str, float], tuple[int, float, float]] = field(default_factory=dict)
    waited: dict[tuple[str, float], Waited] = field(default_factory=dict)


class Watch:
    """Runs one seed. told: hears each time that a day is over."""

    def __init__(self, venue: Venue, scenario: Scenario, seed: int, told: Callable[[], None] = lambda: None) -> None:
        self._venue = venue
        self._scenario = scenario
        self._seed = seed
        self._told = told
        self._monitor = Monitor(venue)
        self._shown = _Shown()
        self._true = _True()
        self._rows: list[list[list[float]]] = []
        self._totals: list[list[float]] = []
        self._marks: list[tuple[int, bool, NDArray[np.bool_], int]] = []
        self._parties: list[Party] = []
        self._alerts: dict[str, int] = {}
        self._methods: dict[str, int] = {}
        self._facts = 0
        self._core_s = 0.0

    def run(self, *, learning: int, scored: int, sightings: bool, tick_s: int = 1) -> Watched:
        """All days, with a tick each `tick_s` seconds. Raises FlowmonError when scenario and venue do not fit."""
        begun, spent = time.perf_counter(), time.process_time()
        located = Located() if sightings else None
        before: Simulation | None = None
        number = 0
        for simulation, learns in days(
            self._venue, self._scenario, self._seed, learning=learning, scored=scored, sightings=sightings
        ):
            if before is not None:
                for record in night(before, simulation.day.start):
                    self._apply(record)
            if located is not None:
                located.begin()
            self._day(simulation, number, learns=learns, located=None if learns else located, tick_s=tick_s)
            number += not learns
            before = simulation
            self._told()
        # Seconds of CPU, shared out by the clock: asking for CPU time at every record would cost too much itself.
        core = self._core_s / max(1e-9, time.perf_counter() - begun)
        return self._watched(located, time.process_time() - spent, core)

    def _day(self, simulation: Simulation, number: int, *, learns: bool, located: Located | None, tick_s: int) -> None:
        day = simulation.day
        self._true = _True(people=dict.fromkeys(self._venue.zones, 0))
        hit = _affected(self._venue, simulation)
        due = ceil(day.opens / EVERY_S) * EVERY_S
        hear = self._hear if located is None else located.hearing(self._hear)
        for record in records(simulation, true=hear, tick_s=tick_s):
            findings = self._apply(record)
            if located is not None:
                for fact in record:
                    if isinstance(fact, Presence):
                        located.believed(fact)
            if learns:
                continue
            for finding in findings:
                if isinstance(finding, EpisodeChanged) and finding.state == "UNACK":
                    self._alerts[finding.rule] = self._alerts.get(finding.rule, 0) + 1
            first = record[0]
            if isinstance(first, Tick):
                if located is not None:
                    located.second(first.at)
                if due <= first.at <= day.closes:
                    self._sample(number, last_hour=first.at > day.closes - 3600, affected=hit(first.at))
                    due += EVERY_S
        if not learns:
            self._keep(number)

    def _apply(self, record: Record) -> list[Finding]:
        begun = time.perf_counter()
        findings = self._monitor.apply_record(record)
        self._core_s += time.perf_counter() - begun
        self._facts += len(record)
        for finding in findings:
            match finding:
                case ZoneState():
                    self._shown.zones[finding.zone] = finding
                case VenueState():
                    self._shown.venue = finding
                case QueueState():
                    self._shown.queues[finding.queue] = finding
                case _:
                    pass
        return findings

    def _hear(self, truth: Truth) -> None:
        true = self._true
        match truth:
            case Occupied():
                true.people[truth.zone] = truth.people
            case Carried():
                (true.carried.discard if truth.zone == OUTSIDE else true.carried.add)(truth.beacon)
            case Queued():
                shown = self._shown.queues.get(truth.queue)
                p50 = shown.wait_p50_s if shown and shown.wait_p50_s is not None else nan
                p90 = shown.wait_p90_s if shown and shown.wait_p90_s is not None else nan
                true.joined.setdefault((truth.queue, truth.at), (true.desks.get(truth.queue, 0), p50, p90))
                true.desks[truth.queue] = truth.desks
            case Waited():
                true.waited.setdefault((truth.queue, truth.joined), truth)
            case _:
                pass

    def _sample(self, number: int, *, last_hour: bool, affected: NDArray[np.bool_]) -> None:
        row: list[list[float]] = []
        for zone in self._venue.zones:
            state, people = self._shown.zones.get(zone), self._true.people[zone]
            if state is None:
                row.append([people, nan, nan, nan, 0.0, 0.0])
                continue
            known = state.occupancy is not None
            value = (state.occupancy or 0.0, state.lo, state.hi) if known else (nan, nan, nan)
            row.append([people, *value, state.raw, state.beacons])
            self._methods[state.method] = self._methods.get(state.method, 0) + 1
        self._rows.append(row)
        total, venue = sum(self._true.people.values()), self._shown.venue
        if venue is None or venue.occupancy is None:
            self._totals.append([total, nan, nan, nan])
        else:
            self._totals.append([total, venue.occupancy, venue.lo, venue.hi])
        self._marks.append((number, last_hour, affected, len(self._true.carried)))

    def _keep(self, number: int) -> None:
        for (queue, joined), truth in self._true.waited.items():
            desks, p50, p90 = self._true.joined[queue, joined]
            called, gone = (nan, nan) if truth.called is None else (truth.called, truth.at)
            self._parties.append(Party(queue, number, joined, called, gone, desks, p50, p90))

    def _watched(self, located: Located | None, spent: float, core: float) -> Watched:
        cells = np.array(self._rows, dtype=float)
        totals = np.array(self._totals, dtype=float)
        number, last_hour, affected, carriers = zip(*self._marks, strict=True)
        return Watched(
            seed=self._seed,
            day=np.array(number),
            zones={name: cells[:, :, n] for n, name in enumerate(("truth", "value", "lo", "hi", "raw", "beacons"))},
            venue={name: totals[:, n] for n, name in enumerate(("truth", "value", "lo", "hi"))},
            affected=np.array(affected),
            last_hour=np.array(last_hour),
            carriers=np.array(carriers, dtype=float),
            capacity=np.array([zone.capacity for zone in self._venue.zones.values()], dtype=float),
            parties=self._parties,
            located=located,
            alerts=self._alerts,
            methods=self._methods,
            facts=self._facts,
            simulator_s=spent * (1 - core),
            core_s=spent * core,
        )


def night(simulation: Simulation, until: float) -> Iterator[Record]:
    """From the end of a day to the beginning of the next: a tick a minute, and every device is well."""
    at = float(ceil((simulation.day.end + 1) / NIGHT_S) * NIGHT_S)
    while at < until - 1:
        yield [*simulation.heartbeats(at)]
        yield [Tick(at=at, source="ticker", seq=int(at), seen=at, simulated=True)]
        at += NIGHT_S


def _affected(venue: Venue, simulation: Simulation) -> Callable[[float], NDArray[np.bool_]]:
    """Which zones have a faulty device at a time."""
    zones = list(venue.zones)
    seen: dict[str, set[str]] = {}
    for name, counter in venue.counters.items():
        seen.setdefault(counter.device or name, set()).update(venue.portals[counter.portal].between)
    for name, receiver in venue.receivers.items():
        seen.setdefault(receiver.device or name, set()).add(receiver.zone)
    spans = [
        (trouble.start, trouble.end, np.array([zone in seen[trouble.device] for zone in zones]))
        for trouble in simulation.faults.all()
    ]

    def hit(at: float) -> NDArray[np.bool_]:
        found = np.zeros(len(zones), dtype=bool)
        for start, end, touched in spans:
            if start <= at <= end:
                found |= touched
        return found

    return hit


def configured(scenario: Scenario, *, miss: float | None, beacons: float | None) -> Scenario:
    """The scenario with other miss rates (spread in proportion, so directions differ) and another share of beacons."""
    if miss is not None:
        devices = scenario.devices
        spread = devices.miss_spread / devices.miss if devices.miss else 0.5
        scenario = structs.replace(scenario, devices=structs.replace(devices, miss=miss, miss_spread=miss * spread))
    return scenario if beacons is None else structs.replace(scenario, beacon_share=beacons)
