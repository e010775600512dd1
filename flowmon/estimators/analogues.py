"""Days like today: what followed on the days that looked the same up to now.

Theory of operation
    The last L values are compared with the values at the same time on each of the last days:
        d_j = Σ_i .75^i |y(t-i) - y_j(t-i)| / s_i  ÷  Σ_i .75^i         s_i = 2 + √y + .05 · level
    The days nearest to today count most, w_j = exp(-1.5 (d_j / d_(8))²), d_(8) the eighth smallest distance. Then
        like(t+h)  = Σ w_j y_j(t+h) / Σ w_j
        like(t)    = Σ w_j y_j(t)   / Σ w_j               so that y(t) + like(t+h) - like(t) is a forecast as well
    A public holiday finds the Sundays, an event the earlier events, without a calendar.

Assumptions: something like today happened within the memory. Failure mode: the first event of its kind looks like no
other day; distances are then all large, weights nearly equal, and the answer is the mean of the day's time.

Source: nearest-neighbour (analogue) forecasting, Lorenz 1969; k-NN load and traffic forecasts.
"""

import math

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flowmon.estimators.memory import packed, unpacked

Array = NDArray[np.float64]

DAYS_KEPT = 84  # unless told otherwise
NEAREST = 8
LAGS_MAX = 16
LAG_WEIGHT = 0.75
SHARPNESS = 1.5


class AnaloguesState(Struct, frozen=True):
    """values: the ring as packed float32; last: index of the newest step, -1 before the first."""

    version: int
    values: bytes
    last: int


class Analogues:
    """A ring of the last `days_kept` days, `slots_of_day` steps each. Steps are numbered from any midnight on.

    >>> days = Analogues(slots_of_day=4)
    >>> for step in range(4 * 20): days.learn(step, [0.0, 10.0, 20.0, 5.0][step % 4])
    >>> weights = days.weigh(level=9.0)
    >>> days.estimate(weights, ahead=2)   # two steps after the last: 10
    10.0
    """

    def __init__(self, slots_of_day: int, days_kept: int = DAYS_KEPT) -> None:
        if slots_of_day < 1 or days_kept < NEAREST:
            raise ValueError(f"at least one slot a day and {NEAREST} days")
        self._day = slots_of_day
        self._length = (days_kept + 2) * slots_of_day
        self._values = np.full(self._length, np.nan, dtype=np.float32)
        self._lags = np.arange(min(LAGS_MAX, max(3, slots_of_day // 6), slots_of_day))
        self._shares = LAG_WEIGHT**self._lags
        self._ago = np.arange(1, days_kept)
        self.last = -1

    def learn(self, step: int, value: float) -> None:
        """`value` (NaN: unknown) holds at `step`. Steps left out are unknown; one before the last is refused."""
        if step < 0 or (self.last >= 0 and step < self.last):
            return
        if self.last >= 0:
            skipped = np.arange(max(self.last + 1, step - self._length + 1), step)
            self._values[skipped % self._length] = np.nan
        self._values[step % self._length] = value if math.isfinite(value) else np.nan
        self.last = step

    def at(self, step: int) -> float:
        """The value at `step`; NaN when unknown or older than the ring."""
        if step < 0 or step > self.last or step <= self.last - self._length:
            return math.nan
        return float(self._values[step % self._length])

    def weigh(self, level: float) -> Array:
        """How much each of the days kept looks like today, (days_kept - 1,), relative; `level`: a usual value."""
        steps = self.last - self._lags
        today = self._read(steps).astype(np.float64)
        before = self._read(steps[None, :] - self._ago[:, None] * self._day).astype(np.float64)
        scale = 2.0 + np.sqrt(np.maximum(today, 0.0)) + 0.05 * level
        off = np.abs(before - today) / scale
        known = np.isfinite(off)
        share = known * self._shares
        distance = np.where(known, off, 0.0) @ self._shares / np.maximum(share.sum(axis=1), 1e-9)
        usable = known[:, 0] & (known.sum(axis=1) >= len(self._lags) // 2)
        if usable.sum() < NEAREST:
            return np.zeros(len(self._ago))
        eighth = np.partition(distance[usable], NEAREST - 1)[NEAREST - 1]
        relative = np.minimum(distance / max(float(eighth), 1e-9), 20.0)
        return np.asarray(np.where(usable, np.exp(-SHARPNESS * relative**2), 0.0))

    def estimate(self, weights: Array, ahead: int) -> float:
        """Weighted mean of what those days had `ahead` steps (0..a day) later; NaN when unknown."""
        then = self._read(self.last + ahead - self._ago * self._day)
        known = np.isfinite(then)
        total = float(weights[known].sum())
        return float(weights[known] @ then[known].astype(np.float64)) / total if total > 1e-12 else math.nan

    @property
    def state(self) -> AnaloguesState:
        """A plain copy of everything remembered."""
        return AnaloguesState(1, packed(self._values), self.last)

    @state.setter
    def state(self, state: AnaloguesState) -> None:
        values = unpacked(state.values)
        if len(values) != self._length:
            raise ValueError(f"the state holds {len(values)} steps, not {self._length}: start anew")
        self._values, self.last = values.astype(np.float32), state.last

    def _read(self, steps: NDArray[np.int64]) -> NDArray[np.float32]:
        """Values at `steps`, NaN outside of the ring."""
        inside = (steps >= 0) & (steps <= self.last) & (steps > self.last - self._length)
        return np.where(inside, self._values[steps % self._length], np.float32(np.nan))
