"""Waits where only a sign and a few actual waits are known: correct the sign by what those who waited say.

Theory of operation
    ratio     actual ÷ posted (the sign when they joined), EW by half hour of the day (rate .05) and over all (.02),
              the slot's shrunk to the whole by 10 observations;   posted_ratio = posted · ratio
    today     R_τ = (Σ w·actual ÷ base + 1) ÷ (Σ w + 1) over the last 16 actual waits, w = exp(-age/τ), τ = 45 min and
              4 h; base is what posted_ratio said to them: how far off the sign is just now and today
    model     linear models on posted, base = posted·ratio, base·(R_τ - 1), the last actual and the last actual ÷ its
              sign · posted, fading as exp(-age/45 min); RLS λ = .998 with and without Huber's k = .5; blended with
              base, base·R_4h and the last actual by how well each did lately
    A sign older than 20 min is none. Without a sign the usual actual wait of the half hour stands for it.
    An actual wait is known when it is over: the caller tells it at join + wait.

Assumptions: the sign is biased but moves with the wait. Failure mode: a sign that is stuck; the last actual then has
all the weight once it did better for some dozens of labels.

Source: third-party recalibration of theme-park signs (ratio by quarter of an hour); `recursive`, `experts` and
`conformal` for theirs.
"""

import math
from collections import deque

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flowmon.estimators.conformal import AdaptiveBand, BandState, Issued
from flowmon.estimators.experts import Experts, ExpertsState
from flowmon.estimators.recursive import RecursiveLeastSquares, RecursiveState

Array = NDArray[np.float64]

SLOT_S, SLOTS = 1_800.0, 48
SIGN_LASTS_S = 1_200.0
RECENT_S = 5_400.0
FADE_S, TODAY_S = 2_700.0, 14_400.0
RECENT = 16
SHRINK = 10.0
LABELS_MIN = 30
CAP_S = 6 * 3_600.0
WIDTH = 10


class Posted(Struct, frozen=True, array_like=True):
    """What was told of a wait, seconds: the model's value, its band, and what each method said (None: nothing)."""

    at: float
    slot: int
    posted: float | None
    ratio: float | None
    last: float | None
    last_age_s: float | None
    experts: list[float | None]
    features: list[float]
    value: float | None
    band: Issued | None


class PostedState(Struct, frozen=True):
    """ratios, usual: (mean, observations) by half hour and, last, of the whole; last: (joined, wait, wait ÷ sign).

    recent: (joined, wait ÷ base) of the last actual waits.
    """

    version: int
    models: RecursiveState
    experts: ExpertsState
    band: BandState
    ratios: list[tuple[float, int]]
    usual: list[tuple[float, int]]
    sign: tuple[float, float] | None
    last: tuple[float, float, float] | None
    recent: list[tuple[float, float]]


class PostedModel:
    """The wait behind one sign.

    >>> model = PostedModel()
    >>> for n in range(300):
    ...     model.post(1200.0 + 300.0 * (n % 5), at=1800.0 * n)
    ...     model.learn(model.expect(1800.0 * n), 600.0 + 150.0 * (n % 5), at=1800.0 * n)
    >>> model.post(1800.0, at=1800.0 * 300)
    >>> told = model.expect(1800.0 * 300)
    >>> round(told.value / 30.0)   # half of what the sign says
    30
    """

    def __init__(self) -> None:
        self._models = RecursiveLeastSquares(WIDTH, (0.998, 0.998), (math.inf, 0.5))
        self._experts = Experts(5, 200)
        self._band = AdaptiveBand(SLOTS, 4, coverage=0.8, kind="log")
        self._ratios: list[tuple[float, int]] = [(1.0, 0)] * (SLOTS + 1)
        self._usual: list[tuple[float, int]] = [(0.0, 0)] * (SLOTS + 1)
        self._sign: tuple[float, float] | None = None
        self._last: tuple[float, float, float] | None = None  # joined, wait, wait ÷ sign
        self._recent: deque[tuple[float, float]] = deque(maxlen=RECENT)

    def post(self, seconds: float, at: float) -> None:
        """The sign says `seconds` from `at` on."""
        if math.isfinite(seconds) and math.isfinite(at) and 0.0 <= seconds <= CAP_S:
            self._sign = (at, seconds)

    def expect(self, at: float, offset_s: float = 0.0) -> Posted:
        """The wait for whoever joins at `at`; offset_s: local time - UTC, for the time of day."""
        slot = int((at + offset_s) % 86_400.0 // SLOT_S)
        posted = self._sign[1] if self._sign is not None and 0.0 <= at - self._sign[0] <= SIGN_LASTS_S else None
        usual = _shrunk(self._usual, slot) if self._usual[SLOTS][1] else None
        ratio = None if posted is None else posted * _shrunk(self._ratios, slot)
        base = ratio if ratio is not None else usual
        last, age = (None, None) if self._last is None else (self._last[1], max(0.0, at - self._last[0]))
        features = self._features(posted, base, at)
        experts = [math.nan] * 5
        if base is not None:
            experts[0], experts[4] = base, base * self._off(at, TODAY_S)
            if self._models.labels >= LABELS_MIN:
                experts[1:3] = np.maximum(self._models.estimate(np.array(features)) * 60.0, 0.0).tolist()
        if last is not None and age is not None and age <= RECENT_S:
            experts[3] = last
        value = self._experts.estimate(np.array(experts))
        return Posted(
            at=at,
            slot=slot,
            posted=posted,
            ratio=ratio,
            last=last,
            last_age_s=age,
            experts=[expert if math.isfinite(expert) else None for expert in experts],
            features=features,
            value=value if math.isfinite(value) else None,
            band=self._band.issue(value, slot) if math.isfinite(value) else None,
        )

    def learn(self, told: Posted, wait_s: float, at: float) -> None:
        """Whoever was told `told` had waited `wait_s` seconds, as is known at `at`."""
        if not (math.isfinite(wait_s) and math.isfinite(at) and 0.0 <= wait_s <= CAP_S):
            return
        self._experts.learn(np.array([math.nan if e is None else e for e in told.experts]), wait_s)
        if told.band is not None:
            self._band.learn(told.band, wait_s)
        if any(told.features):
            base = told.experts[0] or 0.0
            self._models.learn(np.array(told.features), wait_s / 60.0, scale=3.0 + 0.3 * base / 60.0)
        if told.experts[0]:
            self._recent.append((told.at, min(5.0, wait_s / max(60.0, told.experts[0]))))
        _move(self._usual, told.slot, wait_s)
        sign = told.posted
        if sign is not None and sign >= 60.0:
            _move(self._ratios, told.slot, min(5.0, wait_s / sign))
        if self._last is None or told.at >= self._last[0]:
            self._last = (told.at, wait_s, min(5.0, wait_s / max(sign, 60.0)) if sign is not None else math.nan)

    def _off(self, at: float, fade_s: float) -> float:
        """How much longer than the base the last actual waits were, fading with their age; 1 when none is fresh."""
        total = weight = 1.0
        for joined, ratio in self._recent:
            fresh = math.exp(-max(0.0, at - joined) / fade_s)
            total += fresh * ratio
            weight += fresh
        return total / weight

    def _features(self, posted: float | None, base: float | None, at: float) -> list[float]:
        """Minutes; all zero when nothing is known."""
        if base is None:
            return [0.0] * WIDTH
        p = (base if posted is None else posted) / 60.0
        b = base / 60.0
        fresh = off = moved = 0.0
        if self._last is not None:
            joined, wait, ratio = self._last
            fresh = math.exp(-max(0.0, at - joined) / FADE_S)
            off = wait / 60.0 - b
            moved = p * ratio - b if math.isfinite(ratio) else off
        now, today = self._off(at, FADE_S) - 1.0, self._off(at, TODAY_S) - 1.0
        return [1.0, p, b, fresh * off, fresh * moved, b * now, b * today, fresh, fresh * b, math.sqrt(b)]

    @property
    def state(self) -> PostedState:
        """A plain copy of everything remembered."""
        last = self._last
        return PostedState(
            1, self._models.state, self._experts.state, self._band.state, list(self._ratios), list(self._usual),
            self._sign, None if last is None else (last[0], last[1], last[2] if math.isfinite(last[2]) else -1.0),
            list(self._recent),
        )  # fmt: skip

    @state.setter
    def state(self, state: PostedState) -> None:
        self._models.state, self._experts.state, self._band.state = state.models, state.experts, state.band
        self._ratios, self._usual, self._sign = list(state.ratios), list(state.usual), state.sign
        self._recent = deque(state.recent, maxlen=RECENT)
        last = state.last
        self._last = None if last is None else (last[0], last[1], last[2] if last[2] >= 0.0 else math.nan)


def _shrunk(means: list[tuple[float, int]], slot: int) -> float:
    """The mean of a slot, drawn to the whole while little was seen of it."""
    whole, (mean, count) = means[SLOTS][0], means[slot]
    return (count * mean + SHRINK * whole) / (count + SHRINK)


def _move(means: list[tuple[float, int]], slot: int, value: float) -> None:
    for place, rate in ((slot, 0.05), (SLOTS, 0.02)):
        mean, count = means[place]
        means[place] = (mean + max(rate, 1.0 / (count + 1)) * (value - mean), min(count + 1, 1_000))
