"""One first-come-first-served line: who stands in it, what was experienced, and what to expect.

Theory of operation
    Ledger   joins minus services minus who left unserved, in order of arrival. Where the desk says how long the one
             it served had waited, the ledger mends itself: served at t after w means joined near t - w - lag (lag: EW
             mean of what lies between, service time or the walk from the door). Whoever joined clearly before that
             is gone (a service or a leaver was missed); if the head joined clearly after, it is not the one served
             (a join was missed). Nor can more people wait than are there (`bound`).
    In service   desks that speak at the end of a service leave those being served in the ledger: lag/gap of them, by
             Little's law. They are no longer waiting.
    Parties  people served together are one service: Q is people ÷ EW mean of people per service.
    LES      wait of the last to enter service;  HOL: of the head so far;  R15: mean over 15 minutes
    QL       (Q + 1)·gap (`servers`); the wait to tell is learned from all of these (`waits`)
    An empty line with nobody left in the ledger means no wait: 0 is said.
    Where desks say waits and the people around the line are known (`look`), `standing` and `project` take the length
    from `estimators.standing` instead of the ledger; a wait then teaches with what was known when its customer joined.

Assumptions: one line, nearly first come, first served. Failure modes: joins that are missed make the line look shorter
than it is until labels have taught the model otherwise; a line without desks that speak is known by its ends only, and
its wait then includes the service.

Source: Ibrahim & Whitt 2009 (LES, HOL, QL); Little 1961; ACRIS queue measurement (experienced, projected).

The module is long because every kind of event of a line has its method over one ledger.
"""

import itertools
import math
from collections.abc import Sequence

from msgspec import Struct, field

from flowmon.estimators.servers import Servers, ServersState
from flowmon.estimators.standing import Backlog, Standing, StandingState
from flowmon.estimators.waits import Z80, Z80_SIDE, Evidence, Expected, Wait, WaitModel, WaitsState

MAX_WAITING = 5_000
MAX_REMEMBERED = 500
MAX_EXPECTED = 200  # who waits with an expectation to learn from; the line may be longer
ROLL_S = 900.0
BATCH_RATE = 0.05
LAG_RATE = 0.05
LAG_MIN_S = 5.0  # clocks and steps
IDLE = 0.5  # services: below that one is called at once
LEDGER_MISS = 0.05  # share of the people who passed that the ledger may be wrong about
PASSED_MEMORY = 200.0  # people

Waiter = tuple[float, int, str, Expected | None]


class LineState(Struct):
    """waiters: (joined, people, key, expected) in order; waits: (at, seconds) of those served.

    batch: people per service; lag, lag_off: seconds between the end of the wait and the word of the desk, mean and mean
    deviation, over `lags`; busy_since: since when somebody waits; passed: people since the ledger was sure, decaying.
    """

    waiters: list[Waiter] = field(default_factory=list)
    waits: list[tuple[float, float]] = field(default_factory=list)
    batch: float = 1.0
    batches: int = 0
    lag: float = 0.0
    lag_off: float = 0.0
    lags: int = 0
    busy_since: float | None = None
    passed: float = 0.0
    servers: ServersState = field(default_factory=ServersState)
    learned: WaitsState | None = None
    standing: StandingState = field(default_factory=StandingState)


class Line:
    """One waiting line. Events come in the order of time.

    >>> line = Line()
    >>> for second in range(0, 100, 10): line.join(1, at=float(second))
    >>> for second in range(30, 150, 20): line.serve(1, at=float(second))
    >>> line.last_to_enter_service(), line.waiting
    (80.0, 4)
    >>> line.estimate(at=130.0).p50   # (4 + 1 - 0.2) services of 20 s
    100.0
    """

    def __init__(self, desks: int | None = None) -> None:
        self._now = LineState()
        self._servers = Servers(self._now.servers)
        self._model = WaitModel()
        self._standing = Standing()
        self._waiting = 0
        self._expecting = 0
        self._asked: tuple[tuple[Evidence, int], Wait] | None = None
        if desks is not None:
            self._servers.open(desks)

    @property
    def waiting(self) -> int:
        """People who joined and were not served yet, by the line's own book-keeping."""
        return self._waiting

    @property
    def desks(self) -> int | None:
        """Open desks as told; None when nobody tells."""
        return self._servers.state.told

    @property
    def resynchronised(self) -> bool:
        """The desks say how long those they serve had waited: the ledger mends itself."""
        return self._now.lags > 0

    def join(self, people: int, at: float, key: str = "", kind: str = "") -> None:
        """`people` joined together at `at`. key: to find them again; kind: of customer, see `waits`."""
        if people <= 0 or not math.isfinite(at):
            return
        self._standing.enter(people)
        expected = None
        if self._expecting < MAX_EXPECTED and not self._standing.ready:
            known = self.evidence(at, kind=kind)
            expected = None if known is None else self._model.expect(known)
        state = self._now
        if not state.waiters and not self._standing.ready:
            state.busy_since = at
        state.waiters.append((at, people, key, expected))
        self._expecting += expected is not None
        self._waiting += people
        state.passed = min(state.passed + people, PASSED_MEMORY)
        while len(state.waiters) > MAX_WAITING:
            self._drop(0)

    def serve(self, people: int, at: float, waited_s: float | None = None, *, key: str = "", desk: str = "") -> None:
        """`people` entered service at `at`.

        waited_s: where the desk knows it better than the order of arrival; key: who it was; desk: its name.
        """
        if people <= 0 or not math.isfinite(at):
            return
        if waited_s is not None and not (math.isfinite(waited_s) and waited_s >= 0.0):
            waited_s = None
        state = self._now
        joined, expected = self._take_key(key) if key else self._take_head(people, at, waited_s)
        if waited_s is not None and not key:
            came = self._standing.served(desk, at, waited_s)
            seen = None if came is None else self._standing.find(came)
            if seen is not None:  # what was known when it joined, whoever the ledger takes it for
                expected = None if seen.known is None else self._model.expect(seen.known)
        wait = waited_s if waited_s is not None else None if joined is None else max(0.0, at - joined)
        state.batches = min(state.batches + 1, 1_000_000)
        state.batch += max(BATCH_RATE, 1.0 / (state.batches + 1)) * (people - state.batch)
        waited = wait is not None and wait > 0.0
        self._servers.start(desk, at, waited=waited, batch=people / state.batch)
        if waited and wait is not None:
            state.waits.append((at, wait))
            del state.waits[:-MAX_REMEMBERED]
            if expected is not None:
                self._model.learn(expected, wait, at)
        if not state.waiters and not self._standing.ready:
            state.busy_since = None
        self._servers.observe(at, state.busy_since)

    def abandon(self, key: str) -> None:
        """Who joined as `key` left unserved: its wait is right-censored and teaches nothing."""
        self._take_key(key)
        if not self._now.waiters:
            self._now.busy_since = None

    def finish(self, desk: str, at: float) -> None:
        """A service at `desk` ended."""
        self._servers.finish(desk, at)

    def open_desks(self, desks: int) -> None:
        """From now on `desks` desks serve the line; the time between services scales with them."""
        self._servers.open(desks)

    def bound(self, people: float, sd: float) -> None:
        """There are `people` ± `sd` where the line stands: whoever the ledger has beyond + 2 sd + 1 is gone."""
        if math.isfinite(people) and math.isfinite(sd) and not self.resynchronised:
            most = max(0.0, people) + 2.0 * max(sd, 0.0) + 1.0
            while self._now.waiters and self._waiting > most:
                self._drop(0)

    def leave(self, people: int) -> None:
        """`people` went from where the line stands, served or not."""
        self._standing.leave(people)

    def look(self, at: float, people: float, sd: float) -> None:
        """There are `people` ± `sd` where the line stands: those who wait, are served or only walk through.

        To be called after the events up to `at`, where desks say how long those they serve had waited.
        """
        if not (self._standing.speaks and math.isfinite(people + sd) and self._standing.due(at)):
            return
        backlog = self._backlog(at, people, sd)
        if self._standing.ready:
            self._now.busy_since = None if backlog.services < IDLE else self._now.busy_since or at
        self._standing.look(at, *self._parties(at, people, sd), self._behind(backlog, at))

    def standing(self, at: float, people: float, sd: float) -> tuple[float, float] | None:
        """People who wait among `people` ± `sd`, and sd; None where desks did not tell enough of waits to know."""
        if not self._standing.ready:
            return None
        backlog = self._backlog(at, people, sd)
        return max(0.0, backlog.services - 1.0) * self._now.batch, backlog.sd * self._now.batch

    def project(self, at: float, people: float, sd: float) -> Wait | None:
        """The wait in seconds for whoever joins at `at` where `people` ± `sd` stand, walk and are served.

        None while nothing is known of the desks. Only where `standing` knows the line.
        """
        backlog = self._backlog(at, people, sd)
        known = self._behind(backlog, at)
        if known is None:
            return None
        if backlog.services < IDLE:
            late = known.gap * max(1.0, backlog.services + Z80 * backlog.sd)
            return Wait(0.0, 0.0, 0.0, late, "empty", 0.0, late)
        told = self._told(_rounded(known))
        most = 2.0 * known.gap * (known.queue + 2.0 * backlog.sd + 1.0)
        # Errors of the length last for minutes, labels come later still: learned points keep what the physics knows.
        side = Z80 * known.gap * math.sqrt((known.queue + 1.0) * known.cv2 + backlog.sd**2)
        p80, p90 = max(told.p80, told.p50 + Z80_SIDE * side), max(told.p90, told.p50 + side)
        p50, p10, p80, p90, lo, hi = (min(v, most) for v in (told.p50, told.p10, p80, p90, told.lo, told.hi))
        return Wait(p50, p10, p80, p90, told.method, lo, hi)

    def _behind(self, backlog: Backlog, at: float) -> Evidence | None:
        queue = backlog.waited - 1.0
        return self._known(at, queue, backlog.sd, self._standing.since(at) if queue > 0.0 else 0.0, "")

    def _parties(self, at: float, people: float, sd: float) -> tuple[float, float, float]:
        """People in units of a service, their sd, and the desks (1 when nobody knows)."""
        batch = max(self._now.batch, 0.1)
        return people / batch, sd / batch, self._servers.count(at, self._now.busy_since) or 1.0

    def _backlog(self, at: float, people: float, sd: float) -> Backlog:
        return self._standing.estimate(at, *self._parties(at, people, sd))

    def forget(self) -> None:
        """The line is known to be empty (closing)."""
        self._standing.forget()
        self._now.waiters.clear()
        self._waiting = self._expecting = 0
        self._now.busy_since = None
        self._now.passed = 0.0

    def last_to_enter_service(self) -> float | None:
        """LES: seconds the last one served had waited; None before anybody was."""
        return self._now.waits[-1][1] if self._now.waits else None

    def experienced(self, since: float) -> float | None:
        """Mean wait in seconds of those who entered service at or after `since`; None when nobody did."""
        recent = [wait for _, wait in itertools.takewhile(lambda w: w[0] >= since, reversed(self._now.waits))]
        return sum(recent) / len(recent) if recent else None

    def service_gap_s(self, at: float) -> float | None:
        """Mean seconds between people served while somebody waits; None until enough were seen."""
        gap = self._gap(at)
        return None if gap is None else gap / max(self._now.batch, 0.1)

    def length(self, other: float | None = None, other_sd: float = 0.0) -> tuple[float, float]:
        """People in line and its sd: the ledger, weighed with an `other` estimate by their variances.

        A ledger that mends itself can only be wrong about those who wait now, any other about everyone who passed.
        """
        own = float(self._waiting)
        unsure = LEDGER_MISS * (own if self.resynchronised else self._now.passed)
        own_var = 0.25 + (LEDGER_MISS * own if self.resynchronised else 0.0) + unsure**2
        if other is None:
            return own, math.sqrt(own_var)
        var = max(other_sd, 0.3) ** 2
        share = own_var / (own_var + var)
        return own + share * (other - own), math.sqrt(own_var * var / (own_var + var))

    def evidence(
        self, at: float, length: float | None = None, length_sd: float = 0.0, kind: str = ""
    ) -> Evidence | None:
        """What is known for someone who joins at `at` behind `length` people (the ledger's when None)."""
        state = self._now
        gap = self._gap(at)
        if gap is None:
            return None
        people = float(self._waiting) if length is None else max(0.0, length)
        queue = people / max(state.batch, 0.1) - self._in_service(people, gap)
        queue = max(0.0, queue)
        head = state.waiters[0][0] if state.waiters else at
        hol = max(0.0, at - head - max(0.0, state.lag)) if queue > 0.0 else 0.0
        return self._known(at, queue, length_sd / max(state.batch, 0.1), hol, kind)

    def _known(self, at: float, queue: float, queue_sd: float, hol: float, kind: str) -> Evidence | None:
        """What is known behind `queue` customers, the first of whom has waited `hol` seconds."""
        gap = self._gap(at)
        if gap is None:
            return None
        return Evidence(
            queue=queue,
            queue_sd=queue_sd,
            gap=gap,
            cv2=self._servers.cv2,
            ql=(queue + 1.0) * gap,
            fluid=self._servers.fluid(at, queue + 1.0, gap),
            hol=hol,
            les=self.last_to_enter_service(),
            roll15=self.experienced(at - ROLL_S),
            kind=kind,
        )

    def estimate(
        self, at: float, length: float | None = None, length_sd: float = 0.0, *, queued: bool = False, kind: str = ""
    ) -> Wait | None:
        """The wait in seconds for whoever joins at `at`. None while nothing is known of the desks.

        queued: it is known that one has to wait; else an empty line means 0.
        """
        people = float(self._waiting) if length is None else length
        if people < 0.5 and not queued:
            return Wait(0.0, 0.0, 0.0, 0.0, "empty", 0.0, 0.0)
        known = self.evidence(at, length, length_sd, kind)
        if known is None:
            return None
        known = _rounded(known)
        if known.queue <= 0.0 and self._in_service(people, known.gap) > 0.0 and self._idle(people) and not queued:
            return Wait(
                0.0, 0.0, 0.0, known.gap, "empty", 0.0, known.gap
            )  # everybody there is being served, and a desk is free
        return self._told(known)

    def _told(self, known: Evidence) -> Wait:
        asked = (known, self._model.labels)
        if self._asked is None or self._asked[0] != asked:  # most ticks bring nothing new
            self._asked = asked, self._model.tell(self._model.expect(known))
        return self._asked[1]

    def _gap(self, at: float) -> float | None:
        """Seconds between services of a busy line; where nobody ever waited, from how long services lasted."""
        state = self._now
        gap = self._servers.gap_s(at, state.busy_since)
        if gap is None and self.desks and state.lags >= 5 and state.lag >= LAG_MIN_S:
            gap = state.lag / self.desks
        return gap if gap is not None and gap > 0.0 else None

    def _idle(self, people: float) -> bool:
        return self.desks is not None and people / max(self._now.batch, 0.1) < self.desks - 0.5

    def _in_service(self, people: float, gap: float) -> float:
        """Services under way among `people` in the ledger; 0 where desks speak when a service begins."""
        state = self._now
        if state.lags < 5 or state.lag < LAG_MIN_S:
            return 0.0
        busy = state.lag / gap if self.desks is None else min(state.lag / gap, float(self.desks))
        return min(busy, people / max(state.batch, 0.1))

    def _take_key(self, key: str) -> tuple[float | None, Expected | None]:
        """Take out who joined as `key`."""
        for place, waiter in enumerate(self._now.waiters):
            if waiter[2] == key:
                self._drop(place)
                return waiter[0], waiter[3]
        return None, None

    def _take_head(self, people: int, at: float, waited_s: float | None) -> tuple[float | None, Expected | None]:
        """Take `people` from the head of the line, mending the ledger where the desk knows the wait."""
        state = self._now
        if waited_s is not None:
            room = 4.0 * state.lag_off + LAG_MIN_S if state.lags >= 5 else math.inf
            while state.waiters and at - waited_s - state.waiters[0][0] > state.lag + room:
                self._drop(0)  # gone long ago, unnoticed
            head = state.waiters[0][0] if state.waiters else at
            lag = at - waited_s - head
            if not state.waiters or lag < -LAG_MIN_S:
                return None, None  # the one served was never seen to join
            state.lags = min(state.lags + 1, 1_000_000)
            rate = max(LAG_RATE, 1.0 / state.lags)
            state.lag_off += rate * (abs(lag - state.lag) - state.lag_off)
            state.lag += rate * (max(lag, 0.0) - state.lag)
        joined, expected = None, None
        while people > 0 and state.waiters:
            at_joined, group, key, kept = state.waiters[0]
            if joined is None:
                joined, expected = at_joined, kept
            if group <= people:
                self._drop(0)
            else:  # the rest of the group goes on waiting, and teaches nothing twice
                state.waiters[0] = (at_joined, group - people, key, None)
                self._waiting -= people
                self._expecting -= kept is not None
            people -= group
        return joined, expected

    def _drop(self, place: int) -> None:
        _, people, _, expected = self._now.waiters.pop(place)
        self._waiting -= people
        self._expecting -= expected is not None
        if not self._now.waiters:
            self._now.passed = 0.0 if self.resynchronised else self._now.passed

    @property
    def state(self) -> LineState:
        """A plain copy of everything remembered."""
        now = self._now
        known = self._servers.state
        return LineState(
            waiters=list(now.waiters),
            waits=list(now.waits),
            batch=now.batch,
            batches=now.batches,
            lag=now.lag,
            lag_off=now.lag_off,
            lags=now.lags,
            busy_since=now.busy_since,
            passed=now.passed,
            servers=ServersState(
                dict(known.servers), known.told, known.services, known.mean, known.square,
                known.gap, known.gaps, known.last, list(known.plan), known.slot,
            ),
            learned=self._model.state,
            standing=self._standing.state,
        )  # fmt: skip

    @state.setter
    def state(self, state: LineState) -> None:
        self._now = state
        self._servers = Servers(state.servers)
        self._standing.state = state.standing
        if state.learned is not None:
            self._model.state = state.learned
            state.learned = None
        self._waiting = sum(waiter[1] for waiter in state.waiters)
        self._expecting = sum(waiter[3] is not None for waiter in state.waiters)


def _rounded(known: Evidence) -> Evidence:
    """To what a reader could tell apart, so that an answer holds for some ticks: three digits, 10 s of standing."""
    return Evidence(
        queue=round(known.queue, 1),
        queue_sd=round(known.queue_sd, 1),
        gap=_digits(known.gap),
        cv2=round(known.cv2, 2),
        ql=_digits(known.ql),
        fluid=_digits(known.fluid),
        hol=10.0 * round(known.hol / 10.0),
        les=known.les,
        roll15=None if known.roll15 is None else _digits(known.roll15),
        kind=known.kind,
    )


def _digits(value: float) -> float:
    """Three significant digits."""
    return float(f"{value:.3g}")


def quantile(values: Sequence[float], share: float) -> float:
    """The `share` quantile (0..1) by nearest rank; ValueError when there are no values.

    >>> quantile([3.0, 1.0, 2.0], 0.5)
    2.0
    """
    if not values:
        raise ValueError("a quantile of nothing")
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]
