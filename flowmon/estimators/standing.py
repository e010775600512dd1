"""How many parties stand in a line ahead of whoever joins now, where desks say how long those they serve had waited.

Theory of operation
    A counter at the door also sees who only walks through, and a zone holds those being served: neither tells who
    waits. A desk that says "waited w" does, afterwards: who was called at k after w seconds joined at k - w, and as
    long as somebody waits each service that ends calls one party, so that the backlog it met is known exactly,
        V = services that ended in (k - w, k]    (its own call included);  V = 0 for who did not wait
    (first come, first served). Desks speak when a service begins (k is the time of the fact) or when it ends (k is
    the time the same desk spoke before): of the two, the one under which parties are called in the order they joined.
    V is estimated now by a linear model of what is seen now, in parties, learned from those exact labels:
        V = z - c + θ·[1, z, c, A, O, C, V*, z*]
    z: people in the zone, c: desks; since the last one known to be called joined: A in, O out, C services ended;
    V*, z*: the backlog and the zone when that one joined. z - z* + V* is a local ledger: what is lasting in the error
    of the zone cancels. Two such models: of all who came, where V = 0 is a censored label (learned only by a model
    that says more), for whether and how many wait; and of those who waited, for how long one waits who has to.
    sd: EW rms of the errors of the second, no less than what the zone's own sd says before 30 labels.

Assumptions: one line, nearly first come, first served. Failure modes: several lines before one zone; desks without
names that speak at the end (k is then off by a service). Memory: 720 looks at most; the older half is thinned when
full, so that waits of hours still find a look near their beginning.

Source: Little 1961 and the conservation of customers; RLS: `recursive`.
"""

import math
from bisect import bisect_right

import numpy as np
from msgspec import Struct, field
from numpy.typing import NDArray

from flowmon.estimators.recursive import RecursiveLeastSquares, RecursiveState
from flowmon.estimators.waits import Evidence

LOOKS, LOOK_S = 720, 5.0
CALLS = 600
LABELS_MIN, SURE_MIN = 2, 30
ERROR_RATE = 0.02
DESKS_MAX = 200
BREAK_S = 3_600.0  # a desk that was silent that long called nobody when it spoke last
FEATURES = 8
FORGETTING, HUBER, PRIOR, SCALE = 0.999, 2.0, 0.02, 2.0

Array = NDArray[np.float64]


class Look(Struct, frozen=True, array_like=True):
    """What was seen at `at`: people of the zone in parties, people in and out so far, and what was made of it.

    known: what was known then for who would join.
    """

    at: float
    zone: float
    entered: int
    left: int
    features: list[float]
    base: float
    known: Evidence | None = None


class StandingState(Struct):
    """looks: in order of time; calls: times desks spoke; last: desk -> time it spoke last; entered, left: people.

    known: (called, joined, backlog, zone) of the last one called; order: (called, joined) under both readings of a
    fact and EW share of pairs out of order; error: EW square of the errors over `labels`.
    """

    looks: list[Look] = field(default_factory=list)
    calls: list[float] = field(default_factory=list)
    last: dict[str, float] = field(default_factory=dict)
    entered: int = 0
    left: int = 0
    known: tuple[float, float, float, float] | None = None
    order: list[tuple[float, float, float]] = field(default_factory=lambda: [(0.0, 0.0, 0.5), (0.0, 0.0, 0.5)])
    error: float = SCALE**2
    labels: int = 0
    model: RecursiveState | None = None
    waited: RecursiveState | None = None


class Backlog(Struct, frozen=True):
    """Services to end before a joiner is called: expected (below 1: perhaps none), given that one waits, and sd."""

    services: float
    waited: float
    sd: float


class Standing:
    """The backlog of one line: services that have to end before whoever joins now is called.

    >>> line = Standing()
    >>> for n in range(200):
    ...     line.enter(1)
    ...     line.look(60.0 * n, 9.0, 0.5, 1.0)
    ...     _ = line.served("a", 60.0 * n + 30.0, 300.0)
    >>> round(line.estimate(12_000.0, 9.0, 0.5, 1.0).services)
    5
    """

    def __init__(self) -> None:
        self._now = StandingState()
        self._model = RecursiveLeastSquares(FEATURES, (FORGETTING,), (HUBER,), PRIOR)
        self._waited = RecursiveLeastSquares(FEATURES, (FORGETTING,), (HUBER,), PRIOR)

    @property
    def speaks(self) -> bool:
        """A desk has said how long one had waited."""
        return bool(self._now.calls)

    @property
    def ready(self) -> bool:
        """Enough exact backlogs of people who waited were learned to be asked."""
        return self._now.labels >= LABELS_MIN

    def enter(self, people: int) -> None:
        """People came to where the line stands."""
        self._now.entered += people

    def leave(self, people: int) -> None:
        """People went from where the line stands."""
        self._now.left += people

    def due(self, at: float) -> bool:
        """It is time to look again."""
        looks = self._now.looks
        return not looks or at >= looks[-1].at + LOOK_S

    def look(self, at: float, zone: float, sd: float, desks: float, known: Evidence | None = None) -> None:
        """Remember what is seen at `at`: `zone` ± `sd` people in parties, `desks` open, what is known for a joiner."""
        looks = self._now.looks
        if not (math.isfinite(at + zone + sd + desks) and self.due(at)):
            return
        features, base = self._features(at, zone, desks)
        looks.append(Look(at, zone, self._now.entered, self._now.left, features, base, known))
        if len(looks) > LOOKS:
            del looks[0 : LOOKS // 2 : 2]

    def served(self, desk: str, at: float, waited_s: float) -> float | None:
        """A desk spoke at `at` of one that had waited; when that one joined, None where it cannot be known."""
        now = self._now
        before = now.last.pop(desk, None) if desk else None
        if desk:
            now.last[desk] = at
            if len(now.last) > DESKS_MAX:
                del now.last[next(iter(now.last))]
        now.calls.append(at)
        del now.calls[:-CALLS]
        if waited_s <= 0.0:
            self._learn(at, at, 0.0)  # nobody waited then, whichever end of the service it is
            return None
        ended = before if before is not None and 0.0 <= at - before <= BREAK_S else None
        self._judge(at, ended, waited_s)
        called = ended if self.speaks_at_end else at
        if called is None:
            return None
        joined = called - waited_s
        backlog = bisect_right(now.calls, called) - bisect_right(now.calls, joined)
        if now.calls[0] <= joined or len(now.calls) < CALLS:
            self._learn(called, joined, float(max(1, backlog)))
        return joined

    @property
    def speaks_at_end(self) -> bool:
        """Desks speak when a service ends, as far as the order of the line can tell."""
        return self._now.order[1][2] < self._now.order[0][2]

    def estimate(self, at: float, zone: float, sd: float, desks: float) -> Backlog:
        """The backlog at `at` from what is seen, as in `look`; no more than the zone can hold."""
        features, base = self._features(at, zone, desks)
        most = max(0.0, zone) + 2.0 * sd + 1.0
        seen = np.array(features)
        value, waited = (min(most, base + float(m.estimate(seen)[0])) for m in (self._model, self._waited))
        own = math.sqrt(self._now.error)
        return Backlog(value, max(1.0, waited), own if self._now.labels >= SURE_MIN else max(own, sd))

    def forget(self) -> None:
        """Nobody is there any more."""
        now = self._now
        now.looks, now.calls, now.last, now.known = [], [], {}, None

    def since(self, at: float) -> float:
        """Seconds since the last one known to be called joined; 0 when there is none."""
        return max(0.0, at - self._now.known[1]) if self._now.known else 0.0

    def find(self, at: float) -> Look | None:
        """The last look at or before `at`."""
        place = bisect_right(self._now.looks, at, key=_time)
        return self._now.looks[place - 1] if place else None

    def _features(self, at: float, zone: float, desks: float) -> tuple[list[float], float]:
        now = self._now
        entered = left = ended = backlog = 0.0
        was = zone
        if now.known is not None and at - now.known[1] <= BREAK_S:
            called, joined, backlog, was = now.known
            look = self.find(joined)
            if look is not None:
                entered, left = float(now.entered - look.entered), float(now.left - look.left)
            ended = float(len(now.calls) - bisect_right(now.calls, called))
        return [1.0, zone, desks, entered, left, ended, backlog, was], zone - desks

    def _judge(self, at: float, ended: float | None, waited_s: float) -> None:
        """Which reading of the fact keeps the order of the line."""
        if ended is None:
            return
        for place, called in enumerate((at, ended)):
            before, joined, share = self._now.order[place]
            wrong = (called - before) * (called - waited_s - joined) < 0.0
            share += 0.05 * (float(wrong) - share)
            self._now.order[place] = (called, called - waited_s, share)

    def _learn(self, called: float, joined: float, backlog: float) -> None:
        now, look = self._now, self.find(joined)
        if look is not None:
            features, label = np.array(look.features), backlog - look.base
            if backlog > 0.0 or label < float(self._model.estimate(features)[0]):
                self._model.learn(features, label, SCALE)
            if backlog > 0.0:
                error = label - float(self._waited.estimate(features)[0])
                self._waited.learn(features, label, SCALE)
                now.labels += 1
                now.error += max(ERROR_RATE, 1.0 / (now.labels + 5)) * (error**2 - now.error)
        if now.known is None or called >= now.known[0]:
            now.known = (called, joined, backlog, look.zone if look is not None else 0.0)

    @property
    def state(self) -> StandingState:
        """A plain copy of everything remembered."""
        now = self._now
        return StandingState(
            list(now.looks), list(now.calls), dict(now.last), now.entered, now.left, now.known, list(now.order),
            now.error, now.labels, self._model.state, self._waited.state,
        )  # fmt: skip

    @state.setter
    def state(self, state: StandingState) -> None:
        self._now = state
        if state.model is not None and state.waited is not None:
            self._model.state, self._waited.state = state.model, state.waited
            state.model = state.waited = None


def _time(look: Look) -> float:
    return look.at
