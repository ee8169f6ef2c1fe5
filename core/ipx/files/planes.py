"""Volumes and stacks shown as one picture: their middle plane, and sections."""

from __future__ import annotations

import numpy as np

from ipx.files.format import Array

GAP = 2
"""Rows without values between two sections."""


def middle(pixels: Array) -> Array:
    """The middle plane ``(C, H, W)`` of a volume ``(C, D, H, W)``; other pictures as they are."""
    return pixels[:, pixels.shape[1] // 2] if pixels.ndim == 4 else pixels


def sections(pixels: Array) -> Array:
    """The middle plane of a volume ``(C, D, H, W)``, and below it the section of x and z.

    The rows between them are NaN, so that no scale depends on them. Pictures ``(C, H, W)`` are left
    as they are.
    """
    if pixels.ndim != 4:
        return pixels
    along = pixels[:, :, pixels.shape[2] // 2]  # (C, D, W), in the middle row
    gap = np.full((len(pixels), GAP, pixels.shape[3]), np.nan, pixels.dtype)
    return np.concatenate([middle(pixels), gap, along], axis=1)


def single(pixels: Array, axes: str) -> Array:
    """The middle picture or volume of a stack; without ``T`` in its axes all of it."""
    return pixels[len(pixels) // 2] if axes.startswith("T") else pixels
