"""Numbers as they are remembered: with as many digits as they deserve, in few bytes.

A mean that drifts by a twentieth of every error does not need sixteen digits, and digits of noise cannot be
compressed. What an estimator goes on with is what it would read back, so a restart changes nothing.
"""

import math

import numpy as np
from numpy.typing import NDArray

BITS = 13  # a hundredth of a per cent


def short(value: float) -> float:
    """`value` to 13 significant bits. NaN and infinity stay.

    >>> short(123.456789), short(0.0), short(-2.5)
    (123.453125, 0.0, -2.5)
    """
    if not math.isfinite(value):
        return value
    mantissa, exponent = math.frexp(value)
    return math.ldexp(round(math.ldexp(mantissa, BITS)), exponent - BITS)


def packed(values: NDArray[np.float64]) -> bytes:
    """A flat array as little-endian float32, which holds what `short` gives."""
    return values.astype("<f4").tobytes()


def unpacked(data: bytes) -> NDArray[np.float64]:
    """The array of `packed`."""
    return np.frombuffer(data, dtype="<f4").astype(np.float64)
