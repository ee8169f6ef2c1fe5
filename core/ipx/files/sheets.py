"""Sheets: many pictures of one size in a grid, without titles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ipx.files.format import Array

GAP = 2
"""White pixels between the pictures."""

LEAST = 64
"""Pictures of a sheet are enlarged to this side at least, in pixels."""


def sheet(pictures: Sequence[Array], columns: int, scale: int | None = None) -> Array:
    """Pictures ``(C, H, W)`` of one shape side by side, row by row, as one ``(C, H', W')``.

    Args:
        pictures: values in [0, 1].
        columns: in a row, at most.
        scale: each pixel becomes a square of this side; None for 1 if there is one picture, and
            else for the least with which they have `LEAST` pixels.
    """
    count, (c, h, w) = len(pictures), pictures[0].shape
    if scale is None:
        scale = 1 if count == 1 else -(-LEAST // max(h, w, 1))
    h, w = scale * h, scale * w
    columns = min(columns, count)
    rows = -(-count // columns)
    whole = np.ones((c, rows * (h + GAP) - GAP, columns * (w + GAP) - GAP), np.float32)
    for i, picture in enumerate(pictures):
        top, left = (i // columns) * (h + GAP), (i % columns) * (w + GAP)
        whole[:, top : top + h, left : left + w] = picture.repeat(scale, 1).repeat(scale, 2)
    return whole
