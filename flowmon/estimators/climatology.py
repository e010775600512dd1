"""What is usual at this time of the week: an exponentially weighted mean per slot, and the deviation from it.

Theory of operation
    C[slot] ← C[slot] + rate · (y - C[slot])           rate .15: about the last twelve weeks of that slot
    clim+dev: ŷ(t+h) = y(t) + C[t+h] - C[t]            today's deviation persists
    A slot of the week that was never seen is answered by the same time of other days, kept beside it.

Assumptions: the week is the pattern; it moves slowly. Failure mode: holidays and events are not of the pattern, and a
rarely visited slot follows its last values. clim+dev is the honest baseline of every short forecast: two lines that
beat persistence and last week's value nearly everywhere.

Source: exponentially weighted seasonal means as in any load forecast; Hyndman & Athanasopoulos, Forecasting, 3rd ed.
"""

import math

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flowmon.estimators.memory import packed, short, unpacked

Array = NDArray[np.float64]

DAYS = 7
RATE = 0.15


class ClimatologyState(Struct, frozen=True):
    """week: mean per slot of the week; day: mean per slot of the day. Packed float32; NaN: never seen."""

    version: int
    week: bytes
    day: bytes


class Climatology:
    """Weekly means over `slots_of_day` slots a day; a slot of the week is weekday · slots_of_day + slot of the day.

    >>> usual = Climatology(slots_of_day=24)
    >>> for people in (10.0, 20.0): usual.learn(people, slot=9)
    >>> usual.estimate(9)
    11.5
    >>> usual.estimate(24 + 9), usual.estimate(3)   # the same hour of another day; never seen
    (11.5, nan)
    """

    def __init__(self, slots_of_day: int, rate: float = RATE) -> None:
        if slots_of_day < 1 or not 0.0 < rate <= 1.0:
            raise ValueError("slots_of_day is at least 1 and rate in (0, 1]")
        self._rate = rate
        self.week: Array = np.full(DAYS * slots_of_day, np.nan)
        self.day: Array = np.full(slots_of_day, np.nan)

    def learn(self, value: float, slot: int) -> None:
        """`value` was seen in `slot` of the week. Values that are not finite are refused."""
        if not math.isfinite(value):
            return
        for means, index in ((self.week, slot % len(self.week)), (self.day, slot % len(self.day))):
            known = means[index]
            means[index] = short(known + self._rate * (value - known) if known == known else value)  # noqa: PLR0124

    def estimate(self, slot: int) -> float:
        """What is usual in `slot` of the week; NaN when nothing is known."""
        known = float(self.week[slot % len(self.week)])
        return float(self.day[slot % len(self.day)]) if math.isnan(known) else known

    @property
    def state(self) -> ClimatologyState:
        """A plain copy of everything remembered."""
        return ClimatologyState(2, packed(self.week), packed(self.day))

    @state.setter
    def state(self, state: ClimatologyState) -> None:
        week, day = unpacked(state.week), unpacked(state.day)
        if len(week) != len(self.week) or len(day) != len(self.day):
            raise ValueError(f"the state has {len(day)} slots a day, not {len(self.day)}: start anew")
        self.week, self.day = week, day


def clim_dev(value: float, usual_now: float, usual_then: float) -> float:
    """Today's deviation persists; never below zero. NaN when one of the three is unknown.

    >>> clim_dev(12.0, usual_now=10.0, usual_then=30.0)
    32.0
    """
    forecast = value + usual_then - usual_now
    return max(0.0, forecast) if math.isfinite(forecast) else math.nan
