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

An adaptive random forest of river as one more expert does not earn its 2 ms a step: the analogues know what it knew.

Source: direct multi-step forecasting, Ben Taieb & Hyndman 2012; the parts name theirs.
"""

import math
from collections import deque
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from msgspec import Struct

from flowmon.estimators.climatology import Array, Climatology, ClimatologyState
from flowmon.estimators.conformal import AdaptiveBand, BandState, Issued
from flowmon.estimators.experts import Experts, ExpertsState
from flowmon.estimators.recursive import RecursiveLeastSquares, RecursiveState
from flowmon.estimators.regressors import CLIP, EXPERTS, FEATURES, PLAUSIBLE, Regressors, RegressorsState, View

DAY_S = 86_400
MEMORIES_DAYS = (8.0, 15.0, 30.0)
MEMORY_MIN = 200.0
HUBER = (1.5, math.inf, 1.5)
LABELS_MIN = 200  # before that the linear models are silent
EXPERT_DAYS, EXPERT_MIN = 4.0, 100.0
TRIAL_DAYS = 7.0
LOST = 1.01  # one per cent worse is not chance any more after seven days
AT_MAX = 1e11  # seconds; later is a broken clock
STEPS_MAX = 2_000  # of a horizon: so many lessons wait at most
THURSDAY_S = 4 * DAY_S  # the epoch was a Thursday; weeks begin on Sundays here, which nobody sees


class Outlook(NamedTuple):
    """A forecast; lo <= value <= hi is the 90 % band. All None when nothing is known."""

    value: float | None
    lo: float | None
    hi: float | None
    method: str | None


NOTHING = Outlook(None, None, None, None)


class Lesson(Struct, frozen=True, array_like=True):
    """What was known and said when `target` (a step) was forecast; None instead of NaN."""

    target: int
    slot: int
    features: list[float]
    forecasts: list[float | None]
    combined: float | None
    scale: float
    usual: float | None
    method: str
    issued: Issued | None
    plain: Issued | None


class HorizonState(Struct, frozen=True):
    """Of one horizon."""

    models: RecursiveState
    experts: ExpertsState
    trial: ExpertsState
    bias: ClimatologyState
    band: BandState
    plain: BandState
    lessons: list[Lesson]


class ForecasterState(Struct, frozen=True):
    """All a `Forecaster` remembers; step: newest of the grid (UTC), -1 before the first."""

    version: int
    series: RegressorsState
    horizons: list[HorizonState]
    step: int


class Forecaster:
    """One series on a grid of `step_s` seconds (which divide a day), forecast at `horizons` (seconds).

    covariates: how many planned quantities are known for the future.

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

    def __init__(self, step_s: int = 600, horizons: Sequence[int] = (1800, 3600), covariates: int = 0) -> None:
        if step_s <= 0 or DAY_S % step_s:
            raise ValueError(f"a step of {step_s} s does not divide a day: take 300, 600, 900, 1800 or 3600")
        if not horizons or any(h <= 0 or h % step_s or h // step_s > STEPS_MAX for h in horizons):
            raise ValueError(f"horizons are multiples of the step, from {step_s} s to {STEPS_MAX * step_s} s")
        self._step_s, self._covariates = step_s, covariates
        self._series = Regressors(DAY_S // step_s)
        self._horizons = {int(h): _Horizon(int(h) // step_s, DAY_S // step_s, covariates) for h in horizons}
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


class _Horizon:
    """The models, weights and band of one horizon, and the lessons that wait for their label."""

    def __init__(self, ahead: int, day: int, covariates: int) -> None:
        self._ahead = ahead
        forgetting = tuple(1.0 - 1.0 / max(MEMORY_MIN, days * day) for days in MEMORIES_DAYS)
        self._models = RecursiveLeastSquares(FEATURES + 2 + 2 * covariates, forgetting, HUBER)
        self._experts = Experts(len(EXPERTS) + len(forgetting), max(EXPERT_MIN, EXPERT_DAYS * day))
        self._trial = Experts(2, TRIAL_DAYS * day)
        self._trial_labels = TRIAL_DAYS * day
        self._bias = Climatology(day)
        self._band, self._plain = AdaptiveBand(day), AdaptiveBand(day, blocks=1)
        self._day = day
        self._lessons: deque[Lesson] = deque(maxlen=STEPS_MAX)

    @property
    def lesson(self) -> Lesson | None:
        """The newest forecast."""
        return self._lessons[-1] if self._lessons else None

    def learn(self, step: int, value: float) -> None:
        """The label of whatever was forecast for `step`; older lessons never had one."""
        while self._lessons and self._lessons[0].target < step:
            self._lessons.popleft()
        if not self._lessons or self._lessons[0].target != step:
            return
        lesson = self._lessons.popleft()
        if not math.isfinite(value):
            return
        forecasts = _array(lesson.forecasts)
        base = forecasts[0]
        if math.isfinite(base):
            self._models.learn(np.array(lesson.features), value - base, np.array([lesson.scale, 1.0, lesson.scale]))
            self._bias.learn(value - base, lesson.slot)
            self._experts.learn(forecasts, value)
        if lesson.issued is not None:
            self._band.learn(lesson.issued, value)
            if lesson.combined is not None:
                self._trial.learn(np.array([lesson.combined, base]), value)
        if lesson.plain is not None:
            self._plain.learn(lesson.plain, value)

    def look(self, step: int, series: Regressors, now: Array, then: Array) -> None:
        """Forecast `ahead` steps after `step` and keep it until its label comes."""
        view = series.view(self._ahead)
        scale = 2.0 + math.sqrt(max(view.usual if math.isfinite(view.usual) else series.level, 0.0))
        features = self._features(view, now, then)
        forecasts = np.concatenate([view.experts, self._linear(view, features)])
        combined = self._experts.estimate(forecasts) if math.isfinite(forecasts[-1]) else math.nan
        value, method = self._choose(forecasts, combined)
        slot = view.slot % self._day
        self._lessons.append(
            Lesson(
                target=step + self._ahead,
                slot=view.slot,
                features=features.tolist() if math.isfinite(view.experts[0]) else [],
                forecasts=_listed(forecasts),
                combined=_listed(np.array([combined]))[0],
                scale=scale,
                usual=_listed(np.array([view.usual]))[0],
                method=method,
                issued=self._band.issue(value, slot),
                plain=self._plain.issue(view.usual, slot),
            )
        )

    def _features(self, view: View, now: Array, then: Array) -> Array:
        """Those of the series, the bias of this slot, and the plans."""
        known = float(self._bias.day[view.slot % self._day]), float(self._bias.week[view.slot])
        lately = [bias if math.isfinite(bias) else 0.0 for bias in known]
        together: Array = np.concatenate([view.features, lately, then - now, then])
        return together

    def _linear(self, view: View, features: Array) -> Array:
        """Forecasts of the linear models; NaN until they have learned enough."""
        if self._models.labels < LABELS_MIN:
            return np.full(len(MEMORIES_DAYS), np.nan)
        linear: Array = np.maximum(view.experts[0] + self._models.estimate(features), 0.0)
        return linear

    def _choose(self, forecasts: Array, combined: float) -> tuple[float, str]:
        """The value to publish and what it is."""
        base, now = float(forecasts[0]), float(forecasts[len(EXPERTS) - 1])
        if not math.isfinite(now):
            return math.nan, "climatology"
        if not math.isfinite(base):
            return now, "persistence"
        if not math.isfinite(combined) or self._lost():
            return base, "clim_dev"
        return combined, "model"

    def _lost(self) -> bool:
        """The model was worse than clim+dev over the last seven days."""
        model, clim_dev = self._trial.losses
        return self._trial.labels >= self._trial_labels and bool(model > LOST * clim_dev + 1e-6)

    @property
    def state(self) -> HorizonState:
        return HorizonState(
            models=self._models.state,
            experts=self._experts.state,
            trial=self._trial.state,
            bias=self._bias.state,
            band=self._band.state,
            plain=self._plain.state,
            lessons=list(self._lessons),
        )

    @state.setter
    def state(self, state: HorizonState) -> None:
        self._models.state, self._experts.state, self._trial.state = state.models, state.experts, state.trial
        self._bias.state, self._band.state, self._plain.state = state.bias, state.band, state.plain
        self._lessons = deque(state.lessons, maxlen=STEPS_MAX)


def _listed(values: Array) -> list[float | None]:
    return [value if math.isfinite(value) else None for value in values.tolist()]


def _array(values: list[float | None]) -> Array:
    return np.array([math.nan if value is None else value for value in values])
