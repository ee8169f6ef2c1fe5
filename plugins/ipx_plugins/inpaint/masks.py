"""Masks of known pixels, boolean arrays ``(1 or C, H, W)``."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ipx import InputError, Shape, ShapeError, read_array
from ipx_plugins.inpaint import InpaintOptions, SpectralInpaintOptions

Mask = np.ndarray[Any, np.dtype[np.bool_]]


def mask_for(options: InpaintOptions, image_shape: Shape) -> Mask:
    """The mask that the options describe.

    Raises:
        ShapeError: the box or the mask file does not fit the picture.
        InputError: the mask file cannot be read or holds NaN.
    """
    _, height, width = image_shape
    if options.mask is not None:
        return from_file(options.mask, image_shape)
    if options.kind in ("pixels", "values"):
        shape = image_shape if options.kind == "values" else (1, height, width)
        random: Mask = np.random.default_rng(options.seed).random(shape) >= options.missing
        return random
    if options.kind == "box":
        return _box(options, height, width)
    drawing = _scratches if options.kind == "scratches" else _text
    return ~np.asarray(drawing(options, height, width), dtype=bool)[None]


def visited(options: SpectralInpaintOptions, image_shape: Shape) -> Mask:
    """The pixels that a scan visits, ``(1, H, W)``.

    Raises:
        ShapeError: the mask file does not fit the picture.
        InputError: the mask file cannot be read or holds NaN.
    """
    _, height, width = image_shape
    if options.mask is not None:
        return np.asarray(from_file(options.mask, image_shape).any(axis=0, keepdims=True))
    rng, share = np.random.default_rng(options.seed), options.share
    known = np.zeros((1, height, width), dtype=bool)
    if options.scan == "rows":
        known[:, rng.permutation(height)[: max(1, round(share * height))]] = True
    elif options.scan == "random":
        known.flat[rng.permutation(known.size)[: max(1, round(share * known.size))]] = True
    else:  # one pixel in each cell of a grid
        rows, columns = (
            np.linspace(0, n, max(1, round(n * share**0.5)) + 1) for n in (height, width)
        )
        shape = (len(rows) - 1, len(columns) - 1)
        row = rows[:-1, None] + rng.random(shape) * np.diff(rows)[:, None]
        column = columns[None, :-1] + rng.random(shape) * np.diff(columns)
        known[0, row.astype(int), column.astype(int)] = True
    return known


def _box(options: InpaintOptions, height: int, width: int) -> Mask:
    rows, columns = options.box or (max(1, height // 4), max(1, width // 4))
    top, left = options.position or ((height - rows) // 2, (width - columns) // 2)
    if top < 0 or left < 0 or top + rows > height or left + columns > width:
        raise ShapeError(
            f"a box of {rows} x {columns} pixels at row {max(top, 0)}, column {max(left, 0)} "
            f"does not fit into a picture of {height} x {width} pixels"
        )
    known = np.ones((1, height, width), dtype=bool)
    known[:, top : top + rows, left : left + columns] = False
    return known


def _scratches(options: InpaintOptions, height: int, width: int) -> Image.Image:
    """Slightly curved lines through random points in random directions."""
    rng = np.random.default_rng(options.seed)
    canvas = Image.new("1", (width, height))
    draw = ImageDraw.Draw(canvas)
    for _ in range(options.count):
        centre = rng.random(2) * (width, height)
        angle, bend = rng.uniform(0, math.pi), rng.normal(0, 0.05)
        along = np.array([math.cos(angle), math.sin(angle)])
        across = np.array([-along[1], along[0]])
        reach = rng.uniform(0.2, 0.7) * math.hypot(height, width)
        s = np.linspace(-0.5, 0.5, 9)[:, None]
        points = centre + reach * (s * along + bend * np.cos(3 * s) * across)
        draw.line([(float(px), float(py)) for px, py in points], fill=1, width=options.thickness)
    return canvas


def _text(options: InpaintOptions, height: int, width: int) -> Image.Image:
    """The words, line after line, over the whole picture."""
    canvas = Image.new("1", (width, height))
    draw = ImageDraw.Draw(canvas)
    font = ImageFont.load_default(size=options.font)
    words = options.words.rstrip() + " "
    line = words * (2 + math.ceil(width / max(1.0, draw.textlength(words, font=font))))
    step = max(2, round(1.6 * options.font))
    for row, top in enumerate(range(step // 6, height, step)):
        draw.text((-(row * 7 % len(words)) * options.font // 3, top), line, fill=1, font=font)
    return canvas


def from_file(path: Path, image_shape: Shape) -> Mask:
    """Mask, known where the file ``(H, W)``, ``(H, W, C)`` or, in NPY, ``(C, H, W)`` is nonzero.

    Alpha is ignored. If the number of channels differs from that of the picture, a pixel is known
    where any channel is nonzero.
    """
    values = read_array(path, "mask")
    channels, height, width = image_shape
    if values.ndim == 2:
        values = values[..., None]
    elif path.suffix.lower() == ".npy" and values.shape == image_shape:
        values = np.moveaxis(values, 0, -1)
    elif values.ndim == 3 and values.shape[-1] in (2, 4) and values.shape[-1] != channels:
        values = values[..., :-1]
    if values.ndim != 3 or values.shape[:2] != (height, width):
        size = " x ".join(str(n) for n in values.shape[:2])
        raise ShapeError(f"mask {path} is {size} pixels, the picture {height} x {width}")
    if not np.isfinite(values).all():
        raise InputError(f"mask {path} has values that are not finite; use 0 for missing")
    known = values != 0
    if known.shape[-1] not in (1, channels):
        known = known.any(axis=-1, keepdims=True)
    return np.moveaxis(known, -1, 0)
