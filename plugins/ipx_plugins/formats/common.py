"""Shared by several formats: EXIF orientation, and decoding with Pillow."""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from PIL import Image

from ipx import InputError, Raster
from ipx.files.format import check_size

ORIENTATION = 274
"""Number of the orientation tag in EXIF and TIFF; the value 1 means upright."""


def orientation_of(tags: Any) -> int:
    """The orientation in EXIF tags, 1 to 8; 1 if there is none."""
    found = tags.get(ORIENTATION)
    return found if isinstance(found, int) else 1


def with_pillow(data: bytes, *formats: str, ratio: float | None = None) -> Raster:
    """An 8-bit picture, L, RGB or RGBA, in one of these formats; errors name the first.

    Args:
        data: the file.
        formats: Pillow's names.
        ratio: see `ipx.files.format.check_size`.

    Raises:
        InputError: another colour mode, an animation, or a size that is refused.
    """
    with unlimited(), Image.open(io.BytesIO(data), formats=formats) as image:
        if image.mode not in ("L", "RGB", "RGBA"):
            raise InputError(f"is a {image.mode} {formats[0]}; convert it to RGB or grey")
        if image.format != "MPO" and getattr(image, "is_animated", False):
            raise InputError("is an animation; save one frame of it")
        check_size(*image.size, len(image.mode), len(data), ratio)
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


@contextmanager
def unlimited() -> Iterator[None]:
    """Pillow without a limit of its own: `check_size` knows the one of the user."""
    before = Image.MAX_IMAGE_PIXELS
    Image.MAX_IMAGE_PIXELS = None
    try:
        yield
    finally:
        Image.MAX_IMAGE_PIXELS = before


_MARKER = re.compile(rb"\xff+[^\x00\xff]")
_PADDING = bytes(range(1, 65))


def padded_jpeg(data: bytes) -> bytes:
    """A JPEG stream with bytes added to the end of each coded segment.

    libjpeg fills a segment that is too short with zeros and only warns. It skips bytes after the
    end of a complete one. So a stream is complete if this one gives the same pixels.

    Raises:
        InputError: there is no end marker.
    """
    out, at, coded = bytearray(data[:2]), 2, False
    while (found := _MARKER.search(data, at)) is not None:
        out += data[at : found.start()] + _PADDING * coded + found.group()
        at = found.end()
        kind = data[at - 1]
        if kind == 0xD9:  # the end
            return bytes(out) + data[at:]
        if 0xD0 <= kind <= 0xD7:  # a restart within coded data
            continue
        length = int.from_bytes(data[at : at + 2])
        out += data[at : at + length]
        at += length
        coded = kind == 0xDA  # coded data follow the header of a scan
    raise InputError("is a truncated JPEG; get a whole copy of it")
