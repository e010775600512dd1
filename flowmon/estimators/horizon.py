"""One horizon of a forecast: the models, their weights, the bands, and the lessons that wait for their label.

Theory of operation: `look` says what is expected and keeps what it knew and said as a lesson; `learn` gives the lesson
of this step its label. A lesson whose label never came is dropped. Formulas, assumptions and sources: `forecast`.
"""

import math
from collections import deque

import numpy as np
from msgspec import Struct

from flowmon.estimators.climatology import Array, Climatology, ClimatologyState
from flowmon.estimators.conformal import AdaptiveBand, BandState, Issued
from flowmon.estimators.experts import Experts, ExpertsState
from flowmon.estimators.memory import packed, unpacked
from flowmon.estimators.recursive import RecursiveLeastSquares, RecursiveState
from flowmon.estimators.regressors import EXPERTS, FEATURES, Regressors, View

Memory = tuple[float, float]  # of a linear model: days, and Huber's k (infinity: plain)
MEMORIES: tuple[Memory, ...] = ((8.0, 1.5), (15.0, math.inf), (30.0, 1.5))
MEMORY_MIN = 200.0
LABELS_MIN = 200  # before that the linear models are silent
EXPERT_DAYS, EXPERT_MIN = 4.0, 100.0
TRIAL_DAYS = 7.0
LOST = 1.01  # one per cent worse is not chance any more after seven days
STEPS_MAX = 2_000  # of a horizon: so many lessons wait at most


class Lesson(Struct, frozen=True, array_like=True):
    """What was known and said when `target` (a step) was forecast; None instead of NaN. features: float32."""

    target: int
    slot: int
    features: bytes
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


class Horizon:
    """The models, weights and band of one horizon, and the lessons that wait for their label."""

    def __init__(self, ahead: int, day: int, covariates: int, memories: tuple[Memory, ...] = MEMORIES) -> None:
        self._ahead = ahead
        forgetting = tuple(1.0 - 1.0 / max(MEMORY_MIN, days * day) for days, _ in memories)
        self._models = RecursiveLeastSquares(
            FEATURES + 2 + 2 * covariates, forgetting, tuple(huber for _, huber in memories), single=True
        )
        self._experts = Experts(len(EXPERTS) + len(forgetting), max(EXPERT_MIN, EXPERT_DAYS * day))
        self._trial = Experts(2, TRIAL_DAYS * day)
        self._trial_labels = TRIAL_DAYS * day
        self._bias = Climatology(day)
        self._band, self._plain = AdaptiveBand(day), AdaptiveBand(day, blocks=1)
        self._day = day
        self._robust = np.array([math.isfinite(huber) for _, huber in memories])
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
            self._models.learn(unpacked(lesson.features), value - base, np.where(self._robust, lesson.scale, 1.0))
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
                features=packed(features) if math.isfinite(view.experts[0]) else b"",
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
            return np.full(len(self._robust), np.nan)
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
        """A plain copy of everything remembered."""
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
