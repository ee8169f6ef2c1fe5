"""Shared by several formats: EXIF orientation, and decoding with Pillow."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
from PIL import Image

from ipx import InputError, Raster

ORIENTATION = 274
"""Number of the orientation tag in EXIF and TIFF; the value 1 means upright."""


def orientation_of(tags: Any) -> int:
    """The orientation in EXIF tags, 1 to 8; 1 if there is none."""
    found = tags.get(ORIENTATION)
    return found if isinstance(found, int) else 1


def with_pillow(data: bytes, *formats: str) -> Raster:
    """An 8-bit picture, L, RGB or RGBA, in one of these formats; errors name the first.

    Raises:
        InputError: another colour mode, or an animation.
    """
    with Image.open(io.BytesIO(data), formats=formats) as image:
        if image.mode not in ("L", "RGB", "RGBA"):
            raise InputError(f"is a {image.mode} {formats[0]}; convert it to RGB or grey")
        if image.format != "MPO" and getattr(image, "is_animated", False):
            raise InputError("is an animation; save one frame of it")
        icc = image.info.get("icc_profile")
        try:
            orientation = orientation_of(image.getexif())
        except Exception:  # damaged EXIF does not affect the pixels
            orientation = 1
        samples = np.array(image)
    return Raster(
        samples.reshape(*samples.shape[:2], -1),
        alpha=image.mode == "RGBA",
        icc=icc or None,
        orientation=orientation,
    )
