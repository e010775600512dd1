"""How long a queue is and how long it takes.

Theory of operation
    A queue stands in a zone. Its length is that zone's occupancy, with its interval. People join by crossing into the
    zone; they are served when a desk says so (`Served`), or, where no desk speaks, when they cross out of it.
    Experienced wait (of those leaving now) and projected wait (for whoever joins now) are kept apart, as ACRIS does:
    after a coach has left, the leavers still tell of a long wait while a newcomer would walk through.
    A sensor that measures the queue itself is believed before the estimate for as long as it speaks (60 s).

Formulas and citations: `estimators.queueing`. Failure mode: people who stand in the zone without queueing are counted
as waiting.
"""

from msgspec import Struct, field

from flowmon.estimators.queueing import Line, LineState
from flowmon.facts import DesksOpen, QueueReading, Served
from flowmon.findings import Quality, QueueState
from flowmon.monitor.intake import Crossing
from flowmon.venue.model import Venue

EXPERIENCED_S = 300.0
READING_LASTS_S = 60.0
PENDING_MAX = 10_000


class QueuesState(Struct):
    """lines: queue -> line; desk_speaks: queues with `Served` facts; pending: services waiting for the watermark."""

    lines: dict[str, LineState] = field(default_factory=dict)
    desk_speaks: dict[str, bool] = field(default_factory=dict)
    pending: list[tuple[float, str, int, float | None]] = field(default_factory=list)
    readings: dict[str, tuple[float, int | None, float | None]] = field(default_factory=dict)


class Queues:
    """Every queue of a venue."""

    def __init__(self, venue: Venue, state: QueuesState | None = None) -> None:
        self.state = state or QueuesState(
            lines={name: LineState(desks=queue.desks) for name, queue in venue.queues.items()}
        )
        for name, queue in venue.queues.items():
            self.state.lines.setdefault(name, LineState(desks=queue.desks))
        self._venue = venue
        self._lines = {name: Line(self.state.lines[name]) for name in venue.queues}
        self._by_device = {queue.device: name for name, queue in venue.queues.items() if queue.device}
        self._ways: dict[str, list[tuple[str, bool]]] = {}
        for counter_name, counter in venue.counters.items():
            between = venue.portals[counter.portal].between
            self._ways[counter_name] = [
                (name, counter.towards == queue.zone) for name, queue in venue.queues.items() if queue.zone in between
            ]

    def resolve(self, queue: str) -> str | None:
        """The venue's queue for a name a device uses; None when there is none."""
        return queue if queue in self._lines else self._by_device.get(queue)

    def served(self, queue: str, fact: Served, at: float) -> None:
        """A desk served people; closed when the watermark passes."""
        self.state.desk_speaks[queue] = True
        self.state.pending.append((at, queue, fact.people, fact.waited_s))
        del self.state.pending[:-PENDING_MAX]

    def desks_open(self, queue: str, fact: DesksOpen) -> None:
        """Desks opened or closed."""
        self._lines[queue].open_desks(fact.desks)

    def reading(self, queue: str, fact: QueueReading, at: float) -> None:
        """A sensor measured the queue itself."""
        self.state.readings[queue] = (at, fact.length, fact.wait_s)

    def close(self, ripe: list[Crossing], watermark: float) -> bool:
        """Joins and services up to the watermark, in the order of time; whether there were any."""
        events: list[tuple[float, int, str, int, float | None]] = []
        for crossing in ripe:
            for queue, forward_joins in self._ways[crossing.counter]:
                joined, left = (
                    (crossing.forward, crossing.backward) if forward_joins else (crossing.backward, crossing.forward)
                )
                if joined:
                    events.append((crossing.at, 0, queue, joined, None))
                if left and not self.state.desk_speaks.get(queue):
                    events.append((crossing.at, 1, queue, left, None))
        if self.state.pending:
            events += [(at, 1, q, people, waited) for at, q, people, waited in self.state.pending if at <= watermark]
            self.state.pending = [service for service in self.state.pending if service[0] > watermark]
        for at, kind, queue, people, waited in sorted(events, key=lambda e: (e[0], e[1], e[2], e[3], e[4] or 0.0)):
            if kind:
                self._lines[queue].serve(people, at, waited)
            else:
                self._lines[queue].join(people, at)
        return bool(events)

    def forget(self) -> None:
        """The venue is empty."""
        for line in self._lines.values():
            line.forget()

    def queue_state(self, queue: str, at: float, people: tuple[float, float], quality: Quality) -> QueueState:
        """What is said of a queue; `people` is the closed number of its zone and its standard deviation."""
        line, method = self._lines[queue], "length-over-throughput"
        length, sd = max(0.0, people[0]), people[1]
        leaving = line.experienced(at - EXPERIENCED_S)
        measured = self.state.readings.get(queue)
        if measured is not None and at - measured[0] <= READING_LASTS_S:
            method = "sensor"
            if measured[1] is not None:
                length, sd = float(measured[1]), 0.5
            leaving = measured[2] if measured[2] is not None else leaving
        wait = line.estimate(length, sd)
        gap = line.service_gap_s
        return QueueState(
            at=at,
            queue=queue,
            length=round(length, 2),
            lo=round(max(0.0, length - 1.6449 * sd), 2),
            hi=round(length + 1.6449 * sd, 2),
            wait_leaving_s=None if leaving is None else round(leaving, 1),
            wait_p50_s=None if wait is None else round(wait.value, 1),
            wait_p90_s=None if wait is None else round(wait.hi, 1),
            throughput=round(60.0 / gap, 2) if gap else None,
            desks=line.state.desks,
            quality=quality,
            method=method,
        )
