"""The whole product, pure: `Monitor(venue).apply(fact) -> list[Finding]`.

Order within a tick: intake lets the crossings go that the watermark has passed; occupancy, flows, queues and visits
close on them; health judges the devices; alerts judge the closed numbers. Between ticks a crossing moves the shown
number at once (a provisional state); nothing else decides before the watermark.

A record is applied whole, so `(venue, offset)` names a state exactly. Data never raises: it becomes `Rejected`.

The module is long because each kind of fact has its method: a few lines each, together the list of what can happen.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from msgspec import Struct

from flowmon.facts import (
    Acknowledged,
    Booked,
    Count,
    DesksOpen,
    DeviceStatus,
    Fact,
    Interaction,
    Presence,
    QueueReading,
    Recounted,
    RuleChanged,
    Served,
    Shelved,
    Sighting,
    Tick,
    ZoneCount,
)
from flowmon.findings import Correction, Finding, Rejected
from flowmon.monitor.alerts import Alerts, AlertsState, Measure
from flowmon.monitor.conservation import Conservation, ConservationState
from flowmon.monitor.flows import Flows, FlowsState
from flowmon.monitor.forecasts import Forecasts, ForecastsState
from flowmon.monitor.health import Health, HealthState
from flowmon.monitor.intake import LEAP_S, TIME_MAX, Crossing, Intake, IntakeState, Refused
from flowmon.monitor.occupancy import LOOK_EVERY_S, Occupancy, OccupancyState
from flowmon.monitor.queues import Queues, QueuesState
from flowmon.monitor.states import REPEAT_S, States, StatesState
from flowmon.monitor.visits import Visits, VisitsState
from flowmon.monitor.watch import Watch, WatchState
from flowmon.venue.model import Venue, fingerprint

VERSION = 6
STEP_MAX_S = 60.0  # ticks that are further apart were missed, not lived through
REFUSALS_REPEAT_S = 60.0
REFUSALS_MAX = 1_000


class MonitorState(Struct):
    """Everything a monitor remembers, as plain versioned data."""

    version: int
    fingerprint: str
    simulated: bool
    intake: IntakeState
    occupancy: OccupancyState
    flows: FlowsState
    conservation: ConservationState
    queues: QueuesState
    visits: VisitsState
    watch: WatchState
    health: HealthState
    alerts: AlertsState
    states: StatesState
    forecasts: ForecastsState
    refusals: dict[str, float]


class Monitor:
    """One venue."""

    def __init__(self, venue: Venue, state: MonitorState | None = None) -> None:
        self.venue = venue
        self._intake = Intake(venue, state.intake if state else None)
        self._occupancy = Occupancy(venue, state.occupancy if state else None)
        self._flows = Flows(venue, state.flows if state else None)
        self._conservation = Conservation(venue, state.conservation if state else None)
        self._queues = Queues(venue, state.queues if state else None)
        self._visits = Visits(state.visits if state else None)
        self._watch = Watch(venue, state.watch if state else None)
        self._health = Health(venue, state.health if state else None)
        self._alerts = Alerts(venue, state.alerts if state else None)
        self._health.clocks = self._intake.state.clocks
        self._simulated = state.simulated if state else venue.simulated
        self._states = States(
            venue,
            self._occupancy,
            self._flows,
            self._queues,
            self._visits,
            self._health,
            state.states if state else None,
        )
        self._forecasts = Forecasts(venue, state.forecasts if state else None)
        self._refusals: dict[str, float] = state.refusals if state else {}
        for crossing in self._intake.state.pending:
            self._occupancy.wait(crossing)
        self._learn: dict[type[Any], Callable[[Any], Sequence[Finding]]] = {
            Count: self._count,
            Tick: self._tick,
            DeviceStatus: self._status,
            Presence: self._presence,
            Served: self._served,
            DesksOpen: self._desks_open,
            QueueReading: self._queue_reading,
            ZoneCount: self._zone_count,
            Recounted: self._recounted,
            Acknowledged: self._acknowledged,
            Shelved: self._shelved,
            RuleChanged: self._rule_changed,
            Booked: self._booked,
            Interaction: self._kept,
            Sighting: self._sighting,
        }

    def apply(self, fact: Fact) -> list[Finding]:
        """What follows from one fact. Never raises for data."""
        return self.apply_record((fact,))

    def apply_record(self, record: Sequence[Fact]) -> list[Finding]:
        """What follows from one journal record, taken as a whole: a number moved twice is told once."""
        findings: list[Finding] = []
        for fact in record:
            if fact.simulated and not self._simulated:
                self._simulated = True
            try:
                findings += self._learn[type(fact)](fact)
            except Refused as refused:
                findings += self._refuse(fact, str(refused))
        findings += self._states.provisional(self._intake.state.now, self._intake.watermark)
        return [self._marked(f) for f in findings] if self._simulated else findings

    def current(self) -> list[Finding]:
        """The latest state of every subject: fills a feed that starts."""
        at = self._intake.watermark
        if at == float("-inf"):
            return []
        findings: list[Finding] = self._states.current(at)
        findings += [self._occupancy.explained(zone, at) for zone in self.venue.zones]
        findings += [self._health.device_state(device, at) for device in self._health.devices]
        findings += self._alerts.open_episodes(at)
        findings += self._forecasts.current()
        return [self._marked(f) for f in findings] if self._simulated else findings

    def truth(self, zone: str) -> tuple[float, str] | None:
        """When the true number of a zone was known last, and what told it (`recount`, `zone-sensor`, `closing`)."""
        return self._occupancy.state.truth.get(zone)

    def snapshot(self) -> bytes:
        """Everything remembered, as versioned MessagePack; the venue's fingerprint is part of it."""
        return msgspec.msgpack.encode(
            MonitorState(
                version=VERSION,
                fingerprint=fingerprint(self.venue),
                simulated=self._simulated,
                intake=self._intake.state,
                occupancy=self._occupancy.save(),
                flows=self._flows.state,
                conservation=self._conservation.state,
                queues=self._queues.state,
                visits=self._visits.state,
                watch=self._watch.save(),
                health=self._health.state,
                alerts=self._alerts.state,
                states=self._states.save(),
                forecasts=self._forecasts.save(),
                refusals=self._refusals,
            )
        )

    @classmethod
    def restore(cls, venue: Venue, data: bytes) -> "Monitor":
        """Go on from a snapshot. Raises ValueError when it belongs to another version or venue file."""
        try:
            state = msgspec.msgpack.decode(data, type=MonitorState)
        except msgspec.MsgspecError as error:
            raise ValueError(f"the snapshot cannot be read: rebuild from the journal ({error})") from error
        if state.version != VERSION or state.fingerprint != fingerprint(venue):
            raise ValueError("the snapshot belongs to another version or venue file: rebuild from the journal")
        return cls(venue, state)

    # One method for each kind of fact.

    def _count(self, fact: Count) -> Sequence[Finding]:
        intake, health = self._intake, self._health
        now = intake.state.now
        try:
            lives = intake.take(fact)
        except Refused as refused:
            if not fact.historical:
                health.heard(fact.source, now)
            health.doubt(fact.source, "refused", str(refused), now)
            raise
        if lives:
            health.heard(fact.source, now)
        if intake.arrived:
            for crossing in intake.arrived:
                self._states.touch(self._occupancy.wait(crossing))
            intake.arrived.clear()
        if intake.notes:
            for note in intake.notes:
                health.doubt(note.device, note.code, note.reason, now, lasting=note.lasting)
            intake.notes.clear()
        return self._past() if intake.past else ()

    def _past(self) -> Sequence[Finding]:
        """What is told too late to move the live number corrects history."""
        told = self._flows.told_late(self._intake.past)
        self._intake.past.clear()
        return told

    def _tick(self, fact: Tick) -> Sequence[Finding]:
        step = self._intake.step(fact.at)
        if step == 0:  # two leaders may tick the same second
            return ()
        ripe = self._intake.advance(fact.at)
        if not 0 < step <= LEAP_S:
            self._leap(fact.at)
        return self._close(ripe, self._intake.watermark, min(max(step, 0.0), STEP_MAX_S))

    def _status(self, fact: DeviceStatus) -> Sequence[Finding]:
        if self._intake.is_new(fact):
            self._when(fact)
            self._health.status(fact, self._intake.state.now)
            self._intake.replaced(fact)
            for note in self._intake.notes:
                self._health.doubt(note.device, note.code, note.reason, self._intake.state.now)
            self._intake.notes.clear()
        return ()

    def _presence(self, fact: Presence) -> Sequence[Finding]:
        if fact.zone not in self.venue.zones:
            raise Refused(f"there is no zone {fact.zone!r} in the venue file")
        if self._intake.is_new(fact):
            changed = self._visits.learn(fact, self._when(fact))
            self._states.touch(changed)
            self._states.move(changed)
        return ()

    def _served(self, fact: Served) -> Sequence[Finding]:
        queue = self._queue_of(fact.queue)
        if not 0 < fact.people <= 1_000:
            raise Refused(f"{fact.people} people served at once is not possible: check the desk")
        if self._intake.is_new(fact):
            self._hear(fact)
            self._queues.served(queue, fact, self._when(fact))
        return ()

    def _desks_open(self, fact: DesksOpen) -> Sequence[Finding]:
        queue = self._queue_of(fact.queue)
        if not 0 <= fact.desks <= 1_000:
            raise Refused(f"{fact.desks} open desks are not possible")
        if self._intake.is_new(fact):
            self._queues.desks_open(queue, fact)
        return ()

    def _queue_reading(self, fact: QueueReading) -> Sequence[Finding]:
        queue = self._queue_of(fact.queue)
        if self._intake.is_new(fact):
            _live(fact)
            self._hear(fact)
            self._queues.reading(queue, fact, self._when(fact))
        return ()

    def _zone_count(self, fact: ZoneCount) -> Sequence[Finding]:
        self._known_zone(fact.zone, fact.people)
        if not self._intake.is_new(fact):
            return ()
        _live(fact)
        self._hear(fact)
        at = self._when(fact)
        before, after = self._occupancy.observe(fact.zone, fact.people, at)
        self._states.set(fact.zone)
        if abs(after - before) < 2.0:
            return ()
        return (Correction(at=at, zone=fact.zone, before=before, after=after, reason="zone-sensor", by=fact.source),)

    def _recounted(self, fact: Recounted) -> Sequence[Finding]:
        self._known_zone(fact.zone, fact.people)
        if not self._intake.is_new(fact):
            return ()
        at, _ = self._intake.when(fact)
        before, after = self._occupancy.recount(fact.zone, fact.people, at)
        self._states.set(fact.zone)
        return (
            Correction(
                at=at,
                zone=fact.zone,
                before=round(before, 2),
                after=round(after, 2),
                reason="recount",
                by=fact.by,
                note=fact.note,
                cause=fact.command,
            ),
        )

    def _acknowledged(self, fact: Acknowledged) -> Sequence[Finding]:
        return (self._alerts.acknowledge(fact, self._intake.when(fact)[0]),) if self._intake.is_new(fact) else ()

    def _shelved(self, fact: Shelved) -> Sequence[Finding]:
        return (self._alerts.shelve(fact, self._intake.when(fact)[0]),) if self._intake.is_new(fact) else ()

    def _rule_changed(self, fact: RuleChanged) -> Sequence[Finding]:
        if self._intake.is_new(fact):
            self._alerts.change_rule(fact)
        return ()

    def _booked(self, fact: Booked) -> Sequence[Finding]:
        if self._intake.is_new(fact) and (wrong := self._forecasts.bookings.learn(fact, self._intake.state.now)):
            raise Refused(wrong)
        return ()

    def _kept(self, fact: Interaction) -> Sequence[Finding]:
        """Interactions are kept in the journal for the models that learn from them."""
        self._intake.is_new(fact)
        return ()

    def _sighting(self, fact: Sighting) -> Sequence[Finding]:
        raise Refused(f"{type(fact).__name__} does not belong in a venue's journal: send it to the sightings topic")

    # What a tick closes.

    def _leap(self, now: float) -> None:
        """The clock was set, or the machine was off: people stay, everything that was timed starts again."""
        self._occupancy.leap(now)
        self._flows.leap()
        self._conservation.leap()
        self._queues.forget()
        self._health.leap(now)
        self._watch.leap()
        self._alerts.leap()
        self._forecasts.leap(now)
        self._states.move(set(self.venue.zones))

    def _close(self, ripe: list[Crossing], at: float, step: float) -> list[Finding]:
        findings: list[Finding] = []
        now = self._intake.state.now
        blind = self._health.blind_counters()
        for device, code, reason in [*self._conservation.close(ripe, at, now), *self._watch.close(ripe, at, blind)]:
            self._health.doubt(device, code, reason, now, lasting=True)
        turned = self._health.close(now)
        emptied = self._occupancy.empty_if_closed(at)
        if emptied:
            self._queues.forget()
        if self._occupancy.state.empty_at != self._conservation.state.empty_at:
            self._conservation.empty(self._occupancy.state.empty_at)
        dead, lying = self._watch.doubted()
        corrected = self._occupancy.close(ripe, self._health.blind_counters() | dead, at, step, lying=lying)
        dwells = self._visits.close(at)
        explained: list[Finding] = []
        if at // LOOK_EVERY_S != (at - step) // LOOK_EVERY_S:
            corrected += self._occupancy.hear([self._visits.inside(zone) for zone in self.venue.zones], at)
            explained += [self._occupancy.explained(zone, at) for zone in self.venue.zones]
        findings += [*turned, *emptied, *corrected, *self._flows.close(ripe, at)]
        served = self._queues.close(ripe, at, self._occupancy.people)
        findings += [*dwells, *explained]
        # Rates and ages change with time alone, but not before the next ten seconds are full.
        repeat = at // REPEAT_S != (at - step) // REPEAT_S
        changed = set(self.venue.zones) if turned or emptied else self._occupancy.moved()
        self._states.move(changed | self._flows.touched(ripe))
        findings += self._states.close(at, repeat=repeat, served=served)
        findings += self._forecasts.close(at, self._states.state)
        for watches, measures in self._states.measures():
            findings += self._alerts.close(watches, measures, at)
        silences = [self._silence(device, now) for device in self._health.devices]
        return [*findings, *self._alerts.close("device", silences, at)]

    def _silence(self, device: str, now: float) -> Measure:
        known = self._health.state.devices[device]
        if known.health != "silent":
            return Measure(device, 0.0, 1.0, "good")
        return Measure(device, max(1.0, now - known.since), 1.0, "good")

    # What every fact goes through.

    def _hear(self, fact: Fact) -> None:
        self._health.heard(fact.source, self._intake.state.now)

    def _when(self, fact: Fact) -> float:
        at, reason = self._intake.when(fact)
        if fact.seen and not fact.historical and self._intake.clock_of(fact.source) is None:
            skew = self._intake.skewed(fact.source, fact.seen - fact.at) if reason else fact.seen - fact.at
            self._health.clock(fact.source, skew, reason, "gateway" if reason else "device", self._intake.state.now)
        return at

    def _queue_of(self, name: str) -> str:
        queue = self._queues.resolve(name)
        if queue is None:
            raise Refused(f"no queue in the venue file is or has device {name!r}: add it under [queues]")
        return queue

    def _known_zone(self, zone: str, people: int) -> None:
        if zone not in self.venue.zones:
            raise Refused(f"unknown: there is no zone {zone!r} in the venue file")
        if not 0 <= people <= 100_000:
            raise Refused(f"invalid: {people} people in one zone are not possible")

    def _refuse(self, fact: Fact, reason: str) -> list[Finding]:
        """The reject of a fact; the same complaint about the same source is told once a minute."""
        now = self._intake.state.now
        cause = getattr(fact, "command", "")
        name = f"{fact.source}|{reason[:40]}"
        if not cause:
            if now - self._refusals.get(name, float("-inf")) < REFUSALS_REPEAT_S:
                return []
            if len(self._refusals) >= REFUSALS_MAX:
                del self._refusals[next(iter(self._refusals))]
            self._refusals[name] = now
        at = fact.at if 0 <= fact.at < TIME_MAX else max(now, 0.0)
        return [Rejected(at=at, source=fact.source, reason=reason, cause=cause)]

    @staticmethod
    def _marked(finding: Finding) -> Finding:
        return finding if finding.simulated else msgspec.structs.replace(finding, simulated=True)


def _live(fact: Fact) -> None:
    """Raises Refused for what is told long after it happened: it stays in the journal and never moves a live number."""
    if fact.historical:
        raise Refused("told long after it happened (a retained message or a device's memory): no live number is moved")
