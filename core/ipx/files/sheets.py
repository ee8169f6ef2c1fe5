"""Sheets: many pictures of one size in a grid, without titles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ipx.files.format import Array

GAP = 2
"""White pixels between the pictures."""


def sheet(pictures: Sequence[Array], columns: int) -> Array:
    """Pictures ``(C, H, W)`` of one shape side by side, row by row, as one ``(C, H', W')``."""
    count, (c, h, w) = len(pictures), pictures[0].shape
    columns = min(columns, count)
    rows = -(-count // columns)
    whole = np.ones((c, rows * (h + GAP) - GAP, columns * (w + GAP) - GAP), np.float32)
    for i, picture in enumerate(pictures):
        top, left = (i // columns) * (h + GAP), (i % columns) * (w + GAP)
        whole[:, top : top + h, left : left + w] = picture
    return whole
