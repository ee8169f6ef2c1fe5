"""Attributes of digits: area, length, thickness, slant, width, height.

They are those of Morpho-MNIST (Castro, Tan, Kainz, Konukoglu, Glocker, JMLR 20, 2019), computed
anew: the picture is enlarged, cut at half its range, and thinned to a skeleton.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import correlate, distance_transform_edt, zoom
from skimage import morphology
from torch import Tensor

NAMES = ("area", "length", "thickness", "slant", "width", "height")
"""What `attributes` gives, in this order."""

SCALE = 4
"""The enlargement before thresholding."""

_OUTSIDE = 0.02  # share of the mass that may lie outside of the box, half of it on either side
_STRAIGHT = np.array([[0, 0, 0], [0, 0, 1], [0, 1, 0]])

Pixels = NDArray[np.float64]


def attributes(pictures: Tensor) -> Tensor:
    """Attributes `NAMES` of bright strokes on black, ``(B, 1, H, W)`` in [0, 1], as ``(B, 6)``.

    Area is in square pixels; length, thickness, width and height are in pixels; the slant is in
    radians, positive to the right. A picture without contrast has zeros.
    """
    grey = (pictures[:, 0].detach().cpu() * 255).round().clamp(0, 255).to(torch.uint8).numpy()
    rows = [_measured(p.tobytes(), p.shape) for p in grey]
    return torch.tensor(rows, dtype=pictures.dtype, device=pictures.device)


@lru_cache(maxsize=100_000)
def _measured(data: bytes, shape: tuple[int, int]) -> tuple[float, ...]:
    """The attributes of one picture; kept, since trainings see each picture many times."""
    picture = np.frombuffer(data, np.uint8).reshape(shape).astype(np.float64) / 255
    low, high = float(picture.min()), float(picture.max())
    if high - low < 1 / 16:
        return (0.0,) * len(NAMES)
    large = zoom(picture, SCALE, order=1, mode="nearest", grid_mode=True)
    inside = large > (low + high) / 2
    skeletonize: Any = morphology.skeletonize  # without types
    skeleton = skeletonize(inside)
    distance = distance_transform_edt(np.pad(inside, 1))[1:-1, 1:-1]
    thickness = 2 * float(distance[skeleton].mean()) / SCALE if skeleton.any() else 0.0
    slant, width, height = _box(picture - low)
    return float(inside.sum()) / SCALE**2, _length(skeleton), thickness, slant, width, height


def _length(skeleton: NDArray[np.bool_]) -> float:
    """Length of the lines between neighbours in a skeleton, in pixels.

    A diagonal step counts where no two straight steps make it.
    """
    s = skeleton.astype(np.int64)
    straight = int((s * correlate(s, _STRAIGHT, mode="constant")).sum())
    corners = _corners(s)
    return (straight + math.sqrt(2) * corners) / SCALE


def _corners(s: NDArray[np.int64]) -> int:
    """Diagonal neighbours that have no common straight neighbour in the skeleton."""
    a, b, c, d = s[:-1, :-1], s[:-1, 1:], s[1:, :-1], s[1:, 1:]
    falling = (a & d) & (1 - (b | c))
    rising = (b & c) & (1 - (a | d))
    return int(falling.sum() + rising.sum())


def _box(mass: Pixels) -> tuple[float, float, float]:
    """Slant, width and height of the parallelogram that holds the mass but 2 %.

    The slant is that of the line of the mean column by row: its tangent is m11 / m02.
    """
    y, x = np.mgrid[: mass.shape[0], : mass.shape[1]].astype(np.float64)
    total = float(mass.sum())
    cy, cx = float((mass * y).sum()) / total, float((mass * x).sum()) / total
    m02 = float((mass * (y - cy) ** 2).sum())
    shear = float((mass * (x - cx) * (y - cy)).sum()) / m02 if m02 > 0 else 0.0
    upright = x - shear * (y - cy)
    return math.atan(-shear), _extent(upright, mass), _extent(y, mass)


def _extent(place: Pixels, mass: Pixels) -> float:
    """Length of the interval of places that leaves half of `_OUTSIDE` of the mass on each side."""
    order = np.argsort(place, axis=None, kind="stable")
    p, share = place.flat[order], np.cumsum(mass.flat[order]) / mass.sum()
    low, high = np.interp([_OUTSIDE / 2, 1 - _OUTSIDE / 2], share, p)
    return float(high - low) + 1
