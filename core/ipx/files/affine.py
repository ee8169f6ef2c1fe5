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
    fixed = value_range is not None or values.dtype in (np.uint8, np.uint16)
    ends = (0.0, 0.0) if fixed else (float(values.min()), float(values.max()))
    return affine_of(values.dtype, *ends, value_range, name, absolute)


def affine_of(
    dtype: npt.DTypeLike,
    low: float,
    high: float,
    value_range: tuple[float, float] | None,
    name: str,
    absolute: bool = False,
) -> tuple[float, float]:
    """`affine` of values of this type, from the smallest and the largest of them."""
    dtype = np.dtype(dtype)
    if value_range is not None:
        low, high = (float(v) for v in value_range)
        if not (np.isfinite([low, high]).all() and low < high):
            raise InputError(f"{name}: a range of values is low, high with low < high")
        return high - low, low
    if dtype in (np.uint8, np.uint16):
        return top(dtype), 0.0
    floats = dtype.kind == "f"
    if absolute:
        return _size(max(-low, high), floats), 0.0
    nominal = low >= IDENTITY_LOW and high <= IDENTITY_HIGH
    if floats and nominal and (max(-low, high) >= DIM or low == high):
        return 1.0, 0.0
    if max(-low, high) > EXACT and not floats:
        raise InputError(f"{name}: has integers beyond 2^53; save it with at most 32 bits")
    zero = 0.0 if -0.1 * high <= low <= 0.5 * high else low  # that of counts stays
    scale = high - zero
    if not np.isfinite(scale):
        raise InputError(f"{name}: has values too large to work with, up to {max(-low, high):g}")
    return scale or 1.0, zero


def _size(largest: float, floats: bool) -> float:
    """The value that becomes 1 in data whose zero is kept, the largest of which is this."""
    small = floats and DIM <= largest <= LARGEST
    return 1.0 if small or not largest else largest
