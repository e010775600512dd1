"""What is known of a series now that may tell its next hour: experts' forecasts and the features of a linear model.

Theory of operation: the last value y(t), what `climatology`, `weekdays` and `analogues` say of the time `ahead`, and
how today deviates from what is usual:
    experts   clim+dev · usual × today's ratio · weekday like today + dev · days like today · days like today + dev ·
              persistence
    features  level, deviation, C[t+h], C[t], Δ1, Δ3, time of day, each expert minus clim+dev, decayed deviations
              (half-lives 30 min, 1½ h, 4 h), slower, faster and smoothed climatologies, yesterday's and last week's
              change, deviation × time of day
Features are in units of the series and clipped to ±(30 levels + 1000), so that no outlier drives a
model.

Assumptions and failure modes are those of the parts; a part that knows nothing says clim+dev, so that its feature is 0.
Source: stacked generalisation, Wolpert 1992; regression on climatology features as in site load forecasts.
"""

import math

import numpy as np
from msgspec import Struct

from flowmon.estimators.analogues import DAYS_KEPT, Analogues, AnaloguesState
from flowmon.estimators.climatology import DAYS, Array, Climatology, ClimatologyState, clim_dev
from flowmon.estimators.weekdays import Weekdays, WeekdaysState

EXPERTS = ("clim_dev", "ratio", "weekday_dev", "analogue", "analogue_dev", "persistence")
FEATURES = 25
LEVEL_RATE = 0.01
CLIP = 30.0
PLAUSIBLE = 1_000.0  # a hall that is empty all year has its evening, too
VALUE_MAX = 1e9
SLOW, FAST = 0.05, 0.35
HALF_LIVES_DAYS = (1 / 48, 1 / 16, 1 / 6)
HALF_LIVES_MIN = (1.0, 2.0, 3.0)
RATIO_DAYS = 1 / 8


class RegressorsState(Struct, frozen=True):
    """deviation, weight: decayed sums (3,); ratio: decayed sums of values and of what was usual."""

    version: int
    usual: ClimatologyState
    slow: ClimatologyState
    fast: ClimatologyState
    weekdays: WeekdaysState
    analogues: AnaloguesState
    deviation: list[float]
    weight: list[float]
    ratio: list[float]
    level: float
    values: int
    slot: int
    before: float | None


class View(Struct, frozen=True):
    """What is known at one time of one horizon. experts: (6,), features: (25,), usual: C[t+h]; NaN: unknown."""

    experts: Array
    features: Array
    usual: float
    slot: int


class Regressors:
    """Everything remembered of one series on a grid of `slots_of_day` steps a day.

    >>> series = Regressors(slots_of_day=24)
    >>> for hour in range(24 * 15): series.learn(hour, 10.0 + hour % 24)
    >>> view = series.view(ahead=1)
    >>> view.usual, view.slot % 24
    (10.0, 0)
    >>> [round(float(value), 3) for value in view.experts[:2]]
    [10.0, 10.0]
    """

    def __init__(self, slots_of_day: int, days_kept: int = DAYS_KEPT) -> None:
        self._day = slots_of_day
        self.usual = Climatology(slots_of_day)
        self._slow, self._fast = Climatology(slots_of_day, SLOW), Climatology(slots_of_day, FAST)
        self._weekdays, self.analogues = Weekdays(slots_of_day), Analogues(slots_of_day, days_kept)
        lives = np.maximum(np.array(HALF_LIVES_MIN), slots_of_day * np.array(HALF_LIVES_DAYS))
        self._forget = 0.5 ** (1.0 / lives)
        self._ratio_forget = 0.5 ** (1.0 / max(2.0, slots_of_day * RATIO_DAYS))
        self._deviation, self._weight, self._ratio = np.zeros(3), np.zeros(3), np.zeros(2)
        self.level, self.values, self._slot = 1.0, 0, 0
        self._before = math.nan  # what was usual in this slot before its newest value
        self._alike: Array = np.zeros(0)
        self._like_now = self._weekday_now = math.nan

    @property
    def now(self) -> float:
        """The newest value, NaN when it is missing."""
        return self.analogues.at(self.analogues.last)

    def sound(self, value: float) -> float:
        """`value` as it is taken: not below zero, not beyond 30 usual levels + 1000, NaN when not finite."""
        limit = CLIP * self.level + PLAUSIBLE if self.values > self._day else VALUE_MAX
        return min(max(value, 0.0), limit) if math.isfinite(value) else math.nan

    def learn(self, step: int, value: float) -> None:
        """`value` (NaN: missing) at `step`; steps count from the midnight that begins a week."""
        value = self.sound(value)
        self._slot = step % (DAYS * self._day)
        self._before = self.usual.estimate(self._slot)
        passed = max(1, step - self.analogues.last) if self.analogues.last >= 0 else 1
        self.analogues.learn(step, value)
        self._deviation *= self._forget**passed
        self._weight *= self._forget**passed
        if not math.isfinite(value):
            return
        value = self.now  # as it is remembered
        self.values += 1
        self.level += max(LEVEL_RATE, 1.0 / self.values) * (value - self.level)
        if math.isfinite(self._before):
            self._weekdays.learn(self._profiles(self._slot, 0), value, self.level)
            self._deviation += value - self._before
            self._weight += 1.0
            self._ratio = self._ratio * self._ratio_forget + np.array([value, self._before])
        else:
            self._before = value
        for usual in (self.usual, self._slow, self._fast):
            usual.learn(value, self._slot)
        self._settle()

    def view(self, ahead: int) -> View:
        """What the parts say of `ahead` steps later."""
        now, before, day = self.now, self._before, self._day
        slot = (self._slot + ahead) % (DAYS * day)
        usual = self.usual.estimate(slot)
        base = clim_dev(now, before, usual)
        if not math.isfinite(base):
            return View(np.array([base, *[math.nan] * 4, now]), np.full(FEATURES, math.nan), usual, slot)
        last, at, level = self.analogues.last, self.analogues.at, self.level

        def changed(then: float, once: float) -> float:
            return _or(max(0.0, now + then - once), base)

        ratio = usual * (self._ratio[0] + 0.05 * level) / max(self._ratio[1] + 0.05 * level, 1e-9)
        weekday = self._weekdays.estimate(self._profiles(slot, (self._slot % day + ahead) // day))
        weekday_dev = changed(weekday, self._weekday_now)
        like = self.analogues.estimate(self._alike, ahead)
        analogue, analogue_dev = _or(like, base), changed(like, self._like_now)
        yesterday = changed(at(last + ahead - day), at(last - day))
        last_week = changed(at(last + ahead - DAYS * day), at(last - DAYS * day))
        angle = 2.0 * math.pi * (slot % day) / day
        s1, c1, s2, c2 = math.sin(angle), math.cos(angle), math.sin(2 * angle), math.cos(2 * angle)
        deviation = now - before
        around = [self.usual.estimate(slot + step) for step in (-1, 1)]
        smooth = (usual + _or(around[0], usual) + _or(around[1], usual)) / 3.0
        features = [
            0.3 * level, deviation, usual, before, _or(now - at(last - 1), 0.0), _or(now - at(last - 3), 0.0),
            level * s1, level * c1, ratio - base, _or(weekday, base) - base, weekday_dev - base, analogue - base,
            analogue_dev - base, *(self._deviation / (self._weight + 0.3)),
            self._slow.estimate(slot) - usual, self._fast.estimate(slot) - usual, smooth - usual,
            yesterday - base, last_week - base, deviation * s1, deviation * c1, deviation * s2, deviation * c2,
        ]  # fmt: skip
        limit = CLIP * level + PLAUSIBLE
        experts = np.array([base, ratio, weekday_dev, analogue, analogue_dev, now])
        return View(experts, np.minimum(np.maximum(np.array(features), -limit), limit), usual, slot)

    @property
    def state(self) -> RegressorsState:
        """A plain copy of everything remembered."""
        return RegressorsState(
            version=1,
            usual=self.usual.state,
            slow=self._slow.state,
            fast=self._fast.state,
            weekdays=self._weekdays.state,
            analogues=self.analogues.state,
            deviation=self._deviation.tolist(),
            weight=self._weight.tolist(),
            ratio=self._ratio.tolist(),
            level=self.level,
            values=self.values,
            slot=self._slot,
            before=None if math.isnan(self._before) else self._before,
        )

    @state.setter
    def state(self, state: RegressorsState) -> None:
        self.usual.state, self._slow.state, self._fast.state = state.usual, state.slow, state.fast
        self._weekdays.state, self.analogues.state = state.weekdays, state.analogues
        self._deviation, self._weight = np.array(state.deviation), np.array(state.weight)
        self._ratio, self.level, self.values = np.array(state.ratio), state.level, state.values
        self._slot, self._before = state.slot, math.nan if state.before is None else state.before
        if math.isfinite(self.now):
            self._settle()

    def _settle(self) -> None:
        """What all horizons of this step share."""
        self._alike = self.analogues.weigh(self.level)
        self._like_now = self.analogues.estimate(self._alike, 0)
        self._weekday_now = self._weekdays.estimate(self._profiles(self._slot, 0))

    def _profiles(self, slot: int, days_on: int) -> Array:
        """What each weekday, taken for today, has in the slot of the day of `slot`, `days_on` midnights later; (7,)."""
        column = self.usual.week.reshape(DAYS, self._day)[:, slot % self._day]
        return column if days_on % DAYS == 0 else np.roll(column, -days_on)


def _or(value: float, otherwise: float) -> float:
    return value if math.isfinite(value) else otherwise
