"""Masks of measured frequencies, boolean ``(H, W)`` in the order of ``numpy.fft``."""

from __future__ import annotations

import math
from bisect import bisect_left
from typing import Any

import numpy as np

from ipx_plugins.fourier import FourierOptions

Array = np.ndarray[Any, np.dtype[Any]]

_FALL = 4.0
"""Power of the density (1 - distance)^p (Lustig et al. 2007)."""


def mask_for(options: FourierOptions, height: int, width: int) -> Array:
    """The mask that the options describe; the frequency 0 is always in it."""
    o = options
    if o.share == 1:
        return np.ones((height, width), dtype=bool)
    rng = np.random.default_rng(o.seed)
    across = np.abs(np.fft.fftfreq(width)) * 2
    if o.kind == "lines":
        columns = _drawn(across, o.share, o.centre, rng)
        return np.broadcast_to(columns, (height, width)).copy()
    distance = np.hypot(np.abs(np.fft.fftfreq(height))[:, None] * 2, across)
    if o.kind == "random":
        return _drawn(distance.ravel(), o.share, o.centre, rng).reshape(height, width)
    low = _lowest(distance.ravel(), round(o.centre * o.share * distance.size))
    return _radial(low.reshape(height, width), o.share, rng.random())


def _lowest(distance: Array, count: int) -> Array:
    """The ``count`` lowest frequencies, one at least."""
    mask = np.zeros(distance.size, dtype=bool)
    mask[np.argsort(distance, kind="stable")[: max(1, count)]] = True
    return mask


def _drawn(distance: Array, share: float, centre: float, rng: np.random.Generator) -> Array:
    """``share`` of the frequencies without replacement, low ones more often.

    Adding Gumbel variables to the logarithms of weights and taking the largest is drawing one
    after the other with these weights (Efraimidis, Spirakis 2006).
    """
    count = max(1, round(share * distance.size))
    weight = (1 - distance / (distance.max() + 1e-9)) ** _FALL
    keys = np.log(np.maximum(weight, 1e-300)) + rng.gumbel(size=distance.size)
    keys[_lowest(distance, round(centre * count))] = np.inf
    mask = np.zeros(distance.size, dtype=bool)
    mask[np.argsort(-keys, kind="stable")[:count]] = True
    return mask


def _radial(low: Array, share: float, turn: float) -> Array:
    """Spokes at equal angles, as many as come nearest to the share, and ``low``.

    Args:
        low: ``(H, W)``, what is measured anyway.
        share: of all frequencies.
        turn: direction of the first spoke, in [0, 1) of the angle between two.
    """
    height, width = low.shape
    reach = max(height, width) // 2
    wanted = share * low.size

    def spokes(number: int) -> Array:
        angle = (np.arange(number)[:, None] + turn) * (math.pi / number)
        down, along = np.sin(angle), np.cos(angle)
        t = np.arange(-reach, reach + 1) / max(1, reach) / np.maximum(abs(down), abs(along))
        mask = low.copy()
        rows, columns = np.rint(t * down * (height // 2)), np.rint(t * along * (width // 2))
        mask[rows.astype(int) % height, columns.astype(int) % width] = True
        return mask

    def size(number: int) -> int:
        return int(spokes(number).sum())

    # a spoke adds 2 reach + 1 frequencies at most; so many fill the grid but for a few corners
    first, most = math.ceil((wanted - low.sum()) / (2 * reach + 1)), 8 * (reach + 1)
    first = last = max(1, first)
    while size(last) < wanted and last < most:
        last *= 2
    enough = bisect_left(range(last), wanted, lo=first, key=size)
    return min(
        (spokes(max(1, n)) for n in (enough - 1, enough)), key=lambda m: abs(m.sum() - wanted)
    )
