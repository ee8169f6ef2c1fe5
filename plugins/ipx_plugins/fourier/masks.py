"""Masks of measured frequencies, boolean ``(H, W)`` in the order of the data."""

from __future__ import annotations

import math
from bisect import bisect_left
from pathlib import Path
from typing import Any

import numpy as np

from ipx import InputError, ShapeError, read_array
from ipx_plugins.fourier import FourierOptions

Array = np.ndarray[Any, np.dtype[Any]]

_FALL = 4.0
"""Exponent p of the sampling density (1 - distance)^p (Lustig et al. 2007)."""


def mask_for(options: FourierOptions, height: int, width: int) -> Array:
    """The mask that the options describe; frequency 0 is always measured.

    Raises:
        ShapeError: the mask file has another size.
        InputError: it cannot be read, or lacks frequency 0.
    """
    if options.mask is not None:
        return _from_file(options.mask, (height, width), options.centred)
    mask = _pattern(options, height, width)
    return np.fft.fftshift(mask) if options.centred else mask


def _from_file(path: Path, size: tuple[int, int], centred: bool) -> Array:
    """Measured where the file ``(H, W)`` is nonzero; of colours any counts, alpha does not."""
    values = read_array(path, "mask")
    if values.ndim == 3:
        colours = values.shape[-1] - (values.shape[-1] in (2, 4))
        values = np.asarray(values[..., :colours].any(-1))
    if values.shape != size:
        told = " x ".join(map(str, values.shape))
        raise ShapeError(f"mask {path} is {told}, the data are {size[0]} x {size[1]}")
    if not np.isfinite(values).all():
        raise InputError(f"mask {path} has values that are not finite; use 0 for not measured")
    mask: Array = values != 0
    first, middle = (0, 0), (size[0] // 2, size[1] // 2)
    if not mask[middle if centred else first]:
        where = "in the middle" if centred else "at its first element"
        other = "without option centred" if centred else "with option centred"
        hint = f"; is it {other}?" if mask[first if centred else middle] else ""
        raise InputError(f"mask {path} does not measure frequency 0, which is {where}{hint}")
    return mask


def _pattern(options: FourierOptions, height: int, width: int) -> Array:
    """The mask of a sampling pattern, in the order of ``numpy.fft``."""
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
    """Mask of the ``count`` lowest frequencies, at least one."""
    mask = np.zeros(distance.size, dtype=bool)
    mask[np.argsort(distance, kind="stable")[: max(1, count)]] = True
    return mask


def _drawn(distance: Array, share: float, centre: float, rng: np.random.Generator) -> Array:
    """Mask of a fraction ``share`` of the frequencies, random, with more low ones.

    The largest sums of log weights and Gumbel variables are a weighted sample without
    replacement (Efraimidis, Spirakis 2006).
    """
    count = max(1, round(share * distance.size))
    weight = (1 - distance / (distance.max() + 1e-9)) ** _FALL
    keys = np.log(np.maximum(weight, 1e-300)) + rng.gumbel(size=distance.size)
    keys[_lowest(distance, round(centre * count))] = np.inf
    mask = np.zeros(distance.size, dtype=bool)
    mask[np.argsort(-keys, kind="stable")[:count]] = True
    return mask


def _radial(low: Array, share: float, turn: float) -> Array:
    """Mask of ``low`` and of spokes at equal angles, whose number best matches ``share``.

    Args:
        low: ``(H, W)``, mask of the frequencies measured in any case.
        share: measured fraction of all frequencies.
        turn: direction of the first spoke in [0, 1), in units of the angle between two spokes.
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

    # a spoke adds at most 2 reach + 1 frequencies; 8 (reach + 1) spokes nearly fill the grid
    first, most = math.ceil((wanted - low.sum()) / (2 * reach + 1)), 8 * (reach + 1)
    first = last = max(1, first)
    while size(last) < wanted and last < most:
        last *= 2
    enough = bisect_left(range(last), wanted, lo=first, key=size)
    return min(
        (spokes(max(1, n)) for n in (enough - 1, enough)), key=lambda m: abs(m.sum() - wanted)
    )
