"""Linear models that learn with every label: recursive least squares, several forgetting rates side by side.

Theory of operation
    ŷ = z·θ;   with weight w and forgetting λ:
        g = P z / (λ/w + zᵀP z);   θ ← θ + g (y - ŷ);   P ← (P - g zᵀP) / λ, symmetrised
    w = 1/scale², the inverse variance the caller expects of the label, times Huber's weight min(1, k/|e|): a label far
    out moves the model as if it were k scales away, so that one coach party does not rewrite a month.
    K models share z and differ in λ and k; they are updated as one (K, d, d) product.

Assumptions: a linear relation that moves slowly. Failure modes and their guards: one NaN freezes the model for good
(refused before it touches the state); features that vanish while λ forgets blow P up (P falls back to its prior when
its trace is out of bounds, negative or not finite; θ stays); heavy-tailed features (the caller clips them).

Source: Haykin, Adaptive Filter Theory, ch. 10; Huber 1964.
"""

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from flowmon.estimators.memory import packed, unpacked

Array = NDArray[np.float64]

TRACE_MAX = 1e4  # × d × the prior: beyond that P is numbers, not knowledge


class RecursiveState(Struct, frozen=True):
    """theta: (K, d); covariance: upper triangles of (K, d, d), packed; labels: how many were learned."""

    version: int
    theta: list[list[float]]
    covariance: bytes
    labels: int


class RecursiveLeastSquares:
    """K linear models over d features.

    forgetting: λ per model in (0, 1]; huber: k per model in scales, infinity for plain squares; prior: variance of θ.
    single: P is remembered in single precision, in half the bytes.

    >>> model = RecursiveLeastSquares(2, forgetting=(1.0, 0.99), prior=1e3)
    >>> for x in range(50): model.learn(np.array([1.0, x % 7]), 3.0 + 2.0 * (x % 7))
    >>> model.estimate(np.array([1.0, 10.0])).round(1).tolist()
    [23.0, 23.0]
    """

    def __init__(
        self,
        features: int,
        forgetting: tuple[float, ...],
        huber: tuple[float, ...] | None = None,
        prior: float = 1.0,
        *,
        single: bool = False,
    ) -> None:
        if features < 1 or not forgetting or not all(0.0 < each <= 1.0 for each in forgetting):
            raise ValueError("at least one feature and one forgetting factor, each in (0, 1]")
        self._forgetting = np.array(forgetting)
        self._huber = np.full(len(forgetting), np.inf) if huber is None else np.array(huber)
        self._prior = prior * np.eye(features)
        self._triangle, self._bytes = np.triu_indices(features), "<f4" if single else "<f8"
        self._theta = np.zeros((len(forgetting), features))
        self._covariance = np.tile(self._prior, (len(forgetting), 1, 1))
        self.labels = 0

    def learn(self, features: Array, label: float, scale: float | Array = 1.0) -> None:
        """`features` (d,) were followed by `label`, expected to vary by `scale` (> 0; one, or one per model).

        What is not finite is refused.
        """
        spread = np.asarray(scale, dtype=np.float64)
        if not (np.isfinite(features.sum() + label + spread.sum()) and spread.min() > 0.0):
            return
        error = label - self._theta @ features
        off = np.maximum(np.abs(error) / spread, 1e-12)
        noise = spread**2 * np.maximum(1.0, off / self._huber)
        gained = self._covariance @ features
        gain = gained / (self._forgetting * noise + gained @ features)[:, None]
        self._theta += gain * error[:, None]
        covariance = (self._covariance - gain[:, :, None] * gained[:, None, :]) / self._forgetting[:, None, None]
        covariance = 0.5 * (covariance + covariance.transpose(0, 2, 1))
        self._covariance = covariance.astype(self._bytes).astype(np.float64)  # as it is remembered
        self.labels += 1
        self._guard()

    def estimate(self, features: Array) -> Array:
        """ŷ of each model, shape (K,); NaN when a feature is not finite."""
        return np.asarray(self._theta @ features)

    @property
    def state(self) -> RecursiveState:
        """A plain copy of everything remembered."""
        triangles = self._covariance[:, *self._triangle]
        return RecursiveState(2, self._theta.tolist(), packed(triangles.reshape(-1), self._bytes), self.labels)

    @state.setter
    def state(self, state: RecursiveState) -> None:
        theta, triangles = np.array(state.theta), unpacked(state.covariance, self._bytes)
        if theta.shape != self._theta.shape or triangles.size != len(theta) * len(self._triangle[0]):
            raise ValueError(f"the state is of shape {theta.shape}, not {self._theta.shape}: start anew")
        upper = np.zeros_like(self._covariance)
        upper[:, *self._triangle] = triangles.reshape(len(theta), -1)
        lower = np.tril(upper.transpose(0, 2, 1), -1)
        self._theta, self._covariance, self.labels = theta, upper + lower, state.labels

    def _guard(self) -> None:
        """Models whose covariance left its bounds get the prior again; one that is not finite starts anew."""
        diagonal = self._covariance.diagonal(axis1=1, axis2=2)
        bound = TRACE_MAX * self._prior.trace()
        for lost in np.flatnonzero(~((diagonal.sum(axis=1) < bound) & (diagonal.min(axis=1) > 0.0))):
            self._covariance[lost] = self._prior
        for broken in np.flatnonzero(~np.isfinite(self._theta).all(axis=1)):
            self._theta[broken] = 0.0
