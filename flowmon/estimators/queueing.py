"""Waits in a first-come-first-served line: what was experienced, and what to expect.

Theory of operation
    Joins and services are matched in order of arrival.
        LES   the wait of the last one who entered service (experienced)
        QL    (Q + 1) · gap, with `gap` the mean time between services while somebody was waiting. A gap that began
              with an empty line says nothing about the desks and is not learned, which is where the plain
              "length ÷ recent departures" fails when the line is intermittent.
        sd    gap · sqrt((Q + 1) · cv² + σ_Q²), cv² = 0.6 for ticket desks, σ_Q the error of the length itself
    An empty line means no wait. Opening or closing desks scales `gap` at once.

Assumptions: one line, services independent, nobody leaves the line unserved (an abandonment shows as a wait that is
too long until its turn has passed). Failure mode: a batch served at once looks like a very fast desk; `people` of a
service spreads the gap over the batch.

Source: Ibrahim & Whitt 2009 (LES, HOL, QL); airports' "people in line ÷ throughput".
"""

import itertools
import math
from collections.abc import Sequence

from msgspec import Struct, field

from flowmon.estimators.port import Interval

CV2 = 0.6
Z80 = 1.2816  # one-sided 90 % point
LEARNING_RATE = 0.08
GAPS_MIN = 5  # before that many services nothing is said of the desks
MAX_WAITING = 5_000
MAX_REMEMBERED = 500


class LineState(Struct):
    """joins: (at, people) of those still waiting; waits: (at, seconds) of those served.

    gap_s: mean seconds between services while somebody waited, over `gaps` of them.
    """

    joins: list[tuple[float, int]] = field(default_factory=list)
    gap_s: float | None = None
    gaps: int = 0
    last_service: float | None = None
    busy_since_last: bool = False
    desks: int | None = None
    waits: list[tuple[float, float]] = field(default_factory=list)


class Line:
    """One waiting line.

    >>> line = Line()
    >>> for second in range(0, 100, 10): line.join(1, at=float(second))
    >>> for second in range(30, 150, 20): line.serve(1, at=float(second))
    >>> line.last_to_enter_service(), line.waiting
    (80.0, 4)
    >>> line.estimate(length=5.0, length_sd=0.0).value
    120.0
    """

    def __init__(self, state: LineState | None = None) -> None:
        self.state = state or LineState()

    @property
    def waiting(self) -> int:
        """People who joined and were not served yet, by the line's own book-keeping."""
        return sum(people for _, people in self.state.joins)

    @property
    def service_gap_s(self) -> float | None:
        """Mean seconds between services while somebody waits; None until enough were seen."""
        return self.state.gap_s if self.state.gaps >= GAPS_MIN else None

    def join(self, people: int, at: float) -> None:
        """`people` joined at `at`."""
        if people > 0 and math.isfinite(at):
            self.state.joins.append((at, people))
            del self.state.joins[:-MAX_WAITING]
            self.state.busy_since_last = True

    def serve(self, people: int, at: float, waited_s: float | None = None) -> None:
        """`people` entered service at `at`; `waited_s` where the desk knows it better than the order of arrival."""
        if people <= 0 or not math.isfinite(at):
            return
        state = self.state
        if state.last_service is not None and state.busy_since_last and at >= state.last_service:
            gap = (at - state.last_service) / people
            state.gaps += 1
            known = state.gap_s or 0.0  # a plain mean at first, then forgetting
            state.gap_s = known + max(LEARNING_RATE, 1.0 / state.gaps) * (gap - known)
        matched = self._leave(people)
        wait = waited_s if waited_s is not None else None if matched is None else at - matched
        if wait is not None and wait >= 0:
            state.waits.append((at, wait))
            del state.waits[:-MAX_REMEMBERED]
        state.last_service = at
        state.busy_since_last = bool(state.joins)

    def open_desks(self, desks: int) -> None:
        """From now on `desks` desks serve the line; the time between services scales with them."""
        if self.state.gap_s is not None and self.state.desks and desks > 0:
            self.state.gap_s *= self.state.desks / desks
        self.state.desks = max(desks, 0)

    def forget(self) -> None:
        """The line is known to be empty (closing)."""
        self.state.joins.clear()
        self.state.busy_since_last = False

    def last_to_enter_service(self) -> float | None:
        """LES: seconds the last one served had waited; None before anybody was."""
        return self.state.waits[-1][1] if self.state.waits else None

    def experienced(self, since: float) -> float | None:
        """Mean wait in seconds of those who entered service at or after `since`; None when nobody did."""
        recent = [wait for _, wait in itertools.takewhile(lambda w: w[0] >= since, reversed(self.state.waits))]
        return sum(recent) / len(recent) if recent else None

    def estimate(self, length: float, length_sd: float) -> Interval | None:
        """Wait in seconds for whoever joins behind `length` people: median and the one-sided 90 % point as `hi`.

        None while nothing is known of the desks and the line is not empty.
        """
        if length < 0.5:
            return Interval(0.0, 0.0, 0.0)
        gap = self.service_gap_s
        if gap is None or self.state.desks == 0:
            return None
        wait = (length + 1.0) * gap
        sd = gap * math.sqrt((length + 1.0) * CV2 + length_sd**2)
        return Interval(wait, max(0.0, wait - Z80 * sd), wait + Z80 * sd)

    def _leave(self, people: int) -> float | None:
        """Take `people` from the head of the line; the arrival time of the first, None when nobody was known."""
        joins = self.state.joins
        first = joins[0][0] if joins else None
        while people > 0 and joins:
            at, group = joins[0]
            if group <= people:
                joins.pop(0)
            else:
                joins[0] = (at, group - people)
            people -= group
        return first


def quantile(values: Sequence[float], share: float) -> float:
    """The `share` quantile (0..1) by nearest rank; ValueError when there are no values.

    >>> quantile([3.0, 1.0, 2.0], 0.5)
    2.0
    """
    if not values:
        raise ValueError("a quantile of nothing")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
