"""A free PSF from one blurred picture.

Alternates between a picture of few edges, min |k * x - y|^2 + lam |grad x|_0, by half-quadratic
splitting, and the PSF that blurs its gradients to those of the data, from coarse to fine scales
(Xu, Zheng, Jia, CVPR 2013; schedule of Pan, Hu, Su, Yang, CVPR 2014).
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from scipy import fft, ndimage

Array = np.ndarray[Any, np.dtype[np.float64]]

LAM = 4e-3
"""Weight of the number of edges at the coarsest scale, for pictures in [0, 1]."""

ROUNDS = 5
"""Rounds of each scale."""

RIDGE = 2.0
"""Weight of |k|^2, in squares of gradients."""

FAINT = 0.05
"""Values of a PSF below this share of its maximum are noise."""


def free_psf(y: Array, support: int) -> Array:
    """The PSF ``(support, support)``, nonnegative, sum 1, its centre of mass in the middle.

    Args:
        y: the data ``(H, W)`` in [0, 1].
        support: the side, odd.
    """
    steps = max(0, math.ceil(2 * math.log2(support / 5)))
    lam, psf = LAM, None
    for step in range(steps, -1, -1):
        scale = 2.0 ** (-step / 2)
        side = max(5, 2 * (round(support * scale) // 2) + 1) if step else support
        small = _shrunk(y, scale)
        psf = _first(side) if psf is None else _grown(psf, side)
        wide = wrapped(small, side)
        for _ in range(ROUNDS):
            x = _edges(wide, psf, lam)
            psf = _kernel(x, wide, small.shape, side)
            lam = max(lam / 1.1, 1e-4)
    assert psf is not None
    return centred(np.where(psf < FAINT * psf.max(), 0, psf))


def centred(psf: Array) -> Array:
    """The PSF moved by whole pixels so that its centre of mass is nearest to the middle."""
    middle = np.array(psf.shape) // 2
    shift = np.rint(middle - np.array(ndimage.center_of_mass(psf)))
    moved = np.clip(ndimage.shift(psf, shift, order=0), 0, None)
    return np.asarray(moved / moved.sum())


def likeness(first: Array, second: Array) -> float:
    """The largest correlation of two PSFs over all shifts, 0 to 1; both a little smoothed."""
    a, b = (ndimage.gaussian_filter(np.pad(k, 4), 1.0) for k in (first, second))
    size = [m + n for m, n in zip(a.shape, b.shape, strict=True)]
    spectrum = fft.rfft2(a, size) * fft.rfft2(b, size).conj()
    return float(fft.irfft2(spectrum, size).max() / math.sqrt((a**2).sum() * (b**2).sum()))


def _first(side: int) -> Array:
    """Two pixels: a start that is neither the point nor far from it."""
    psf = np.zeros((side, side))
    psf[side // 2, side // 2 : side // 2 + 2] = 0.5
    return psf


def _grown(psf: Array, side: int) -> Array:
    """The PSF on the next finer scale."""
    larger = ndimage.zoom(psf, side / psf.shape[0], order=1, grid_mode=True, mode="grid-constant")
    larger = np.clip(larger, 0, None)
    return np.asarray(larger / larger.sum())


def _shrunk(y: Array, scale: float) -> Array:
    """The picture on a coarser scale."""
    if scale == 1:
        return y
    smooth = ndimage.gaussian_filter(y, 0.35 / scale, mode="reflect")
    small = ndimage.zoom(smooth, scale, order=1, grid_mode=True, mode="nearest")
    return np.asarray(small)


def wrapped(y: Array, margin: int) -> Array:
    """The picture, continued below and to the right so that it goes on at its other side."""
    for axis in (0, 1):
        share = (np.arange(margin) + 1.0) / (margin + 1)
        share = share[:, None] if axis == 0 else share
        first, last = np.take(y, [0], axis), np.take(y, [-1], axis)
        y = np.concatenate([y, (1 - share) * last + share * first], axis)
    return y


def transfer(psf: Array, size: tuple[int, ...]) -> Any:
    """The spectrum of a PSF, its middle at the origin, ``rfft2`` of this size."""
    padded = np.zeros(size)
    h, w = psf.shape
    padded[:h, :w] = psf
    return fft.rfft2(np.roll(padded, (-(h // 2), -(w // 2)), (0, 1)))


def gradient(x: Array) -> Array:
    """Differences to the right and down, ``(2, H, W)``, with circular borders."""
    return np.stack([np.roll(x, -1, 1) - x, np.roll(x, -1, 0) - x])


def divergence(g: Array) -> Array:
    """The adjoint of `gradient`."""
    return np.asarray(np.roll(g[0], 1, 1) - g[0] + np.roll(g[1], 1, 0) - g[1])


def gradient_power(size: tuple[int, ...]) -> Array:
    """|D|^2 of the gradient D, for each frequency of ``rfft2``."""
    down, right = np.fft.fftfreq(size[0])[:, None], np.fft.rfftfreq(size[1])
    return np.asarray(sum(np.abs(np.exp(2j * np.pi * f) - 1) ** 2 for f in (down, right)))


def _edges(y: Array, psf: Array, lam: float) -> Array:
    """The picture of few edges, with circular borders (Xu et al. 2011, algorithm 1)."""
    size = y.shape
    k, power = transfer(psf, size), gradient_power(size)
    back, gram = k.conj() * fft.rfft2(y), np.abs(k) ** 2
    x, beta = y, 2 * lam
    while beta < 1e5:
        edges = gradient(x)
        edges[:, (edges**2).sum(0) < lam / beta] = 0
        x = fft.irfft2((back + beta * fft.rfft2(divergence(edges))) / (gram + beta * power), size)
        beta *= 2
    return np.asarray(x)


def correlations(x: Array, y: Array, shown: tuple[int, ...], half: int) -> tuple[Any, Any]:
    """The spectrum of the gradients of x with themselves and with those of y, ``rfft2``.

    Those count that are half a PSF from the border of what is ``shown``.
    """
    inside = np.zeros(y.shape)
    inside[half : shown[0] - half - 1, half : shown[1] - half - 1] = 1
    edges, data = (fft.rfft2(gradient(v) * inside) for v in (x, y))
    return (np.abs(edges) ** 2).sum(0), (edges.conj() * data).sum(0)


def _kernel(x: Array, y: Array, shown: tuple[int, ...], side: int) -> Array:
    """min_k sum |k * Dx - Dy|^2 + ridge |k|^2 on its support, then positive and connected."""
    half = side // 2
    gram, cross = correlations(x, y, shown, half)

    def cut(spectrum: Any) -> Array:
        full = np.roll(fft.irfft2(spectrum, y.shape), (half, half), (0, 1))
        return np.asarray(full[:side, :side])

    k = _solved(lambda v: cut(gram * transfer(v, y.shape)) + RIDGE * v, cut(cross))
    k = np.where(k < FAINT * k.max(), 0, k)
    labels, count = ndimage.label(k, np.ones((3, 3)))
    if count > 1:  # islands with little of the light are noise
        mass = ndimage.sum_labels(k, labels, np.arange(1, count + 1)) / k.sum()
        keep = np.flatnonzero(mass >= min(0.1, float(mass.max()))) + 1
        k = np.where(np.isin(labels, keep), k, 0)
    if not k.sum() > 0:
        return _first(side)
    return centred(k)


def _solved(matrix: Any, b: Array, steps: int = 25) -> Array:
    """Conjugate gradients from 0."""
    x, r = np.zeros_like(b), b
    p, square = r, float((r**2).sum())
    for _ in range(steps):
        if square <= 1e-12 * float((b**2).sum()):
            break
        along = matrix(p)
        step = square / float((p * along).sum())
        x, r = x + step * p, r - step * along
        square, before = float((r**2).sum()), square
        p = r + square / before * p
    return x
