"""The next hour of a count: a few linear models and experts, weighted by how they did, with a band that is kept honest.

Theory of operation
    Every step, for every horizon h ("direct" forecasts, never a forecast of a forecast):
        base  = clim+dev = y(t) + C[t+h] - C[t]
        ŷ_m   = base + z·θ_m        three recursive least squares that remember 8, 15 and 30 days (Huber, plain, Huber)
        ŷ     = Σ w_k ŷ_k           over those and the experts of `regressors`, w by recent absolute error (`experts`)
        band  = adaptive conformal (`conformal`), per horizon
    z: the features of `regressors`, the bias of clim+dev in this slot lately, and per covariate its planned change and
    its planned value (tickets sold for t+h, an event's guests).
    A forecast becomes a lesson when its label comes, h later and never earlier; a missing label teaches nothing.

What it says of itself (`method`)
    model         enough labels were learned
    clim_dev      less is known, or the model lost against it over the last seven days
    climatology   the value of now is missing
    persistence   this time of day was never seen
    None          nothing is known

Assumptions: tomorrow is like some yesterday. Failure mode: something unannounced and new; the band is too narrow for
as long as it takes to notice (`conformal`). Slots are of local time, so the caller passes the offset from UTC; within a
horizon of a change of the clocks the target's slot is off by that hour.

An adaptive random forest of river (10 trees) as one more expert was tried on hourly counts of an event venue: WAPE
28.9 % instead of 29.0 %, for milliseconds a step. It does not earn its keep; the analogues know what it knew.

Source: direct multi-step forecasting, Ben Taieb & Hyndman 2012; the parts name theirs.
"""

import math
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from flowmon.estimators.analogues import DAYS_KEPT
from flowmon.estimators.climatology import Array
from flowmon.estimators.horizon import MEMORIES, STEPS_MAX, Horizon, HorizonState, Memory
from flowmon.estimators.regressors import CLIP, PLAUSIBLE, Regressors, RegressorsState

DAY_S = 86_400
AT_MAX = 1e11  # seconds; later is a broken clock
THURSDAY_S = 4 * DAY_S  # the epoch was a Thursday; weeks begin on Sundays here, which nobody sees


class Outlook(NamedTuple):
    """A forecast; lo <= value <= hi is the 90 % band. All None when nothing is known."""

    value: float | None
    lo: float | None
    hi: float | None
    method: str | None


NOTHING = Outlook(None, None, None, None)


class ForecasterState(Struct, frozen=True):
    """All a `Forecaster` remembers; step: newest of the grid (UTC), -1 before the first."""

    version: int
    series: RegressorsState
    horizons: list[HorizonState]
    step: int


class Forecaster:
    """One series on a grid of `step_s` seconds (which divide a day), forecast at `horizons` (seconds).

    covariates: how many planned quantities are known for the future.
    memories, days_kept: the linear models of each horizon, and how many days the analogues look back; with fewer, less
    is remembered (of 54 kB, compressed, of a museum at 5 min and 3 horizons, a model is 5 kB, 84 days are 8 kB).

    >>> walk = Forecaster(step_s=3600, horizons=(3600,))
    >>> learned = [walk.learn(hour * 3600.0, 10.0 + hour % 24) for hour in range(24 * 40)]
    >>> outlook = walk.forecast(3600)
    >>> round(outlook.value, 1), outlook.method
    (10.0, 'model')
    >>> walk.learn(24 * 40 * 3600.0, math.nan)   # a gap
    True
    >>> walk.forecast(3600).method
    'climatology'
    """

    def __init__(
        self,
        step_s: int = 600,
        horizons: Sequence[int] = (1800, 3600),
        covariates: int = 0,
        *,
        memories: tuple[Memory, ...] = MEMORIES,
        days_kept: int = DAYS_KEPT,
    ) -> None:
        if step_s <= 0 or DAY_S % step_s:
            raise ValueError(f"a step of {step_s} s does not divide a day: take 300, 600, 900, 1800 or 3600")
        if not horizons or any(h <= 0 or h % step_s or h // step_s > STEPS_MAX for h in horizons):
            raise ValueError(f"horizons are multiples of the step, from {step_s} s to {STEPS_MAX * step_s} s")
        self._step_s, self._covariates = step_s, covariates
        self._series = Regressors(DAY_S // step_s, days_kept)
        self._horizons = {int(h): Horizon(int(h) // step_s, DAY_S // step_s, covariates, memories) for h in horizons}
        self._step = -1

    def learn(
        self, at: float, value: float, offset_s: float = 0.0, covariates: Sequence[Sequence[float]] | None = None
    ) -> bool:
        """`value` (>= 0; NaN: missing) was seen at `at` (seconds since the epoch), local time being UTC + `offset_s`.

        covariates: one row for now and one per horizon, each of as many numbers as there are covariates; what is not
        finite counts as zero, and none counts more than 30 usual levels + 1000.
        Returns False when nothing was learned: the first value in a step counts; a second one, an earlier one or an
        impossible time are refused.
        """
        if not (math.isfinite(at) and math.isfinite(offset_s)) or not 0.0 <= at < AT_MAX or abs(offset_s) > DAY_S:
            return False
        step = int(at // self._step_s)
        if step <= self._step:
            return False
        self._step = step
        value = math.nan if value < 0.0 else self._series.sound(value)
        for horizon in self._horizons.values():
            horizon.learn(step, value)
        local = int((at + offset_s + THURSDAY_S) // self._step_s)
        if local >= self._series.analogues.last:
            self._series.learn(local, value)
        # else: the hour that autumn repeats; it was learned before, and its forecasts stand
        planned = self._planned(covariates)
        for row, horizon in enumerate(self._horizons.values()):
            horizon.look(step, self._series, planned[0], planned[row + 1])
        return True

    def forecast(self, horizon_s: int) -> Outlook:
        """What is expected `horizon_s` after the last step learned. KeyError for a horizon that was not asked for."""
        lesson = self._horizons[horizon_s].lesson
        if lesson is None:
            return NOTHING
        issued = lesson.plain if lesson.method == "climatology" else lesson.issued
        return NOTHING if issued is None else Outlook(issued.value, issued.lo, issued.hi, lesson.method)

    def baselines(self, horizon_s: int) -> dict[str, float]:
        """What the simple methods say at this horizon; NaN where one knows nothing."""
        horizon = self._horizons[horizon_s]
        days = self._series.analogues
        steps = horizon_s // self._step_s
        lesson = horizon.lesson
        usual = math.nan if lesson is None or lesson.usual is None else lesson.usual
        deviating = math.nan if lesson is None or lesson.forecasts[0] is None else lesson.forecasts[0]
        return {
            "persistence": self._series.now,
            "weekly_naive": days.at(days.last + steps - 7 * (DAY_S // self._step_s)),
            "climatology": usual,
            "clim_dev": deviating,
        }

    @property
    def state(self) -> ForecasterState:
        """A plain copy of everything remembered."""
        return ForecasterState(1, self._series.state, [each.state for each in self._horizons.values()], self._step)

    @state.setter
    def state(self, state: ForecasterState) -> None:
        if len(state.horizons) != len(self._horizons):
            raise ValueError(f"the state has {len(state.horizons)} horizons, not {len(self._horizons)}: start anew")
        self._series.state = state.series
        for horizon, remembered in zip(self._horizons.values(), state.horizons, strict=True):
            horizon.state = remembered
        self._step = state.step

    def _planned(self, covariates: Sequence[Sequence[float]] | None) -> Array:
        """Rows of covariates, shape (1 + horizons, covariates)."""
        shape = (1 + len(self._horizons), self._covariates)
        if covariates is None:
            return np.zeros(shape)
        planned = np.array(covariates, dtype=np.float64)
        if planned.shape != shape:
            raise ValueError(f"covariates are of shape {planned.shape}, not {shape}: one row for now, one per horizon")
        limit = CLIP * self._series.level + PLAUSIBLE  # plans of people, whatever else was typed
        return np.clip(np.where(np.isfinite(planned), planned, 0.0), -limit, limit)
