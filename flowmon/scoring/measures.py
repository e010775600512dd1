"""How good estimates and bands are. Arrays of equal shape (n,), units of the truth; fractions are of 1."""

import math

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

ROLLING = 500
MISS = 0.1  # of a 90 % band


def wape(estimate: Array, truth: Array) -> float | None:
    """Σ|e| / Σ truth.

    >>> wape(np.array([9.0, 12.0]), np.array([10.0, 10.0]))
    0.15
    """
    total = float(np.sum(truth))
    return plain(np.sum(np.abs(estimate - truth)) / total) if total > 0 else None


def coverage(lo: Array, hi: Array, truth: Array) -> float | None:
    """Share of truths inside the band.

    >>> coverage(np.array([1.0, 1.0]), np.array([3.0, 3.0]), np.array([2.0, 4.0]))
    0.5
    """
    return plain(np.mean((truth >= lo) & (truth <= hi))) if len(truth) else None


def worst_rolling(lo: Array, hi: Array, truth: Array, window: int = ROLLING) -> float | None:
    """The lowest coverage of any `window` in a row; None when there are fewer."""
    if len(truth) < window:
        return None
    inside = np.concatenate([[0.0], np.cumsum((truth >= lo) & (truth <= hi))])
    return plain((inside[window:] - inside[:-window]).min() / window)


def winkler(lo: Array, hi: Array, truth: Array, miss: float = MISS) -> float | None:
    """Interval score: mean width plus 2/miss times what lies outside (Gneiting & Raftery 2007), less is better."""
    outside = np.maximum(lo - truth, 0.0) + np.maximum(truth - hi, 0.0)
    return plain(np.mean(hi - lo + 2.0 / miss * outside)) if len(truth) else None


def plain(value: float | np.floating) -> float | None:
    """A float to six digits for JSON; None when it is not finite."""
    number = float(value)
    return round(number, 6) if math.isfinite(number) else None
