"""Is A better than B? The ratio of their errors with an interval from resampled days.

Errors of one day hang together, so whole days are drawn with replacement, the same days for both (paired day-block
bootstrap, 1,000 resamples, seeded: the same file gives the same interval). "Beats" is claimed only when the 95 %
interval of the ratio excludes 1. Source: Künsch 1989; Efron & Tibshirani 1993, ch. 8.
"""

from collections.abc import Hashable, Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

RESAMPLES = 1_000
DAYS_MIN = 5
CHUNK = 50  # resamples at a time: bounded memory


class Ratio(Struct, frozen=True):
    """MAE of the model ÷ MAE of the baseline with its 95 % interval; None when it cannot be told."""

    ratio: float | None
    lo: float | None
    hi: float | None
    days: int

    @property
    def beats(self) -> bool:
        """The model is better, beyond chance."""
        return self.hi is not None and self.hi < 1.0

    @property
    def loses(self) -> bool:
        """The model is worse, beyond chance."""
        return self.lo is not None and self.lo > 1.0


def ratio(model: NDArray[np.float64], baseline: NDArray[np.float64], days: Sequence[Hashable]) -> Ratio:
    """Absolute errors of both (n,) and the day (any block) of each.

    >>> errors = np.ones(100)
    >>> found = ratio(0.5 * errors, errors, [n // 10 for n in range(100)])
    >>> found.ratio, found.beats
    (0.5, True)
    """
    number: dict[Hashable, int] = {}
    block = np.array([number.setdefault(day, len(number)) for day in days], dtype=np.int64)
    count = len(number)
    ours = np.bincount(block, weights=model, minlength=count)
    theirs = np.bincount(block, weights=baseline, minlength=count)
    if not count or theirs.sum() <= 0:
        return Ratio(None, None, None, count)
    value = round(float(ours.sum() / theirs.sum()), 6)
    if count < DAYS_MIN:
        return Ratio(value, None, None, count)
    dice = np.random.default_rng(20_260_101)
    found = []
    for _ in range(RESAMPLES // CHUNK):
        drawn = dice.integers(0, count, size=(CHUNK, count))
        found.append(ours[drawn].sum(axis=1) / np.maximum(theirs[drawn].sum(axis=1), 1e-12))
    lo, hi = np.quantile(np.concatenate(found), [0.025, 0.975])
    return Ratio(value, round(float(lo), 6), round(float(hi), 6), count)
