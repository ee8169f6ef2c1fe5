"""Samples of files: their types and ranges, alpha, orientation."""

from __future__ import annotations

import numpy as np
from PIL import Image

from ipx.errors import InputError
from ipx.files.affine import EXACT, top
from ipx.files.format import Array


def map_of(like: tuple[float, float] | None, dtype: str | None, name: str) -> tuple[float, float]:
    """Scale and offset of samples: those of the input, or of the full range of a type."""
    return (top(name), 0.0) if like is None or dtype is not None else like


def as_type(values: Array, name: str) -> Array:
    """float64 values as samples of this type: rounded and clipped for integers only."""
    if np.dtype(name).kind == "f":
        with np.errstate(over="ignore"):
            return values.astype(name)
    limits = np.iinfo(name)
    low, high = max(limits.min, -EXACT), min(limits.max, EXACT)
    return np.rint(values).clip(low, high).astype(name)


def alpha_of(alpha: Array, size: tuple[int, ...], name: str) -> Array:
    """Alpha in this size and type; unchanged if it has both."""
    if alpha.shape == size and alpha.dtype.name == name:
        return alpha
    values = alpha.astype(np.float64) / opaque(alpha)
    if alpha.shape != size:
        image = Image.fromarray(values.astype(np.float32))
        values = np.asarray(image.resize((size[1], size[0]), Image.Resampling.BILINEAR))
    largest = opaque(alpha) if alpha.dtype.name == name else top(name)
    return as_type(values.astype(np.float64) * largest, name)


def opaque(alpha: Array) -> float:
    """The alpha of opaque: the largest of an integer type; for floats 1, or a larger maximum."""
    return max(top(alpha.dtype), float(alpha.max()))


def upright(samples: Array, orientation: int) -> Array:
    """``(H, W, S)`` rotated and flipped upright (EXIF 2.32, tag 0x0112)."""
    if orientation in (5, 6, 7, 8):
        samples = samples.swapaxes(0, 1)
    if orientation in (3, 4, 7, 8):
        samples = samples[::-1]
    if orientation in (2, 3, 6, 7):
        samples = samples[:, ::-1]
    return samples


def samples_of(path: object, pixels: Array, scale: float, offset: float, name: str) -> Array:
    """Pixels ``(C, H, W)`` as samples ``(H, W, C)`` of this type for the file ``path``.

    Raises:
        InputError: a value is not finite, or too large for the type.
    """
    if not np.isfinite(pixels).all():
        raise InputError(f"{path}: not written, the image has values that are NaN or infinite")
    samples = as_type(np.moveaxis(pixels.astype(np.float64) * scale + offset, 0, -1), name)
    if not np.isfinite(samples).all():
        raise InputError(
            f"{path}: not written, {name} is too small for the values; ask for float32"
        )
    return samples
