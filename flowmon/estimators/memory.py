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


def packed(values: NDArray[np.floating], kind: str = "<f4") -> bytes:
    """A flat array as numbers of `kind`: first the first byte of each, then the second, which compresses well.

    float32 holds what `short` gives.
    """
    plain = np.ascontiguousarray(values, dtype=kind)
    return plain.view(np.uint8).reshape(-1, plain.itemsize).T.tobytes()


def unpacked(data: bytes, kind: str = "<f4") -> NDArray[np.float64]:
    """The array of `packed`. Raises ValueError when it cannot be one.

    >>> unpacked(packed(np.array([1.5, -2.0]))).tolist()
    [1.5, -2.0]
    """
    planes = np.frombuffer(data, dtype=np.uint8).reshape(np.dtype(kind).itemsize, -1)
    return np.ascontiguousarray(planes.T).view(kind).reshape(-1).astype(np.float64)
