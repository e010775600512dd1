"""What is said of every zone, of the venue and of every queue: when it changed, and at least every ten seconds.

A closed state follows the watermark, is what rules are judged on, and is told when a reader would see a difference.
A provisional state tells at once what crossings have moved, and follows a closed one that would hide it.
"""

import msgspec
from msgspec import Struct, field

from flowmon.findings import Finding, Quality, QueueState, VenueState, ZoneState
from flowmon.monitor.alerts import Measure
from flowmon.monitor.flows import Flows
from flowmon.monitor.health import Health
from flowmon.monitor.occupancy import Occupancy
from flowmon.monitor.queues import Queues
from flowmon.monitor.visits import Visits
from flowmon.names import OUTSIDE
from flowmon.venue.model import Venue

REPEAT_S = 10.0  # every state is told at least this often, so that its age is known


class StatesState(Struct):
    """zones, venue, queues: as told last; moved: zones whose closed number may have moved since."""

    zones: dict[str, ZoneState] = field(default_factory=dict)
    venue: VenueState | None = None
    queues: list[QueueState] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)


class States:
    """The states of one venue, made of what the parts of the monitor know."""

    def __init__(
        self,
        venue: Venue,
        occupancy: Occupancy,
        flows: Flows,
        queues: Queues,
        visits: Visits,
        health: Health,
        state: StatesState | None = None,
    ) -> None:
        self.state = state or StatesState(moved=list(venue.zones))
        self._moved = set(self.state.moved)
        self._venue = venue
        self._occupancy, self._flows, self._queues = occupancy, flows, queues
        self._visits, self._health = visits, health
        self._touched: set[str] = set()  # places whose shown number moved within this record

    def touch(self, places: set[str]) -> None:
        """The shown numbers of these places moved; told when the record has been applied."""
        self._touched |= places

    def move(self, zones: set[str]) -> None:
        """Something else than time may have moved the closed numbers of these zones."""
        self._moved |= zones

    def set(self, zone: str) -> None:
        """A zone's number was set by something else than a crossing: the venue's moves with it."""
        self.move({zone})
        self.touch({zone, OUTSIDE})

    def save(self) -> StatesState:
        """The state to keep."""
        self.state.moved = sorted(self._moved)
        return self.state

    def close(self, at: float, *, repeat: bool, served: bool) -> list[Finding]:
        """Closed states at the watermark `at` that changed; all of them with `repeat`."""
        moved, self._moved = self._moved, set()
        if repeat:
            moved = set(self._venue.zones)
        if not moved and not served:
            return []
        told: list[Finding] = []
        for zone in self._venue.zones:
            if zone not in moved:
                continue
            state, last = self.zone(zone, at), self.state.zones.get(zone)
            if repeat or last is None or _differs(state, last):
                self.state.zones[zone] = state
                told.append(state)
                if self._occupancy.waiting(zone):
                    self._touched.add(zone)  # the closed number must not hide what was shown since
        venue = self.venue(at)
        if repeat or self.state.venue is None or _differs(venue, self.state.venue):
            self.state.venue = venue
            told.append(venue)
            if self._occupancy.waiting(OUTSIDE):
                self._touched.add(OUTSIDE)
        fresh = repeat or served or len(self.state.queues) != len(self._venue.queues)
        queues = [
            self.queue(name, at) if fresh or queue.zone in moved else self.state.queues[n]
            for n, (name, queue) in enumerate(self._venue.queues.items())
        ]
        told += queues if repeat else [q for q, last in zip(queues, self.state.queues, strict=False) if _waits(q, last)]
        self.state.queues = queues
        return told

    def provisional(self, now: float, watermark: float) -> list[Finding]:
        """The shown numbers that moved since the last call; none before there is any time."""
        touched, self._touched = self._touched, set()
        if not touched or now == float("-inf"):
            return []
        told: list[Finding] = [
            self.zone(zone, now, watermark=watermark) for zone in self._venue.zones if zone in touched
        ]
        if OUTSIDE in touched:
            told.append(self.venue(now, watermark=watermark))
        return told

    def current(self, at: float) -> list[Finding]:
        """Every state at the watermark `at`."""
        return [
            *(self.zone(zone, at) for zone in self._venue.zones),
            self.venue(at),
            *(self.queue(queue, at) for queue in self._venue.queues),
        ]

    def measures(self) -> list[tuple[str, list[Measure]]]:
        """What rules watch: the closed values of zones, the venue and queues (in minutes), as they are now."""
        venue = self.state.venue
        waits = [(q.queue, q.wait_p90_s, q.quality) for q in self.state.queues]
        return [
            (
                "zone",
                [Measure(z.zone, z.occupancy, float(z.capacity), z.quality) for z in self.state.zones.values()],
            ),
            ("venue", [Measure("venue", venue.occupancy, float(venue.capacity), venue.quality)] if venue else []),
            ("queue", [Measure(name, None if wait is None else wait / 60.0, 1.0, q) for name, wait, q in waits]),
        ]

    def zone(self, zone: str, at: float, *, watermark: float | None = None) -> ZoneState:
        """A zone's closed state at the watermark `at`; with `watermark`, its provisional one at `at`."""
        some_blind, all_blind = self._health.blinded(zone)
        return self._occupancy.zone_state(
            zone,
            at,
            quality="stale" if some_blind else "good",
            flows=self._flows.rates(zone, at if watermark is None else watermark),
            beacons=self._visits.inside(zone),
            unknown=all_blind,
            provisional=watermark is not None,
        )

    def venue(self, at: float, *, watermark: float | None = None) -> VenueState:
        """The venue's state, likewise. It is stale when a counter to the outside does not see."""
        blind = self._health.blind_counters()
        outer: Quality = "stale" if any(self._leads_outside(counter) for counter in blind) else "good"
        flows = self._flows.venue_rates(at if watermark is None else watermark)
        return self._occupancy.venue_state(at, quality=outer, flows=flows, provisional=watermark is not None)

    def queue(self, queue: str, at: float) -> QueueState:
        """A queue's state at the watermark `at`."""
        zone = self._venue.queues[queue].zone
        some_blind, _ = self._health.blinded(zone)
        return self._queues.queue_state(queue, at, self._occupancy.people(zone), "stale" if some_blind else "good")

    def _leads_outside(self, counter: str) -> bool:
        return OUTSIDE in self._venue.portals[self._venue.counters[counter].portal].between


def _differs(new: ZoneState | VenueState, old: ZoneState | VenueState) -> bool:
    """Whether a reader would see another number, level or quality."""
    return (new.occupancy, new.level, new.quality, new.inflow, new.outflow) != (
        old.occupancy,
        old.level,
        old.quality,
        old.inflow,
        old.outflow,
    )


def _waits(new: QueueState, old: QueueState) -> bool:
    """Whether a reader would see another queue."""
    return msgspec.structs.replace(new, at=old.at) != old
