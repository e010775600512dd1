"""Will it be full within half an hour? The chance that a count crosses a limit, learned directly from its own past.

Theory of operation
    y = 1 when the count is at the limit at any of the next h steps. Logistic regression, one step of Newton per label:
        p = 1/(1 + e^-zθ);  P ← (P - P z zᵀP w/(1 + w zᵀP z))/λ, w = p(1 - p);  θ ← θ + P z (y - p)
    z, in units of the usual h-step change at this level (σ, at least one person and a fiftieth of the limit):
        1, distance to the limit, the same where the usual path goes highest within h (n + C[t+j] - C[t]), the highest
        of C itself, slopes over one and three steps, and the deviation from C.
    A label is learned when its h steps are over and none was missing. Where the count is at the limit already, or has
    not gone below `clear` since, nothing is asked and nothing is learned.

Assumptions: crossings resemble former ones. Failure mode: before about twenty crossings were seen it leans on its
prior, which is the distance along the usual path. Source: online Newton step for logistic loss (extended Kalman form).
"""

import math
from collections import deque

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flowmon.estimators.climatology import Climatology, ClimatologyState

Array = NDArray[np.float64]

FEATURES = 7
PRIOR_MEAN = (-1.0, 0.5, 1.5, 0.2, 0.3, 0.2, 0.0)
PRIOR_VARIANCE = 0.5
FORGETTING = 0.9998
SIGMA_RATE = 0.02
CLIP = 6.0
TRACE_MAX = 1e3
HORIZON_MAX = 500


class OnsetState(Struct, frozen=True):
    """recent: the last values, newest last, None missing; waiting: (steps since, crossed, features) without a label."""

    version: int
    usual: ClimatologyState
    theta: list[float]
    covariance: list[list[float]]
    sigma: list[float]
    recent: list[float | None]
    waiting: list[tuple[int, bool, list[float]]]
    armed: bool
    labels: int
    chance: float


class Onset:
    """Crossings of `limit` (people) within `horizon` steps; asked again below `clear` × limit.

    slots_of_day: as in `Climatology`. `chance` (0..1) is of the step learned last, 0 where nothing is asked.

    >>> onset = Onset(limit=50.0, horizon=3, slots_of_day=48)
    >>> for n in range(48 * 40): onset.learn(30.0 + 25.0 * math.sin(n / 48 * 2 * math.pi), slot=n % 336)
    >>> onset.learn(30.0, slot=0); calm = onset.chance
    >>> for n in range(1, 7): onset.learn(30.0 + 25.0 * math.sin(n / 48 * 2 * math.pi), slot=n)
    >>> calm < 0.2 < onset.chance
    True
    """

    def __init__(self, limit: float, horizon: int, slots_of_day: int, clear: float = 0.88) -> None:
        if not (math.isfinite(limit) and limit > 0.0) or not 1 <= horizon <= HORIZON_MAX or not 0.0 < clear <= 1.0:
            raise ValueError(f"limit above 0, horizon from 1 to {HORIZON_MAX} steps, clear in (0, 1]")
        self._limit, self._horizon, self._clear = limit, horizon, clear * limit
        self._usual = Climatology(slots_of_day)
        self._theta: Array = np.array(PRIOR_MEAN)
        self._p: Array = PRIOR_VARIANCE * np.eye(FEATURES)
        self._sigma = [0.1 * limit, 0.1 * limit, 0.1 * limit]  # far below, half way, near the limit
        self._recent: deque[float] = deque(maxlen=max(4, horizon + 1))
        self._waiting: deque[tuple[int, bool, list[float]]] = deque()
        self._armed = True
        self.labels = 0
        self.chance = 0.0

    def learn(self, value: float, slot: int) -> None:
        """The count of one step (NaN: missing, breaks what waits for a label), in `slot` of the week."""
        if not (math.isfinite(value) and 0.0 <= value <= 1e9):
            self._recent.clear()
            self._waiting.clear()
            self.chance = 0.0
            return
        self._mature(value)
        if len(self._recent) > self._horizon:
            band, change = self._band(self._recent[-self._horizon]), value - self._recent[-self._horizon]
            self._sigma[band] += SIGMA_RATE * (min(abs(change) * 1.2533, 4.0 * self._sigma[band]) - self._sigma[band])
        self._recent.append(value)
        self._armed = value < self._limit and (self._armed or value < self._clear)
        features = self._features(value, slot) if self._armed else None
        self._usual.learn(value, slot)
        self.chance = 0.0
        if features is not None:
            self.chance = _logistic(float(self._theta @ features))
            self._waiting.append((0, False, features.tolist()))

    @property
    def state(self) -> OnsetState:
        """A plain copy of everything remembered."""
        return OnsetState(
            1, self._usual.state, self._theta.tolist(), self._p.tolist(), list(self._sigma), list(self._recent),
            list(self._waiting), self._armed, self.labels, self.chance,
        )  # fmt: skip

    @state.setter
    def state(self, state: OnsetState) -> None:
        if len(state.theta) != FEATURES:
            raise ValueError(f"the state has {len(state.theta)} features, not {FEATURES}: start anew")
        self._usual.state = state.usual
        self._theta, self._p, self._sigma = np.array(state.theta), np.array(state.covariance), list(state.sigma)
        self._recent.clear()
        self._recent.extend(value for value in state.recent if value is not None)
        self._waiting = deque((age, crossed, list(features)) for age, crossed, features in state.waiting)
        self._armed, self.labels, self.chance = state.armed, state.labels, state.chance

    def _mature(self, value: float) -> None:
        """Everything that waits is a step older; what is old enough, or has crossed, is a label."""
        waiting, self._waiting = self._waiting, deque()
        for age, before, features in waiting:
            crossed = before or value >= self._limit
            if age + 1 < self._horizon:
                self._waiting.append((age + 1, crossed, features))
            else:
                self._update(np.array(features), 1.0 if crossed else 0.0)

    def _features(self, value: float, slot: int) -> Array | None:
        """What is known now, or None where the usual is not."""
        now = self._usual.estimate(slot)
        ahead = [self._usual.estimate(slot + step) for step in range(1, self._horizon + 1)]
        if math.isnan(now) or any(map(math.isnan, ahead)):
            return None
        sigma = max(1.0, 0.02 * self._limit, self._sigma[self._band(value)])
        one, three = (value - self._recent[max(0, len(self._recent) - 1 - back)] for back in (1, 3))
        highest = max(ahead)
        parts = (
            value - self._limit, value + highest - now - self._limit, highest - self._limit, one, three, value - now
        )  # fmt: skip
        return np.array([1.0, *(min(CLIP, max(-CLIP, part / sigma)) for part in parts)])

    def _update(self, features: Array, label: float) -> None:
        p = _logistic(float(self._theta @ features))
        weight = max(1e-4, p * (1.0 - p))
        gained = self._p @ features
        covariance = self._p - np.outer(gained, gained) * weight / (1.0 + weight * float(features @ gained))
        self._p = 0.5 * (covariance + covariance.T) / FORGETTING
        if not 0.0 < float(np.trace(self._p)) < TRACE_MAX:
            self._p = PRIOR_VARIANCE * np.eye(FEATURES)
        self._theta = self._theta + self._p @ features * (label - p)
        self.labels += 1

    def _band(self, value: float) -> int:
        share = value / self._limit
        return 2 if share > 0.75 else 1 if share > 0.4 else 0


def _logistic(value: float) -> float:
    return 1.0 / (1.0 + math.exp(-min(30.0, max(-30.0, value))))
