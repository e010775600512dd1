"""The wait of whoever joins a line now, learned from how the physics of the line was wrong before.

Theory of operation
    Evidence at the time of joining: QL = (Q + 1)·gap, FL = the same with the servers the day's plan foresees,
    HOL = how long the head of the line has waited, LES = the wait of the last to enter service (never below HOL: who
    still waits is a censored observation W >= elapsed), R15 = mean wait of the last 15 minutes.
    Experts     QL and FL at their medians, (Q + 1 - ⅓·min(1, cv²))·gap;
                linear models on [1, q, gap, HOL, min(HOL, q), LES, R15] for q = QL and q = FL, RLS λ = .9995, once
                with plain squares (mean), once with Huber k = .3 (nearly the median);
                the median of W/FL among the 80 most alike of the last 1,000 (log FL, log HOL, log gap) times FL
    answer      weighted by how well each did lately (`experts`), never below zero
    quantiles   and the shortest 80 % band, conformal on log1p(W) in groups of queue length (`waitband`); until 60
                labels the physics: sd = gap·sqrt((Q + 1)·cv² + σ_Q²)
    Features beyond 3 × the largest of the last 500 waits are clipped for learning and their excess is added as it
    is: a coach party that nobody has seen the like of is a matter of physics.
    A label is learned when service starts, whatever was issued then is kept until then; who leaves unserved is
    right-censored and teaches nothing.
    Kinds of customers (a members' lane): EW mean of log((W + 10 s)/(FL + 10 s)) of each enters as a feature.

Trial: the model, QL, LES and R15 are scored on every label. When the model's sum of errors over the last seven days
with labels is more than 1 % above one of them, that one is told instead, by name, until the model is better again; QL
or LES at once, when the model is more than 5 % above it over some 150 labels.

Failure modes: a line whose length is systematically wrong is corrected by its labels, slowly (hundreds of them); a
band is undercovered for ~100 labels after a change of regime.

Source: Ibrahim & Whitt 2009, 2011 (delay estimators); Ang et al. 2016 (fluid and learned features together);
`recursive`, `experts`, `waitband` for theirs.
"""

import math
from collections import deque

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flowmon.estimators.experts import Experts, ExpertsState
from flowmon.estimators.recursive import RecursiveLeastSquares, RecursiveState
from flowmon.estimators.waitband import Spread, SpreadState, WaitBand

Array = NDArray[np.float64]

BASELINES = ("ql", "les", "roll15")
FORGETTING = (0.9995, 0.9995)
HUBER = (math.inf, 0.3)
MEMORY = 300  # labels an expert is judged by
ALIKE, KEPT = 80, 1_000
ALIKE_WEIGHTS = np.array([1.0, 0.7, 0.5, 1.0])
WAITS_KEPT = 500
LABELS_MIN = 60
TRIAL_DAYS = 7
TRIAL_LABELS = 20  # of a day
LOST = 1.01
LOST_LATELY, RECENT_RATE, RECENT_MIN = 1.05, 1.0 / 150.0, 200
Z80 = 1.2816
Z80_SIDE = 0.8416 / 1.2816  # how far the one-sided 80 % point is on the way from the median to the 90 % point
QUEUE_BINS = (0.5, 1.5, 2.5, 4.5, 7.5, 12.5, 20.5)
WAIT_MAX = 1e6
KINDS_MAX = 64


class Evidence(Struct, frozen=True, array_like=True):
    """What is known when somebody joins, seconds: gap between services, ql, fluid, hol; les and roll15 or None.

    queue: customers ahead; queue_sd: its error; cv2: of services; kind: of the customer.
    """

    queue: float
    queue_sd: float
    gap: float
    cv2: float
    ql: float
    fluid: float
    hol: float
    les: float | None
    roll15: float | None
    kind: str = ""


class Wait(Struct, frozen=True, array_like=True):
    """Seconds: median, 10 %, 80 % and 90 % points, how they were found, and the shortest 80 % band."""

    p50: float
    p10: float
    p80: float
    p90: float
    method: str
    lo: float
    hi: float


class Expected(Struct, frozen=True, array_like=True):
    """A wait that was told, with what is needed to learn from it."""

    evidence: Evidence
    experts: list[float | None]
    band: Spread | None
    model: float


class WaitsState(Struct, frozen=True):
    """alike: (KEPT, 5) little-endian float32 of features and log ratios; days: (day, labels, |error| of all four)."""

    version: int
    plain: RecursiveState
    planned: RecursiveState
    experts: ExpertsState
    band: SpreadState
    alike: bytes
    place: int
    labels: int
    waits: list[float]
    days: list[tuple[int, int, float, float, float, float]]
    kinds: dict[str, tuple[float, int]]
    recent: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)


class WaitModel:
    """Learns the waits of one line.

    >>> model = WaitModel()
    >>> for n in range(400):
    ...     known = Evidence(n % 7, 0.0, 30.0, 0.6, 30.0 * (n % 7 + 1), 30.0 * (n % 7 + 1), 0.0, None, None)
    ...     model.learn(model.expect(known), wait_s=20.0 * (n % 7 + 1), at=60.0 * n)
    >>> told = model.tell(model.expect(Evidence(3, 0.0, 30.0, 0.6, 120.0, 120.0, 0.0, None, None)))
    >>> round(told.p50), told.method
    (80, 'model')
    """

    def __init__(self) -> None:
        self._plain = RecursiveLeastSquares(9, FORGETTING, HUBER)
        self._planned = RecursiveLeastSquares(9, FORGETTING, HUBER)
        self._experts = Experts(7, MEMORY)
        self._band = WaitBand(len(QUEUE_BINS) + 1)
        self._alike = np.zeros((KEPT, 5), dtype=np.float32)
        self._place = 0
        self.labels = 0
        self._waits: deque[float] = deque(maxlen=WAITS_KEPT)
        self._cap = 600.0
        self._days: deque[tuple[int, int, float, float, float, float]] = deque(maxlen=TRIAL_DAYS + 1)
        self._kinds: dict[str, tuple[float, int]] = {}
        self._recent = (0.0, 0.0, 0.0, 0.0)

    def expect(self, known: Evidence) -> Expected:
        """What the experts say of someone who joins now, to be told (`tell`) and kept until the label (`learn`)."""
        experts = self._ask(known)
        model = max(0.0, self._experts.estimate(experts))
        band = self._band.issue(model, _bin(known.queue))
        return Expected(known, [v if math.isfinite(v) else None for v in experts.tolist()], band, model)

    def tell(self, expected: Expected) -> Wait:
        """The wait to publish: the model's, or a baseline's while the model is switched off."""
        method = self.method
        known = expected.evidence
        baseline = _baselines(known).get(method)
        value = expected.model if baseline is None else baseline
        name = "model" if baseline is None else method
        spread = expected.band
        if spread is None:
            sd = known.gap * math.sqrt((known.queue + 1.0) * known.cv2 + known.queue_sd**2)
            lo, side, hi = max(0.0, value - Z80 * sd), value + Z80_SIDE * Z80 * sd, value + Z80 * sd
            return Wait(value, lo, side, hi, name, lo, hi)
        moved = 1.0 if baseline is None else (1.0 + value) / (1.0 + spread.value)  # the spread was the model's
        p10, p80, p90, lo, hi = (
            max(0.0, (1.0 + edge) * moved - 1.0) for edge in (spread.p10, spread.p80, spread.p90, spread.lo, spread.hi)
        )
        return Wait(value, min(p10, value), p80, max(p90, value), name, lo, hi)

    @property
    def method(self) -> str:
        """`model`, or the baseline that beat it lately or for seven days (`ql` before there are labels)."""
        if self.labels < LABELS_MIN:
            return "ql"
        lately = 1 if self._recent[1] <= self._recent[2] else 2
        if self.labels >= RECENT_MIN and self._recent[0] > LOST_LATELY * self._recent[lately] + 1e-6:
            return BASELINES[lately - 1]
        full = [day for day in self._days if day[1] >= TRIAL_LABELS][-TRIAL_DAYS:]
        if len(full) < TRIAL_DAYS:
            return "model"
        sums = [sum(day[column] for day in full) for column in range(2, 6)]
        best = min(range(1, 4), key=lambda column: sums[column])
        return BASELINES[best - 1] if sums[0] > LOST * sums[best] + 1e-6 else "model"

    def learn(self, expected: Expected, wait_s: float, at: float) -> None:
        """Who was told `expected` entered service at `at` after `wait_s` seconds. What is no wait is refused."""
        if not (math.isfinite(wait_s) and math.isfinite(at) and 0.0 <= wait_s <= WAIT_MAX):
            return
        known = expected.evidence
        told = np.array([math.nan if value is None else value for value in expected.experts])
        self._experts.learn(told, wait_s)
        self._band.learn(expected.band, wait_s, expected.model, _bin(known.queue))
        scale = max(15.0, known.gap * math.sqrt((known.queue + 1.0) * known.cv2))
        for model, q in ((self._plain, known.ql), (self._planned, known.fluid)):
            features, beyond = self._features(known, q)
            model.learn(features, wait_s - beyond, scale)
        row = self._place % KEPT
        self._alike[row, :4] = self._likeness(known)
        self._alike[row, 4] = math.log((wait_s + 1.0) / (known.fluid + 1.0))
        self._place = (self._place + 1) % (100 * KEPT) if self._place + 1 < 100 * KEPT else KEPT
        self._waits.append(wait_s)
        self._cap = max(600.0, 3.0 * max(self._waits))
        self.labels += 1
        self._judge(expected, wait_s, at)
        self._learn_kind(known, wait_s)

    def _ask(self, known: Evidence) -> Array:
        """Every expert's answer, NaN where it has none."""
        median = (known.queue + 1.0 - min(1.0, known.cv2) / 3.0) / (known.queue + 1.0)
        told = np.full(7, math.nan)
        told[0], told[1] = known.ql * median, known.fluid * median
        if self.labels >= LABELS_MIN:
            for place, model, q in ((2, self._plain, known.ql), (4, self._planned, known.fluid)):
                features, beyond = self._features(known, q)
                told[place : place + 2] = np.maximum(model.estimate(features) + beyond, 0.0)
            told[6] = self._like(known)
        return told

    def _features(self, known: Evidence, q: float) -> tuple[Array, float]:
        """The regressors (9,), and the seconds by which the physics goes beyond anything seen lately."""
        cap = self._cap
        clipped = min(q, cap)
        les = clipped if known.les is None else min(max(known.les, known.hol), cap)
        roll = les if known.roll15 is None else min(known.roll15, cap)
        kind = self._kind(known.kind)
        hol = min(known.hol, cap)
        values = [60.0, clipped, min(known.gap, cap), hol, min(hol, clipped), les, roll, 60.0 * kind, clipped * kind]
        return np.array(values), q - clipped

    def _likeness(self, known: Evidence) -> Array:
        plain = [math.log1p(known.fluid), math.log1p(known.hol), math.log(known.gap + 1e-3), self._kind(known.kind)]
        likeness: Array = ALIKE_WEIGHTS * np.array(plain)
        return likeness

    def _like(self, known: Evidence) -> float:
        """The median ratio among the most alike of the last labels, times the physics."""
        count = min(self._place, KEPT)
        rows = self._alike[:count]
        off = rows[:, :4] - self._likeness(known).astype(np.float32)
        distance = np.einsum("ij,ij->i", off, off)
        wanted = min(ALIKE, count // 4) - 1
        near = np.sort(rows[distance <= np.partition(distance, wanted)[wanted], 4])
        ratio = 0.5 * (float(near[(len(near) - 1) // 2]) + float(near[len(near) // 2]))
        return math.exp(ratio) * (known.fluid + 1.0) - 1.0

    def _judge(self, expected: Expected, wait_s: float, at: float) -> None:
        """One more label of the day's trial."""
        told = _baselines(expected.evidence)
        errors = [abs(expected.model - wait_s), *(abs(told[name] - wait_s) for name in BASELINES)]
        rate = max(RECENT_RATE, 1.0 / self.labels)
        one, two, three, four = (was + rate * (error - was) for was, error in zip(self._recent, errors, strict=True))
        self._recent = one, two, three, four
        day = int(at // 86_400.0)
        if not self._days or self._days[-1][0] < day:
            self._days.append((day, 0, 0.0, 0.0, 0.0, 0.0))
        number, count, *sums = self._days[-1]
        one, two, three, four = (total + error for total, error in zip(sums, errors, strict=True))
        self._days[-1] = (number, count + 1, one, two, three, four)

    def _kind(self, kind: str) -> float:
        """Log ratio of the kind's waits to the physics, shrunk while few were seen."""
        ratio, count = self._kinds.get(kind, (0.0, 0))
        return ratio * count / (count + 20.0)

    def _learn_kind(self, known: Evidence, wait_s: float) -> None:
        if not known.kind or (known.kind not in self._kinds and len(self._kinds) >= KINDS_MAX):
            return
        ratio, count = self._kinds.get(known.kind, (0.0, 0))
        off = min(2.0, max(-2.0, math.log((wait_s + 10.0) / (known.fluid + 10.0))))
        self._kinds[known.kind] = (ratio + max(0.01, 1.0 / (count + 1)) * (off - ratio), min(count + 1, 100_000))

    @property
    def state(self) -> WaitsState:
        """A plain copy of everything remembered."""
        return WaitsState(
            version=1,
            plain=self._plain.state,
            planned=self._planned.state,
            experts=self._experts.state,
            band=self._band.state,
            alike=self._alike[: min(self._place, KEPT)].astype("<f4").tobytes(),
            place=self._place,
            labels=self.labels,
            waits=list(self._waits),
            days=list(self._days),
            kinds=dict(self._kinds),
            recent=self._recent,
        )

    @state.setter
    def state(self, state: WaitsState) -> None:
        self._plain.state, self._planned.state = state.plain, state.planned
        self._experts.state, self._band.state = state.experts, state.band
        rows = np.frombuffer(state.alike, dtype="<f4").reshape(-1, 5)
        if len(rows) != min(state.place, KEPT):
            raise ValueError("the state of alike waits is of another length: start anew")
        self._alike[: len(rows)] = rows
        self._place, self.labels = state.place, state.labels
        self._waits = deque(state.waits, maxlen=WAITS_KEPT)
        self._cap = max(600.0, 3.0 * max(self._waits, default=0.0))
        self._days = deque(state.days, maxlen=TRIAL_DAYS + 1)
        self._kinds = dict(state.kinds)
        self._recent = state.recent


def _baselines(known: Evidence) -> dict[str, float]:
    """What the baselines say; a baseline without history says what the length says."""
    les = known.ql if known.les is None else known.les
    return {"ql": known.ql, "les": les, "roll15": les if known.roll15 is None else known.roll15}


def _bin(queue: float) -> int:
    return sum(queue > edge for edge in QUEUE_BINS)
