"""The affine map from the values of a file to nominal [0, 1]."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from ipx.errors import InputError
from ipx.files.format import Array

IDENTITY_LOW, IDENTITY_HIGH = -2.0, 3.0
"""Float files with all values in this interval count as images in [0, 1] with noise."""

DIM = 0.05
"""Float files with smaller values only are scaled to [0, 1]: they have another unit."""

LARGEST = 10.0
"""Float files whose zero is kept are scaled to [0, 1] if a value is larger than this in size."""

EXACT = 2.0**53


def top(dtype: npt.DTypeLike) -> float:
    """The sample value of 1: the largest of an integer type, 1 for floats."""
    dtype = np.dtype(dtype)
    return 1.0 if dtype.kind == "f" else float(np.iinfo(dtype).max)


def affine(
    values: Array, value_range: tuple[float, float] | None, name: str, absolute: bool = False
) -> tuple[float, float]:
    """``(scale, offset)`` of the values of a file, see `ipx.files.images.read`."""
    if value_range is not None:
        low, high = (float(v) for v in value_range)
        if not (np.isfinite([low, high]).all() and low < high):
            raise InputError(f"{name}: a range of values is low, high with low < high")
        return high - low, low
    if values.dtype in (np.uint8, np.uint16):
        return top(values.dtype), 0.0
    if absolute:
        return _size(values), 0.0
    low, high = float(values.min()), float(values.max())
    nominal = low >= IDENTITY_LOW and high <= IDENTITY_HIGH
    if values.dtype.kind == "f" and nominal and (max(-low, high) >= DIM or low == high):
        return 1.0, 0.0
    if max(-low, high) > EXACT and values.dtype.kind != "f":
        raise InputError(f"{name}: has integers beyond 2^53; save it with at most 32 bits")
    zero = 0.0 if -0.1 * high <= low <= 0.5 * high else low  # that of counts stays
    scale = high - zero
    if not np.isfinite(scale):
        raise InputError(f"{name}: has values too large to work with, up to {max(-low, high):g}")
    return scale or 1.0, zero


def _size(values: Array) -> float:
    """The value that becomes 1 in data whose zero is kept."""
    largest = float(np.abs(values, dtype=np.float64).max())
    small = values.dtype.kind == "f" and DIM <= largest <= LARGEST
    return 1.0 if small or not largest else largest
