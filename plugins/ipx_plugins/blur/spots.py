"""A PSF from a picture of points: beads or stars.

Isolated spots are cut out, their background is subtracted, they are shifted to their centres by
the Fourier shift theorem, and averaged with weights by flux. Spots unlike the others are left out.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import ndimage, spatial

from ipx import InputError

Array = np.ndarray[Any, np.dtype[np.float64]]

LEAST = 8.0
"""Height of a spot over the background, in standard deviations of the noise."""

CLOSE = 0.05
"""A neighbour of more than this share of its height spoils a spot."""

HOLDS = 2.5
"""Side of a box that holds a spot, in FWHM: a Gaussian is down to 1 % there."""

LARGEST = 31
"""Half of the largest side, in pixels, of a PSF whose size is not told."""


@dataclass(frozen=True)
class Fitted:
    """A PSF.

    Attributes:
        psf: ``(n, n)``, n odd, nonnegative, sum 1, its centre of mass in the middle.
        spots: the number of spots that it is the mean of.
        left_out: isolated spots that were unlike the others.
        fwhm: full width at half maximum in pixels: diameter of the disk of equal area.
        error: estimated |psf - true PSF| / |true PSF|, from halves of the spots or the noise.
        cut: the spots are too close for a box that holds one whole, so that its tails are cut.
    """

    psf: Array
    spots: int
    left_out: int
    fwhm: float
    error: float
    cut: bool


def fit(picture: Array, size: int | None = None) -> Fitted:
    """The mean of the isolated spots of a picture ``(H, W)``.

    Args:
        picture: bright points on a smooth background.
        size: side of the PSF in pixels, odd; by default what holds the spots.

    Raises:
        InputError: there is no isolated spot, or the picture is smaller than the PSF.
    """
    background = float(np.median(picture))
    noise = _noise(picture)
    peaks, heights = _peaks(picture, background, noise)
    if size is not None:
        return _fitted(picture, peaks, heights, size // 2, noise)
    found = None
    for least in (5, 2, 1):  # rather a few spots than cut ones
        radius = _radius(picture, peaks, heights, least)
        found = _fitted(picture, peaks, heights, radius, noise)
        if not found.cut:
            break
    assert found is not None
    return found


def fit_grid(picture: Array, grid: tuple[int, int], size: int | None = None) -> list[Fitted]:
    """The PSFs of the parts of a picture, row by row, all of one size.

    Args:
        picture: see `fit`.
        grid: rows and columns of parts.
        size: side of the PSFs in pixels, odd; by default that of all spots together.

    Raises:
        InputError: a part has no isolated spot.
    """
    side = len(fit(picture).psf) if size is None else size
    found = []
    for i in range(grid[0]):
        for j in range(grid[1]):
            (top, bottom), (left, right) = (
                (k * n // m, (k + 1) * n // m)
                for k, n, m in zip((i, j), picture.shape, grid, strict=True)
            )
            try:
                found.append(fit(picture[top:bottom, left:right], side))
            except InputError as error:
                raise InputError(f"part {i + 1},{j + 1} of the grid: {error}") from None
    return found


def _fitted(picture: Array, peaks: Array, heights: Array, radius: int, noise: float) -> Fitted:
    """The mean of the spots that stand alone in boxes of this half-width."""
    if 2 * radius + 1 > min(picture.shape):
        raise InputError(
            f"a PSF of {2 * radius + 1} pixels does not fit into the picture of "
            f"{picture.shape[0]} x {picture.shape[1]}; give a smaller size"
        )
    alone = _isolated(picture, peaks, heights, radius)
    if not len(alone):
        raise InputError(
            f"none of {len(peaks)} bright spots stands alone, off the border and below saturation, "
            f"within {2 * radius + 1} x {2 * radius + 1} pixels; give a smaller size"
        )
    spots = [_centred(picture, row, column, radius) for row, column in alone]
    flux = np.array([spot.sum() for spot in spots])
    good = [i for i in range(len(spots)) if flux[i] > 0]
    if not good:
        raise InputError("the spots have no flux above their background; give a smaller size")
    shapes, flux = np.stack([spots[i] / flux[i] for i in good]), flux[good]
    kept = _alike(shapes, flux, noise)
    shapes, flux = shapes[kept], flux[kept]
    psf = _normalised(_mean(shapes, flux))
    width, error = fwhm(psf), _error(shapes, flux, noise)
    cut = 2 * radius + 1 < HOLDS * width
    return Fitted(psf, len(flux), int((~kept).sum()), width, error, cut)


def fwhm(psf: Array) -> float:
    """Full width at half maximum in pixels, the diameter of the disk of equal area."""
    fine = 16
    # one pixel of zeros around it, so that a narrow PSF comes down to half its maximum
    wide = ndimage.zoom(np.pad(psf, 1), fine, order=3, grid_mode=True, mode="grid-constant")
    return 2 * math.sqrt(float((wide > wide.max() / 2).sum()) / math.pi) / fine


def _noise(picture: Array) -> float:
    """Standard deviation of white noise, by the median of diagonal differences."""
    d = (picture[:-1, :-1] - picture[1:, :-1] - picture[:-1, 1:] + picture[1:, 1:]) / 2
    return float(np.median(np.abs(d))) / 0.6745


def _peaks(picture: Array, background: float, noise: float) -> tuple[Array, Array]:
    """Local maxima ``(n, 2)`` above the noise, brightest first, and their heights.

    Raises:
        InputError: there are none.
    """
    smooth = ndimage.gaussian_filter(picture, 1.0) - background
    # a Gaussian of sigma 1 leaves 0.28 of white noise
    least = max(LEAST * 0.28 * noise, 1e-3 * float(smooth.max()), 1e-12)
    found = (smooth == ndimage.maximum_filter(smooth, 5)) & (smooth > least)
    peaks = np.argwhere(found)
    if not len(peaks) or float(picture.max()) <= background + LEAST * noise:
        height = (float(picture.max()) - background) / max(noise, 1e-300)
        raise InputError(
            f"there is no bright spot: the highest value is {height:.1f} standard deviations of "
            f"the noise above the background, and {LEAST:g} are needed"
        )
    heights = smooth[tuple(peaks.T)]
    order = np.argsort(-heights, kind="stable")
    return peaks[order].astype(np.float64), heights[order]


def _isolated(picture: Array, peaks: Array, heights: Array, radius: int) -> Array:
    """The peaks that fill a box of this half-width alone, are inside, and are not saturated."""
    near = spatial.cKDTree(peaks).query_ball_point(peaks, 2.0 * radius, p=np.inf)
    top, kept = float(picture.max()), []
    for i, around in enumerate(near):
        row, column = peaks[i].astype(int)
        inside = (
            radius + 1 <= row < picture.shape[0] - radius - 1
            and radius + 1 <= column < picture.shape[1] - radius - 1
        )
        alone = not any(j != i and heights[j] > CLOSE * heights[i] for j in around)
        core = picture[row - 2 : row + 3, column - 2 : column + 3]
        saturated = top > 0 and int((core >= top).sum()) > 1
        if inside and alone and not saturated:
            kept.append((row, column))
    return np.array(kept, dtype=np.float64).reshape(-1, 2)


def _radius(picture: Array, peaks: Array, heights: Array, least: int) -> int:
    """Half of the side that holds ``least`` spots or more: where their rings come down to 1 %."""
    widest = min(LARGEST, (min(picture.shape) - 3) // 2)
    alone = np.zeros((0, 2))
    for reach in range(widest, 2, -2):  # the widest rings that are free of neighbours
        alone = _isolated(picture, peaks, heights, reach)[:20]
        if len(alone) >= min(least, len(peaks)):
            break
    if not len(alone):
        return 3
    far = np.rint(np.hypot(*np.mgrid[-reach : reach + 1, -reach : reach + 1])).astype(int)
    boxes = [_box(picture, int(r), int(c), reach) for r, c in alone]
    rings = np.median(
        [[np.mean(b[far == k]) for k in range(reach + 1)] / b.max() for b in boxes], axis=0
    )
    below = np.flatnonzero(rings < 0.01)
    # what the rings hold beyond 1 % of the maximum is background for the fit
    return int(min(max(int(below[0]) + 2 if len(below) else reach, 3), reach))


def _box(picture: Array, row: int, column: int, radius: int) -> Array:
    """A box about a pixel without its background, the median of its rim."""
    box = picture[row - radius : row + radius + 1, column - radius : column + radius + 1]
    rim = np.concatenate([box[0], box[-1], box[1:-1, 0], box[1:-1, -1]])
    return np.asarray(box - np.median(rim))


def _centred(picture: Array, row: float, column: float, radius: int) -> Array:
    """The spot, its centre of mass moved to the middle of the box."""
    box = _box(picture, int(row), int(column), radius)
    grid = np.arange(-radius, radius + 1.0)
    total = np.zeros(2)
    wide = max(radius / 2, 1.5)
    for _ in range(20):  # centroid under a window that follows it, free of the noise outside
        window = np.exp(-0.5 * ((grid[:, None] - total[0]) ** 2 + (grid - total[1]) ** 2) / wide**2)
        mass = np.clip(box, 0, None) * window
        centre = np.array([(mass.sum(1) * grid).sum(), (mass.sum(0) * grid).sum()])
        shift = centre / max(float(mass.sum()), 1e-300) - total
        total = np.clip(total + shift, -1.5, 1.5)
        if np.abs(shift).max() < 1e-4:
            break
    side = 2 * radius + 1
    f, g = np.fft.fftfreq(side)[:, None], np.fft.rfftfreq(side)
    phase = np.exp(2j * np.pi * (f * total[0] + g * total[1]))
    return np.asarray(np.fft.irfft2(np.fft.rfft2(box) * phase, (side, side)))


def _alike(shapes: Array, flux: Array, noise: float) -> np.ndarray[Any, np.dtype[np.bool_]]:
    """False for spots further from the median than the noise and the others tell."""
    if len(shapes) < 3:
        return np.ones(len(shapes), bool)
    middle = np.median(shapes, 0)
    gap = np.sqrt(((shapes - middle) ** 2).sum((1, 2)))
    expected = noise * math.sqrt(middle.size) / flux
    excess = np.sqrt(np.clip(gap**2 - expected**2, 0, None))
    limit = np.median(excess) + 4 * 1.4826 * np.median(np.abs(excess - np.median(excess)))
    allowed: np.ndarray[Any, np.dtype[np.bool_]] = excess <= max(
        float(limit), 0.1 * math.sqrt(float((middle**2).sum()))
    )
    return allowed


def _mean(shapes: Array, flux: Array) -> Array:
    """The mean of least variance under equal noise: each weighted by the square of its flux.

    The weights end at that of four times the median flux, so that no single spot decides.
    """
    weight = np.minimum(flux, 4 * np.median(flux)) ** 2
    return np.asarray(np.tensordot(weight / weight.sum(), shapes, 1))


def _normalised(mean: Array) -> Array:
    psf = np.clip(mean, 0, None)
    return np.asarray(psf / psf.sum())


def _error(shapes: Array, flux: Array, noise: float) -> float:
    """The relative error of the mean: half of the difference of the means of two halves."""
    if len(shapes) == 1:
        size = math.sqrt(float((shapes[0] ** 2).sum()))
        return noise * math.sqrt(shapes[0].size) / float(flux[0]) / size
    order = np.argsort(-flux, kind="stable")
    halves = [_normalised(_mean(shapes[o], flux[o])) for o in (order[::2], order[1::2])]
    size = math.sqrt(float((_normalised(_mean(shapes, flux)) ** 2).sum()))
    return math.sqrt(float(((halves[0] - halves[1]) ** 2).sum())) / 2 / size
