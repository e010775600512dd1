"""Which weekday does today look like: a holiday is a Sunday, a strike day is a Saturday.

Theory of operation
    loss_d   decayed sum over today of |y - C[d, slot]| / (2 + √C + .1 · level), half-life four hours
    weight_d ∝ exp(-(loss_d - min loss))
    usual(t) = Σ_d weight_d C[d, slot(t)]

Assumptions: the profile of a day is one of seven, or between them. Failure mode: early in the day little is known and
the weights of yesterday still count. Source: exponential weights over day types, as in load forecasting for holidays.
"""

import math

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flowmon.estimators.climatology import DAYS, Array

HALF_LIFE_DAYS = 1 / 6


class WeekdaysState(Struct, frozen=True):
    """loss: per weekday."""

    version: int
    loss: list[float]


class Weekdays:
    """Weights over seven profiles.

    >>> today = Weekdays(slots_of_day=24)
    >>> for _ in range(5): today.learn(np.array([50.0, 50.0, 50.0, 50.0, 50.0, 90.0, 10.0]), value=11.0, level=40.0)
    >>> round(today.estimate(np.array([60.0, 60.0, 60.0, 60.0, 60.0, 100.0, 20.0])))   # Sunday's value
    20
    """

    def __init__(self, slots_of_day: int) -> None:
        self._forget = 0.5 ** (1.0 / max(1.0, slots_of_day * HALF_LIFE_DAYS))
        self._loss = np.zeros(DAYS)

    def learn(self, profiles: Array, value: float, level: float) -> None:
        """`profiles` (7,): what each weekday usually has now; `value`: what today has; `level`: its usual size."""
        if not math.isfinite(value):
            return
        known = np.isfinite(profiles)
        scale = 2.0 + np.sqrt(np.maximum(profiles, 0.0)) + 0.1 * level
        off = np.minimum(np.abs(profiles - value) / scale, 100.0)
        self._loss = np.where(known, self._loss * self._forget + off, self._loss)

    def estimate(self, profiles: Array) -> float:
        """The mean of `profiles` (7,) by how much today looks like each; NaN when none is known."""
        known: NDArray[np.bool_] = np.isfinite(profiles)
        if not known.any():
            return math.nan
        loss = self._loss[known]
        weights = np.exp(-(loss - loss.min()))
        return float(weights @ profiles[known] / weights.sum())

    @property
    def state(self) -> WeekdaysState:
        """A plain copy of everything remembered."""
        return WeekdaysState(1, self._loss.tolist())

    @state.setter
    def state(self, state: WeekdaysState) -> None:
        self._loss = np.array(state.loss)
