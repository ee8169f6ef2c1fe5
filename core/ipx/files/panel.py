"""Panels: images side by side with titles and figures."""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ipx.declare.foreign import IOSpec
from ipx.errors import InputError
from ipx.files import codec
from ipx.files.atomic import write_atomic
from ipx.files.format import Array, Raster, is_image
from ipx.files.lookup import by_suffix, formats, listing

Column: TypeAlias = tuple[str, Array, str]
Font: TypeAlias = ImageFont.FreeTypeFont | ImageFont.ImageFont

SMALLEST = 256
"""Smallest width of a column in pixels, for readable text."""

DIM = 0.25
"""Panels of images that are all darker than this are brightened."""

NO_VALUE = 128
"""The grey of pixels without a value."""

INK = (24, 24, 27)
FAINT = (98, 98, 105)


def check_kind(path: str | os.PathLike[str]) -> IOSpec:
    """The format of a panel by the extension of its file.

    Raises:
        InputError: panels are not written in this format.
    """
    spec = by_suffix(path)
    if spec is None or not _shows(spec):
        fitting = (s.suffixes[0] for s in formats() if _shows(s))
        raise InputError(f"{path}: a panel is written as {listing(fitting, 'or')}")
    return spec


def _shows(spec: IOSpec) -> bool:
    """True if panels may have this format: viewers show it, and it holds 8-bit colour."""
    return spec.viewable and "uint8" in spec.dtypes and "RGB" in spec.layouts


def panel(path: str | os.PathLike[str], columns: Sequence[Column]) -> None:
    """Draw images side by side to a file, written whole or not at all; see `drawn`.

    Raises:
        InputError: as `drawn`, or a failed write.
    """
    write_atomic(path, drawn(path, columns))


def drawn(
    path: str | os.PathLike[str], columns: Sequence[Column], across: int | None = None
) -> bytes:
    """The content of a file that shows images side by side: title above, figures below each.

    Small images are enlarged by an integer factor with pixels repeated: each to the size of the
    largest, and all to at least 256 pixels. Values are clipped to [0, 1] and shown with 8 bits. Dim
    images are brightened, all by one factor, which is said below them; see `brightening`.

    Args:
        path: the file; its extension determines the format.
        columns: ``(title, image (C, H, W) in [0, 1], subtitle)`` each; a subtitle may have several
            lines. Many bands are shown in false colour, see `false_colour`.
        across: images in a row; all in one by default.

    Raises:
        InputError: no columns, a wrong number of channels, or a wrong format.
    """
    spec = check_kind(path)
    if not columns:
        raise InputError(f"{path}: a panel needs at least one image")
    gain = brightening([picture for _, picture, _ in columns])
    if gain > 1:
        told = f"shown {gain:.3g} times brighter"
        columns = [(a, np.asarray(x) * gain, f"{b}\n{told}".strip()) for a, x, b in columns]
    pictures = [_eight_bit(path, picture) for _, picture, _ in columns]
    tall, wide = (max(p.shape[axis] for p in pictures) for axis in (0, 1))
    enlarge = -(-SMALLEST // max(tall, wide))
    tall, wide = tall * enlarge, wide * enlarge
    pictures = [_repeat(p, max(1, min(tall // p.shape[0], wide // p.shape[1]))) for p in pictures]
    cell = max(wide, SMALLEST)

    letters = min(cell, max(SMALLEST, 4 * tall))  # they follow the height of wide strips
    gap = max(12, letters // 20)
    size = max(15, letters // 15)
    title = _font([text for text, _, _ in columns], size, cell)
    below = _font([text for _, _, text in columns], round(size * 0.85), cell)
    above, under = _height(title, [c[0] for c in columns]), _height(below, [c[2] for c in columns])
    pad = gap // 2
    top = gap + above + pad if above else gap
    bottom = under + pad + gap if under else gap
    across = min(across or len(columns), len(columns))
    deep, high = -(-len(columns) // across), top + tall + bottom - gap
    sheet = Image.new("RGB", (gap + across * (cell + gap), deep * high + gap), "white")
    draw = ImageDraw.Draw(sheet)
    for i, ((heading, _, figures), shown) in enumerate(zip(columns, pictures, strict=True)):
        left, up = gap + i % across * (cell + gap), i // across * high
        middle = left + cell / 2
        draw.multiline_text((middle, up + gap), heading, INK, title, anchor="ma", align="center")
        at = (left + (cell - shown.shape[1]) // 2, up + top + (tall - shown.shape[0]) // 2)
        sheet.paste(Image.fromarray(shown), at)
        foot = (middle, up + top + tall + pad)
        draw.multiline_text(foot, figures, FAINT, below, anchor="ma", align="center")
    return codec.encode(spec, Raster(np.asarray(sheet)), path)


def brightening(pictures: Sequence[Array]) -> float:
    """The factor by which a panel brightens images, 1 unless all are dim.

    It maps the largest of their 99.9 % quantiles to 1 if that is below `DIM`, as for 12 bits stored
    in 16.
    """
    known = [x[~np.isnan(x)] for x in (np.asarray(x, np.float64) for x in pictures)]
    finite = [np.nan_to_num(x, posinf=1) for x in known if x.size]
    top = max((float(np.quantile(x, 0.999)) for x in finite), default=1.0)
    return 1 / top if 0 < top < DIM else 1.0


def _eight_bit(path: str | os.PathLike[str], picture: Array) -> Array:
    """``(C, H, W)`` in [0, 1] as ``(H, W, 3)`` uint8; see `eight_bit`."""
    picture = np.asarray(picture)
    if picture.ndim != 3 or not is_image(picture.shape[0]) or not picture.size:
        raise InputError(f"{path}: a panel shows images (C, H, W), not {picture.shape}")
    return eight_bit(picture)


def eight_bit(picture: Array, gain: float = 1.0) -> Array:
    """``(C, H, W)`` as ``(H, W, 3)`` uint8, ``gain`` times as bright, clipped to [0, 1].

    Many bands are in false colour; NaN is grey.
    """
    seen = false_colour(picture).astype(np.float64) * gain
    shown = np.nan_to_num(seen, nan=NO_VALUE / 255, posinf=1, neginf=0).clip(0, 1)
    values = np.rint(255 * shown).astype(np.uint8).transpose(1, 2, 0)
    return np.broadcast_to(values, (*values.shape[:2], 3))


def false_colour(picture: Array) -> Array:
    """Many bands ``(C, H, W)`` as red, green and blue: the means of the last, middle, first third.

    Grey and colour images are left as they are.
    """
    if picture.shape[0] <= 3:
        return picture
    return np.stack([third.mean(0) for third in np.array_split(picture, 3)][::-1])


def _repeat(picture: Array, times: int) -> Array:
    return np.ascontiguousarray(picture.repeat(times, 0).repeat(times, 1))


def _font(texts: Sequence[str], size: int, width: int) -> Font:
    """The default font in the largest size up to ``size`` in which all texts fit."""
    lines = [line for text in texts for line in text.split("\n")]
    font = ImageFont.load_default(size)
    while size > 8 and max(font.getlength(line) for line in lines) > width:
        size -= 1
        font = ImageFont.load_default(size)
    return font


def _height(font: Font, texts: Sequence[str]) -> int:
    """The height of the tallest of these texts in pixels; 0 if all are empty."""
    draw = ImageDraw.Draw(Image.new("RGB", (1, 1)))
    drawn = [text for text in texts if text]
    boxes = [draw.multiline_textbbox((0, 0), text, font, anchor="la") for text in drawn]
    return round(max((box[3] for box in boxes), default=0))
