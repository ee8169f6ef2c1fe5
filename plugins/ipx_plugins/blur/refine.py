"""A free PSF made more exact, by alternation with a picture of small total variation.

The picture of few edges that `blind.free_psf` works with lacks fine edges, and what it lacks blurs
the PSF. So picture and PSF are found in turns once more,

    x = argmin 1/2 |k * x - y|^2 + lam |grad x|_1,
    k = argmin |k * Dx - Dy|^2 + ridge |k|^2,  k >= 0,  sum k = 1,

x by splitting, k by accelerated projected gradients (Perrone, Favaro, CVPR 2014). A few rounds
help; a lam that begins large keeps the pair from the solution x = y, k a point.
"""

from __future__ import annotations

import numpy as np
from scipy import fft

from ipx_plugins.blur.blind import (
    FAINT,
    Array,
    centred,
    correlations,
    divergence,
    gradient,
    gradient_power,
    transfer,
    wrapped,
)

LAMS = tuple(float(v) for v in np.geomspace(0.032, 0.006, 8))
"""Weight of total variation in each round, for pictures in [0, 1].

The last is still several times the best one for the picture.
"""

RIDGE = 50.0
"""Weight of |k|^2, in squares of gradients."""


def refined(y: Array, psf: Array) -> Array:
    """The PSF ``(side, side)`` that goes with a picture of small total variation.

    Args:
        y: the data ``(H, W)`` in [0, 1].
        psf: a first PSF, its side odd.
    """
    wide = wrapped(y, psf.shape[0])
    for lam in LAMS:
        psf = _psf(_picture(wide, psf, lam), wide, y.shape, psf)
    return psf


def error(first: Array, second: Array, y: Array) -> float:
    """Root mean square of (first - second) * y after the best shift, in the unit of y ``(H, W)``.

    The shift, by quarters of a pixel, belongs to the picture, whose place the data leave open.
    """
    size = y.shape
    power = np.abs(fft.rfft2(y - y.mean())) ** 2
    power[:, 1 : (size[1] + 1) // 2] *= 2  # the half of the spectrum that is not stored
    a, b = transfer(first, size), transfer(second, size)
    cross = np.zeros((size[0], size[1]), complex)
    cross[:, : a.shape[1]] = a * b.conj() * power
    fine = 4 * np.array(size)
    padded = np.zeros(fine, complex)
    rows = fft.fftfreq(size[0], 1 / size[0]).astype(int)
    padded[rows, : size[1]] = cross
    alike = float(fft.ifft2(padded).real.max()) * fine.prod()
    gap = float(((np.abs(a) ** 2 + np.abs(b) ** 2) * power).sum()) - 2 * alike
    return float(np.sqrt(max(gap, 0.0))) / y.size


def _picture(y: Array, psf: Array, lam: float, steps: int = 25) -> Array:
    """The picture of small total variation, with circular borders, by ADMM."""
    size, rho = y.shape, 20 * lam
    k = transfer(psf, size)
    back, gram = k.conj() * fft.rfft2(y), np.abs(k) ** 2
    matrix = gram + rho * gradient_power(size)
    edges, dual = gradient(y), np.zeros((2, *size))
    x = y
    for _ in range(steps):
        there = edges + dual
        length = np.maximum(np.sqrt((there**2).sum(0)), 1e-12)
        split = there * np.clip(1 - lam / rho / length, 0, None)
        x = fft.irfft2((back + rho * fft.rfft2(divergence(split - dual))) / matrix, size)
        edges = gradient(x)
        dual = dual + edges - split
    return np.asarray(x)


def _psf(x: Array, y: Array, shown: tuple[int, ...], psf: Array, steps: int = 150) -> Array:
    """The PSF of the gradients of x and y, from the first one; faint values are set to 0."""
    side = psf.shape[0]
    half = side // 2
    gram, cross = correlations(x, y, shown, half)
    pull = np.roll(fft.irfft2(cross, y.shape), (half, half), (0, 1))[:side, :side]
    alike = np.roll(fft.irfft2(gram, y.shape), (side - 1, side - 1), (0, 1))
    n = fft.next_fast_len(3 * side)
    matrix = fft.rfft2(alike[: 2 * side - 1, : 2 * side - 1], (n, n))
    length = 1 / (float(np.abs(matrix).max()) + RIDGE)
    middle = slice(side - 1, 2 * side - 1)
    k, ahead, t = psf, psf, 1.0
    for _ in range(steps):
        product = fft.irfft2(matrix * fft.rfft2(ahead, (n, n)), (n, n))[middle, middle]
        before, k = k, np.clip(ahead - length * (product - pull + RIDGE * ahead), 0, None)
        faster = (1 + np.sqrt(1 + 4 * t * t)) / 2
        ahead, t = k + (t - 1) / faster * (k - before), faster
    return centred(np.where(k < FAINT * k.max(), 0, k))
