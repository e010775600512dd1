"""How loud each receiver hears a tag in each place, and how likely an observation is there.

Theory of operation
    Of a place r and receiver g are known the median μ and spread σ of the signal (dBm, dB) and the share π of
    seconds in which g hears nothing of a tag in r. A second's observation z (NaN where silent) has

        ln p(z | r) = Σ_heard [ln(1 - π) - ln σ] + Σ_silent ln π - ½ (q₁ - s² q₂² / (1 + s² q₃)) - ½ ln(1 + s² q₃)
        q₁ = Σ_heard (z-μ)²/σ²    q₂ = Σ_heard (z-μ)/σ²    q₃ = Σ_heard 1/σ²

    that is: independent receivers, σ at least 4 dB, and one offset common to all receivers of that second, N(0, s²),
    integrated out (Sherman-Morrison). It stands for what makes a tag weaker everywhere at once: the body that
    carries it, its battery, its make. Powers of z are products of matrices, so all tags cost two products.

Assumptions: medians hold for weeks; what is not common is independent. Failure mode: rooms with equal fingerprints.
Source: Gaussian fingerprints as in RADAR (Bahl & Padmanabhan 2000); median and MAD because packets have tails.
"""

import math
from collections.abc import Sequence

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

Array = NDArray[np.float64]

SPREAD_LEAST_DB = 4.0
COMMON_DB = 3.0  # s
MAD_TO_SD = 1.4826  # of a normal distribution
SILENT_LEAST = 0.02  # nothing is certain
UNHEARD_DBM = -95.0  # what a receiver that never heard a place would hear at best
UNHEARD_SPREAD_DB = 8.0
FEW = 3  # fewer readings have no spread


class Fingerprints(Struct, frozen=True, eq=False):
    """median (dBm), spread (dB, of the table, before the floor), silent (share 0..1): each (places, receivers).

    Raises ValueError when the shapes differ or a number is not finite.
    """

    median: Array
    spread: Array
    silent: Array

    def __post_init__(self) -> None:
        if self.median.ndim != 2 or not self.median.shape == self.spread.shape == self.silent.shape:
            raise ValueError("median, spread and silent must have one shape (places, receivers)")
        if not all(np.isfinite(table).all() for table in (self.median, self.spread, self.silent)):
            raise ValueError("a fingerprint that is not finite")


class Likelihood:
    """ln p of Fingerprints, ready to be asked often. common_db: s, 0 for receivers that err independently.

    >>> table = Fingerprints(np.array([[-60.0], [-80.0]]), np.full((2, 1), 4.0), np.full((2, 1), 0.1))
    >>> int(Likelihood(table)(np.array([[-62.0]])).argmax())
    0
    """

    def __init__(self, table: Fingerprints, common_db: float = COMMON_DB) -> None:
        sd = np.maximum(table.spread, SPREAD_LEAST_DB)
        silent = np.clip(table.silent, SILENT_LEAST, 1.0 - SILENT_LEAST)
        self.receivers = table.median.shape[1]
        self._common = common_db**2
        precision = 1.0 / sd**2
        pull = table.median * precision
        heard = np.log1p(-silent) - np.log(sd) - 0.5 * math.log(2 * math.pi) - np.log(silent)
        self._silent = np.log(silent).sum(axis=1)
        # [heard, z, z²] @ these: the quadratic form, the pull of the common offset, its precision
        zero = np.zeros_like(precision)
        self._square = np.hstack([heard - 0.5 * table.median * pull, pull, -0.5 * precision]).T.copy()
        self._pull = np.hstack([-pull, precision]).T.copy()
        self._precision = np.hstack([precision, zero]).T[: self.receivers].copy()

    def __call__(self, levels: Array) -> Array:
        """ln p (tags, places) of levels (tags, receivers) in dBm, NaN where nothing was heard."""
        silent = np.isnan(levels)
        z = np.where(silent, 0.0, levels)
        heard = (~silent).astype(np.float64)
        both = np.hstack([heard, z])
        square = np.hstack([both, z * z]) @ self._square
        pull = both @ self._pull
        shrink = 1.0 + self._common * (heard @ self._precision)
        result: Array = square + 0.5 * self._common * pull**2 / shrink - 0.5 * np.log(shrink) + self._silent
        return result


def fingerprint(levels: Sequence[float], seconds: int) -> tuple[float, float, float]:
    """(median, spread, silent share) of what one receiver heard in one place: a level (dBm) per second in which it
    heard the tag, out of `seconds` in which anybody did.

    >>> fingerprint([-60.0, -62.0, -61.0, -75.0], 8)
    (-61.5, 1.4826, 0.5)
    """
    sound = [level for level in levels if math.isfinite(level)]
    # one second of each kind is added, so that nothing is certain after a short walk
    silent = (max(0, seconds - len(sound)) + 1) / (seconds + 2)
    if not sound:
        return UNHEARD_DBM, UNHEARD_SPREAD_DB, round(silent, 4)
    middle = float(np.median(sound))
    if len(sound) < FEW:
        return round(middle, 2), UNHEARD_SPREAD_DB, round(silent, 4)
    return round(middle, 2), round(MAD_TO_SD * float(np.median(np.abs(np.array(sound) - middle))), 4), round(silent, 4)
