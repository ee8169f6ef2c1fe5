"""Images of a page: arrays as PNG inside the page, signed and unbounded ones in false colours."""

from __future__ import annotations

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from PIL import Image

from ipx.files.format import Array
from ipx.files.panel import NO_VALUE, brightening, eight_bit

LARGEST = 1024
"""Longest side of an image in a page, in pixels; larger ones are shrunk."""

THUMBNAIL = 144
"""Longest side of a thumbnail in pixels."""

SIGNED = np.array([(22, 79, 134), (98, 160, 205), (247, 247, 247), (226, 130, 96), (150, 24, 43)])
"""Colours from negative over zero to positive values."""

RISING = np.array(
    [(68, 1, 84), (72, 40, 120), (62, 74, 137), (49, 104, 142), (38, 130, 142),
     (31, 158, 137), (53, 183, 121), (109, 205, 89), (180, 222, 44), (253, 231, 37)]
)  # fmt: skip
"""Colours from the smallest to the largest value (viridis, thinned)."""


@dataclass(frozen=True, eq=False)
class Shown:
    """An image of a page.

    Attributes:
        name: the key of the image, such as ``restored``.
        title: its name for the reader.
        pixels: ``(C, H, W)``; NaN where there is no value.
        look: ``image`` in nominal [0, 1]; ``signed`` around zero; ``map`` from its smallest to its
            largest value.
        note: one line below it.
    """

    name: str
    title: str
    pixels: Array
    look: Literal["image", "signed", "map"] = "image"
    note: str = ""


@dataclass(frozen=True)
class Drawn:
    """An image ready for a page.

    Attributes:
        uri: the content of the file, for ``src``.
        size: width and height of the array in pixels.
        scale: the false colours as ``(first value, last value, kind)``; None for true ones.
        shrunk: the page holds fewer pixels than the array.
    """

    shown: Shown
    uri: str
    size: tuple[int, int]
    scale: tuple[float, float, str] | None = None
    shrunk: bool = False


def drawn(images: Sequence[Shown]) -> list[Drawn]:
    """The images for a page; true-colour ones are brightened by one factor, as in a panel."""
    gain = gain_of(images)
    return [_drawn(shown, gain) for shown in images]


def gain_of(images: Sequence[Shown]) -> float:
    """The factor by which the true-colour images are brightened, 1 unless all are dim."""
    return brightening([s.pixels for s in images if s.look == "image"])


def thumbnail(pixels: Array) -> str:
    """A small JPEG of an image ``(C, H, W)`` in nominal [0, 1], for ``src``.

    Dim ones are brightened, see `brightening`.
    """
    picture = Image.fromarray(_true(pixels, brightening([pixels])))
    picture.thumbnail((THUMBNAIL, THUMBNAIL))
    return _uri(picture, "JPEG", quality=82)


def _drawn(shown: Shown, gain: float) -> Drawn:
    scale: tuple[float, float, str] | None = None
    if shown.look == "image":
        values = _true(shown.pixels, gain)
    else:
        plane = np.asarray(shown.pixels, np.float64).mean(0)
        low, high = _limits(plane, shown.look)
        values = _coloured(plane, low, high, SIGNED if shown.look == "signed" else RISING)
        scale = (low, high, shown.look)
    picture = Image.fromarray(values)
    size = picture.size
    shrunk = max(size) > LARGEST
    if shrunk:
        picture.thumbnail((LARGEST, LARGEST), Image.Resampling.LANCZOS)
    return Drawn(shown, _uri(picture, "PNG"), size, scale, shrunk)


def _limits(plane: Array, look: str) -> tuple[float, float]:
    """The values at the ends of the colours: 0.5 % of the pixels may lie beyond them."""
    finite = plane[np.isfinite(plane)]
    if not finite.size:
        return 0.0, 1.0
    if look == "signed":
        top = max(float(np.quantile(np.abs(finite), 0.995)), 1e-12)
        return -top, top
    low, high = (float(q) for q in np.quantile(finite, [0.005, 0.995]))
    return (low, high) if high > low else (low, low + 1e-12)


def _coloured(plane: Array, low: float, high: float, colours: Array) -> Array:
    """``(H, W, 3)`` uint8; grey where there is no value."""
    place = np.nan_to_num((plane - low) / (high - low)).clip(0, 1)
    stops = np.linspace(0, 1, len(colours))
    out = np.stack([np.interp(place, stops, colours[:, i]) for i in range(3)], -1)
    out[~np.isfinite(plane)] = NO_VALUE
    rounded: Array = np.rint(out).astype(np.uint8)
    return rounded


def _true(pixels: Array, gain: float) -> Array:
    """``(H, W, 3)`` uint8, clipped to [0, 1]."""
    return np.ascontiguousarray(eight_bit(np.asarray(pixels), gain))


def _uri(picture: Image.Image, kind: str, **how: int) -> str:
    file = io.BytesIO()
    grey = kind == "PNG" and picture.mode == "RGB" and _is_grey(picture)
    (picture.convert("L") if grey else picture).save(file, kind, **how)
    return f"data:image/{kind.lower()};base64,{base64.b64encode(file.getvalue()).decode()}"


def _is_grey(picture: Image.Image) -> bool:
    values = np.asarray(picture)
    return bool((values == values[..., :1]).all())
