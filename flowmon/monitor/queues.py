"""How long a queue is and how long it takes.

Theory of operation
    A queue stands in a zone. People join by crossing into it; they are served when a desk says so (`Served`), or, where
    no desk speaks, when they cross out of it, and their wait is then the whole stay.
    Length: the queue's own ledger (joins minus services) weighed with the zone's occupancy by their variances; nobody
    waits who is not in the zone, so the ledger never stays above what the zone can hold (+ 2 sd). People who are being
    served stand in the zone and do not wait. Where desks say how long those they serve had waited, the ledger is not
    needed: who waits is learned from those waits (`estimators.standing`), and an idle line says 0.
    Experienced wait (of those leaving now) and projected wait (for whoever joins now) are kept apart, as ACRIS does:
    after a coach has left, the leavers still tell of a long wait while a newcomer would walk through.
    A sensor that measures the queue itself is believed before the estimate for as long as it speaks (60 s).
    sign: what to promise in public, the 80 % point rounded up to 5 minutes. A promise is asymmetric: too long is
    forgiven, too short is not.

Formulas and citations: `estimators.queueing`, `estimators.waits`. Failure mode: people who stand in the zone without
queueing count as waiting where the desks do not say how long those they serve had waited.
"""

import math
from collections.abc import Callable

from msgspec import Struct, field

from flowmon.estimators.queueing import Line, LineState
from flowmon.facts import DesksOpen, QueueReading, Served
from flowmon.findings import Quality, QueueState
from flowmon.monitor.intake import Crossing
from flowmon.venue.model import Venue

EXPERIENCED_S = 300.0
READING_LASTS_S = 60.0
PENDING_MAX = 10_000
SIGN_S = 300.0
METHODS = {
    "model": "blend",
    "ql": "length-over-throughput",
    "les": "last-to-enter-service",
    "roll15": "mean-of-15-min",
    "empty": "empty",
}

#: (time, queue, people, seconds waited, desk) of a service that waits for the watermark.
Pending = tuple[float, str, int, float | None, str]


class QueuesState(Struct):
    """lines: queue -> line; desk_speaks: queues with `Served` facts; pending: services waiting for the watermark.

    inside: queue -> people who crossed into its zone and not out of it again, never below zero.
    """

    lines: dict[str, LineState] = field(default_factory=dict)
    desk_speaks: dict[str, bool] = field(default_factory=dict)
    pending: list[Pending] = field(default_factory=list)
    readings: dict[str, tuple[float, int | None, float | None]] = field(default_factory=dict)
    inside: dict[str, int] = field(default_factory=dict)


class Queues:
    """Every queue of a venue."""

    def __init__(self, venue: Venue, state: QueuesState | None = None) -> None:
        kept = state or QueuesState()
        self._lines = {name: Line(desks=queue.desks) for name, queue in venue.queues.items()}
        for name, line in self._lines.items():
            if name in kept.lines:
                line.state = kept.lines[name]
        self._desk_speaks, self._pending, self._readings = kept.desk_speaks, kept.pending, kept.readings
        self._inside = {name: kept.inside.get(name, 0) for name in venue.queues}
        self._venue = venue
        self._by_device = {queue.device: name for name, queue in venue.queues.items() if queue.device}
        self._ways: dict[str, list[tuple[str, bool]]] = {}
        for counter_name, counter in venue.counters.items():
            between = venue.portals[counter.portal].between
            self._ways[counter_name] = [
                (name, counter.towards == queue.zone) for name, queue in venue.queues.items() if queue.zone in between
            ]

    @property
    def state(self) -> QueuesState:
        """A plain copy of everything remembered."""
        lines = {name: line.state for name, line in self._lines.items()}
        return QueuesState(
            lines, dict(self._desk_speaks), list(self._pending), dict(self._readings), dict(self._inside)
        )

    def resolve(self, queue: str) -> str | None:
        """The venue's queue for a name a device uses; None when there is none."""
        return queue if queue in self._lines else self._by_device.get(queue)

    def served(self, queue: str, fact: Served, at: float) -> None:
        """A desk served people; closed when the watermark passes."""
        self._desk_speaks[queue] = True
        self._pending.append((at, queue, fact.people, fact.waited_s, fact.desk))
        del self._pending[:-PENDING_MAX]

    def desks_open(self, queue: str, fact: DesksOpen) -> None:
        """Desks opened or closed."""
        self._lines[queue].open_desks(fact.desks)

    def reading(self, queue: str, fact: QueueReading, at: float) -> None:
        """A sensor measured the queue itself."""
        self._readings[queue] = (at, fact.length, fact.wait_s)

    def close(
        self, ripe: list[Crossing], watermark: float, zone_people: Callable[[str], tuple[float, float]] | None = None
    ) -> bool:
        """Joins and services up to the watermark, in the order of time; whether there were any.

        zone_people: the closed number of a zone and its standard deviation.
        """
        events: list[tuple[float, int, str, int, float | None, str]] = []
        touched: set[str] = set()
        for crossing in ripe:
            for queue, forward_joins in self._ways[crossing.counter]:
                touched.add(queue)
                joined, left = (
                    (crossing.forward, crossing.backward) if forward_joins else (crossing.backward, crossing.forward)
                )
                self._inside[queue] = max(0, self._inside[queue] + joined - left)
                if left:
                    self._lines[queue].leave(left)
                if joined:
                    events.append((crossing.at, 0, queue, joined, None, ""))
                if left and not self._desk_speaks.get(queue):
                    events.append((crossing.at, 1, queue, left, None, ""))
        if self._pending:
            events += [(p[0], 1, p[1], p[2], p[3], p[4]) for p in self._pending if p[0] <= watermark]
            self._pending = [service for service in self._pending if service[0] > watermark]
        for at, kind, queue, people, waited, desk in sorted(events, key=_order):
            if kind:
                self._lines[queue].serve(people, at, waited, desk=desk)
            else:
                self._lines[queue].join(people, at)
        if zone_people is not None:
            self._look(touched, watermark, zone_people)
        return bool(events)

    def _look(self, touched: set[str], watermark: float, zone_people: Callable[[str], tuple[float, float]]) -> None:
        """Hold the lines against what their zones say."""
        for queue in sorted(touched):
            self._settle(queue, *zone_people(self._venue.queues[queue].zone))
        for queue, line in self._lines.items():
            if self._desk_speaks.get(queue):
                line.look(watermark, *zone_people(self._venue.queues[queue].zone))

    def _settle(self, queue: str, people: float, sd: float) -> None:
        """Nobody waits who is not in the zone."""
        line = self._lines[queue]
        line.bound(people, sd)
        if self._inside[queue] == 0 and people <= 2.0 * sd and not line.resynchronised:
            line.forget()  # as many went out as came in: the line left without being served

    def forget(self) -> None:
        """The venue is empty."""
        self._inside = dict.fromkeys(self._inside, 0)
        for line in self._lines.values():
            line.forget()

    def queue_state(self, queue: str, at: float, people: tuple[float, float], quality: Quality) -> QueueState:
        """What is said of a queue; `people` is the closed number of its zone and its standard deviation."""
        line = self._lines[queue]
        stands = line.standing(at, *people)
        length, sd = stands or line.length(max(0.0, people[0]), people[1])
        leaving = line.experienced(at - EXPERIENCED_S)
        measured = self._readings.get(queue)
        sensed = measured is not None and at - measured[0] <= READING_LASTS_S
        if measured is not None and sensed:
            if measured[1] is not None:
                length, sd, stands = float(measured[1]), 0.5, None
            leaving = measured[2] if measured[2] is not None else leaving
        length = max(0.0, length)
        wait = line.estimate(at, length, sd) if stands is None else line.project(at, *people)
        gap = line.service_gap_s(at)
        method = "unknown" if wait is None else METHODS[wait.method]
        return QueueState(
            at=at,
            queue=queue,
            length=round(length, 2),
            lo=round(max(0.0, length - 1.6449 * sd), 2),
            hi=round(length + 1.6449 * sd, 2),
            wait_leaving_s=None if leaving is None else round(leaving, 1),
            wait_p50_s=None if wait is None else round(wait.p50, 1),
            wait_p90_s=None if wait is None else round(wait.p90, 1),
            throughput=round(60.0 / gap, 2) if gap else None,
            desks=line.desks,
            quality=quality,
            method="sensor" if sensed else method,
            sign_s=None if wait is None else sign(wait.p80),
        )


def sign(p80_s: float) -> float:
    """Seconds to promise in public: the 80 % point rounded up to five minutes; 0 only when there is no wait at all.

    >>> sign(0.0), sign(12.0), sign(300.0), sign(301.0)
    (0.0, 300.0, 300.0, 600.0)
    """
    return SIGN_S * math.ceil(p80_s / SIGN_S)


def _order(event: tuple[float, int, str, int, float | None, str]) -> tuple[float, int, str, int, float, str]:
    """Events of one time in an order that does not depend on how they came."""
    at, kind, queue, people, waited, desk = event
    return at, kind, queue, people, -1.0 if waited is None else waited, desk
