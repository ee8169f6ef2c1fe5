"""Point-spread functions: float64 ``(h, w)`` with sum 1 and centre at ``(h // 2, w // 2)``.

Those of volumes are ``(d, h, w)``; a PSF of one plane blurs each plane alone.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ipx import InputError, OptionError, ShapeError, read_array
from ipx_plugins.blur import BlurOptions, dims_of

_NOISE = 0.1  # share of the largest value of a PSF below which a value may be noise
_FINE = 8  # samples per pixel and axis when a PSF is rasterised


def psf_for(options: BlurOptions, size: Sequence[int] | None, dims: int = 2) -> Tensor:
    """The PSF that the options describe.

    Args:
        options: see `BlurOptions`.
        size: of the picture in pixels, depth first. Gaussian and Airy PSFs are truncated to fit
            its shorter side, and its depth; None sets no limit.
        dims: axes of the picture, 3 for a volume.

    Raises:
        InputError: the PSF file cannot be used.
        ShapeError: the picture is smaller than the core of a Gaussian or Airy PSF, or a volume.
    """
    if dims == 3:
        return _of_volume(options, size)
    limit = None if size is None else min(size)
    if options.kernel == "auto":
        raise OptionError("kernel auto is found from data; it is known in ipx solve only")
    if isinstance(options.kernel, Path):
        return _from_file(options.kernel, 2)
    if options.taps is not None:
        side = math.isqrt(len(options.taps))
        taps = torch.tensor(options.taps, dtype=torch.float64).view(side, side)
        return taps / taps.sum()
    if options.kind == "gaussian":
        psf = _gaussian(options, limit)
    elif options.kind == "airy":
        # (2 J1(v) / v)^2, first zero at v = 3.8317 (Born, Wolf, 8.5.2); four rings hold 95 %
        x = _grid(_reach(4 * options.radius, options.radius, limit))
        v = (3.8317059702 / options.radius * torch.hypot(x[:, None], x)).clamp_min(1e-9)
        psf = (2 * torch.special.bessel_j1(v) / v) ** 2
    elif options.kind == "uniform":
        psf = torch.ones(_sides(options, options.size), dtype=torch.float64)
    elif options.kind == "disk":
        psf = _disk(options.radius)
    elif options.kind == "motion":
        radians = math.radians(options.angle)
        s = np.linspace(-0.5, 0.5, _FINE * math.ceil(options.length) + 1) * (options.length - 1)
        psf = _drawn(-s * math.sin(radians), s * math.cos(radians))
    else:
        psf = _drawn(*_path(options.length, options.seed))
    return psf / psf.sum()


def _of_volume(options: BlurOptions, size: Sequence[int] | None) -> Tensor:
    """The PSF of a volume, ``(d, h, w)``."""
    if isinstance(options.kernel, Path):
        return _from_file(options.kernel, 3)
    if 3 not in dims_of(options):
        what = "kernel auto" if options.kernel == "auto" else f"kind {options.kind}"
        raise ShapeError(f"blur of {what} takes pictures, not volumes; give a PSF file")
    depth, plane = (None, None) if size is None else (size[0], size[1:])
    flat = psf_for(replace(options, sigma_z=None), plane)
    width = options.depth
    if not width:
        return flat[None]
    along = torch.exp(-0.5 * (_grid(_reach(4 * width, width, depth)) / width) ** 2)
    return along[:, None, None] / along.sum() * flat


def core_of(options: BlurOptions, dims: int = 2) -> tuple[int, ...] | None:
    """Height and width that a Gaussian or Airy PSF may be cut to; None for the others.

    With the depth before them for volumes.
    """
    if options.free or options.kind not in ("gaussian", "airy"):
        return None
    if dims == 3:
        return (2 * math.ceil(options.depth) + 1, *(core_of(options) or ()))
    if options.kind == "airy":
        side = 2 * math.ceil(options.radius) + 1
        return side, side
    rows, columns = _spread(options)
    return 2 * math.ceil(rows) + 1, 2 * math.ceil(columns) + 1


def off_centre(psf: Tensor) -> tuple[float, ...] | None:
    """How far the centre of mass of a PSF lies from its middle, in pixels; None if it is near.

    Near is one pixel, or half a standard deviation of the PSF, since the PSF of a moving camera has
    no other centre. Values below `_NOISE` of the largest do not count.
    """
    mass = torch.where(psf > _NOISE * psf.amax(), psf, 0.0)
    away, far = [], False
    for axis, side in enumerate(psf.shape):
        line = mass.movedim(axis, 0).flatten(1).sum(1)
        at = torch.arange(side, dtype=psf.dtype) - side // 2
        mean = float((at * line).sum() / line.sum())
        deviation = float(((at - mean) ** 2 * line).sum() / line.sum()) ** 0.5
        away.append(mean)
        far |= abs(mean) > max(1.0, 0.5 * deviation)
    return tuple(away) if far else None


def _sides(options: BlurOptions, side: int) -> tuple[int, int]:
    """Height and width of a PSF of this side that blurs along the chosen axes."""
    return {"both": (side, side), "horizontal": (1, side), "vertical": (side, 1)}[options.axis]


def _spread(options: BlurOptions) -> tuple[float, float]:
    """Standard deviations of a Gaussian along rows and columns; 0 along an axis without blur."""
    if options.across is None:
        rows, columns = options.axis != "horizontal", options.axis != "vertical"
        return rows * options.sigma, columns * options.sigma
    sine, cosine = (abs(f(math.radians(options.angle))) for f in (math.sin, math.cos))
    along, across = options.sigma, options.across
    return math.hypot(sine * along, cosine * across), math.hypot(cosine * along, sine * across)


def _gaussian(options: BlurOptions, limit: int | None) -> Tensor:
    """A Gaussian, not yet normalised; ``sigma`` along ``angle`` and ``across`` at a right angle."""
    rows, columns = (_grid(_reach(4 * s, s, limit)) for s in _spread(options))
    across = options.sigma if options.across is None else options.across
    sine, cosine = math.sin(math.radians(options.angle)), math.cos(math.radians(options.angle))
    if options.across is None:
        sine, cosine = 0.0, 1.0
    # rows count downwards, angles go upwards
    along = cosine * columns - sine * rows[:, None]
    beside = sine * columns + cosine * rows[:, None]
    return torch.exp(-0.5 * ((along / options.sigma) ** 2 + (beside / across) ** 2))


def _grid(reach: int) -> Tensor:
    return torch.arange(-reach, reach + 1, dtype=torch.float64)


def _reach(wanted: float, core: float, limit: int | None) -> int:
    """Half-width of the PSF in pixels, reduced to fit the picture."""
    reach = math.ceil(wanted)
    if limit is None or 2 * reach + 1 <= limit:
        return reach
    if 2 * math.ceil(core) + 1 > limit:
        side = 2 * reach + 1
        raise ShapeError(
            f"the PSF of {side} x {side} pixels is larger than the picture, whose shorter side "
            f"is {limit}; take a smaller sigma or radius"
        )
    return (limit - 1) // 2


def _disk(radius: float) -> Tensor:
    """Fraction of each pixel that the disk covers, ``(side, side)``."""
    reach = max(math.ceil(radius - 0.5), 0)
    if reach == 0:
        return torch.ones(1, 1, dtype=torch.float64)
    side = 2 * reach + 1
    fine = (torch.arange(side * _FINE, dtype=torch.float64) + 0.5) / _FINE - 0.5 - reach
    inside = (fine[:, None] ** 2 + fine**2 <= radius**2).double()
    return inside.view(side, _FINE, side, _FINE).mean((1, 3))


def _path(length: float, seed: int) -> tuple[np.ndarray[Any, Any], np.ndarray[Any, Any]]:
    """Camera shake: rows and columns of a random path of this length, with mean at the origin.

    After Boracchi, Foi, IEEE Trans. Image Process. 21(8), 2012, without impulsive motion.
    """
    rng = np.random.default_rng(seed)
    steps = _FINE * math.ceil(length)
    turn = rng.normal(0, 1, steps).cumsum() * 1.5 / math.sqrt(steps)
    direction = rng.uniform(0, 2 * math.pi) + turn.cumsum() * 4 / steps + turn
    rows, columns = np.sin(direction).cumsum(), np.cos(direction).cumsum()
    scale = (length - 1) / steps
    return (rows - rows.mean()) * scale, (columns - columns.mean()) * scale


def _drawn(rows: np.ndarray[Any, Any], columns: np.ndarray[Any, Any]) -> Tensor:
    """Image of a path of points, each split between its four nearest pixels (bilinear)."""
    reach_r, reach_c = (math.ceil(float(np.abs(v).max()) - 1e-9) for v in (rows, columns))
    psf = np.zeros((2 * reach_r + 3, 2 * reach_c + 3))
    top, left = np.floor(rows).astype(int), np.floor(columns).astype(int)
    down, right = rows - top, columns - left
    for i, wi in ((0, 1 - down), (1, down)):
        for j, wj in ((0, 1 - right), (1, right)):
            np.add.at(psf, (top + i + reach_r + 1, left + j + reach_c + 1), wi * wj)
    return torch.from_numpy(np.ascontiguousarray(psf[1:-1, 1:-1]))


def _from_file(path: Path, dims: int) -> Tensor:
    try:
        stamp = path.stat().st_mtime_ns
    except OSError:
        raise InputError(f"there is no PSF file {path}") from None
    return _read(path, stamp, dims)


@lru_cache(maxsize=8)
def _read(path: Path, stamp: int, dims: int) -> Tensor:
    """Read, average the colours, check, normalise; a new ``stamp`` invalidates the cache."""
    values = read_array(path, "PSF").astype(np.float64)
    if dims == 2 and values.ndim == 3 and values.shape[-1] <= 4:
        colours = values.shape[-1] - (values.shape[-1] in (2, 4))  # without alpha
        values = values[..., :colours].mean(-1)
    values = values[None] if (dims, values.ndim) == (3, 2) else values
    if values.ndim != dims or values.size == 0:
        stack = "it is a stack, the PSF of a volume; " if values.ndim == 3 else ""
        use = "one picture (H, W)" if dims == 2 else "one volume (D, H, W) or picture (H, W)"
        raise InputError(f"PSF {path} has shape {values.shape}: {stack}use {use}")
    if not np.isfinite(values).all():
        raise InputError(f"PSF {path} has values that are not finite (NaN or infinity)")
    total = values.sum()
    if total <= 1e-12 * np.abs(values).sum():
        raise InputError(f"PSF {path} sums to {total:g}; use one whose sum is positive")
    return torch.from_numpy(np.ascontiguousarray(values / total))
