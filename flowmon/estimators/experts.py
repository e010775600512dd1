"""Several forecasts, one answer: weights by how well each did lately.

Theory of operation
    L_k: exponentially weighted mean of |y - ŷ_k| over the last `memory` labels
    weight_k ∝ exp(-κ · (L_k / min L - 1)),  κ = 10: an expert 10 % worse than the best counts e⁻¹
    Experts that say nothing (NaN) have no weight. The answer never leaves the range of the experts.

Assumptions: what was good lately is good now. Failure mode: experts that are all wrong together. Losses are relative
to the best expert, so that no learning rate has to be tuned to the size of the numbers.

Source: exponentially weighted average forecaster, Cesa-Bianchi & Lugosi 2006, ch. 2; with forgetting, Herbster &
Warmuth 1998.
"""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Array = NDArray[np.float64]

KAPPA = 10.0


class ExpertsState(Struct, frozen=True):
    """loss: mean absolute error per expert; labels: how many each was judged by."""

    version: int
    loss: list[float]
    labels: list[int]


class Experts:
    """A weighted average of `count` forecasts.

    >>> experts = Experts(2, memory=50)
    >>> for _ in range(20): experts.learn(np.array([10.0, 14.0]), label=10.5)
    >>> round(experts.estimate(np.array([20.0, 30.0])), 2)
    20.0
    >>> experts.estimate(np.array([np.nan, 30.0]))
    30.0
    """

    def __init__(self, count: int, memory: float) -> None:
        if count < 1 or memory < 1:
            raise ValueError("at least one expert and one label of memory")
        self._rate = 1.0 / memory
        self._loss = np.zeros(count)
        self._labels = np.zeros(count, dtype=np.int64)

    def learn(self, forecasts: Array, label: float) -> None:
        """`forecasts` (count,) were followed by `label`. NaN experts are not judged."""
        if not np.isfinite(label):
            return
        told = np.isfinite(forecasts)
        self._labels[told] += 1
        rate = np.maximum(self._rate, 1.0 / np.maximum(self._labels, 1))  # a plain mean at first
        self._loss[told] += (rate * (np.abs(forecasts - label) - self._loss))[told]

    @property
    def losses(self) -> Array:
        """Mean absolute error of each lately, shape (count,); zero before the first label."""
        return self._loss

    @property
    def labels(self) -> int:
        """How many labels the least judged expert was judged by."""
        return int(self._labels.min())

    def weights(self, told: NDArray[np.bool_]) -> Array:
        """Shares (count,) of the experts that say something; they sum to one, or to zero when none does."""
        if not told.any():
            return np.zeros(len(self._loss))
        # Who was not judged yet is as good as the worst.
        loss = np.where(self._labels > 0, self._loss, self._loss.max(initial=0.0))
        best = loss[told].min()
        relative = (loss - best) / max(best, 1e-9)
        weights = np.where(told, np.exp(-np.minimum(KAPPA * relative, 700.0)), 0.0)
        return np.asarray(weights / weights.sum())

    def estimate(self, forecasts: Array) -> float:
        """The weighted average; NaN when no expert says anything."""
        told = np.isfinite(forecasts)
        if not told.any():
            return float("nan")
        return float(self.weights(told)[told] @ forecasts[told])

    @property
    def state(self) -> ExpertsState:
        """A plain copy of everything remembered."""
        return ExpertsState(1, self._loss.tolist(), self._labels.tolist())

    @state.setter
    def state(self, state: ExpertsState) -> None:
        if len(state.loss) != len(self._loss):
            raise ValueError(f"the state has {len(state.loss)} experts, not {len(self._loss)}: start anew")
        self._loss, self._labels = np.array(state.loss), np.array(state.labels, dtype=np.int64)
