"""An image file as a network takes it: grey or colour, of one side."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from PIL import Image

from ipx.errors import InputError
from ipx.files.format import Array
from ipx.files.images import read

LUMA = np.array([0.299, 0.587, 0.114])
"""Weights of red, green and blue in the grey value (Rec. ITU-R BT.601)."""


def recoloured(name: str, pixels: Array, channels: int) -> Array:
    """Pixels ``(C, H, W)`` with C = ``channels``, 1 or 3, of the same type.

    Grey becomes three equal channels; colour becomes its luma.

    Raises:
        InputError: there are more bands than those of a colour image.
    """
    if pixels.shape[0] == channels:
        return np.ascontiguousarray(pixels)
    if pixels.shape[0] not in (1, 3):
        raise InputError(f"{name}: has {pixels.shape[0]} bands; use grey or colour images")
    if channels == 3:
        return pixels.repeat(3, 0)
    grey = np.tensordot(LUMA, pixels, 1)[None]
    made: Array = (grey.round() if pixels.dtype.kind == "u" else grey).astype(pixels.dtype)
    return made


def picture(path: Path, channels: int, side: int | None = None) -> Array:
    """The image in a file, ``(channels, H, W)`` float32 in [0, 1].

    Args:
        path: the file.
        channels: 1 or 3, see `recoloured`.
        side: the largest square is cut from the middle and resized (Lanczos) to this side.

    Raises:
        InputError: the file cannot be read, or has more bands than those of a colour image.
    """
    pixels = recoloured(str(path), read(path).pixels.astype(np.float32), channels)
    if side is None:
        return pixels
    _, h, w = pixels.shape
    least = min(h, w)
    top, left = (h - least) // 2, (w - least) // 2
    box = (left, top, left + least, top + least)
    resized = [
        Image.fromarray(c).resize((side, side), Image.Resampling.LANCZOS, box) for c in pixels
    ]
    return np.stack([np.asarray(c) for c in resized])
