"""The spectrum of a residual: white noise has a flat one."""

from __future__ import annotations

import numpy as np

from ipx.files.format import Array


def power(residual: Array) -> Array:
    """Power of each frequency, mean over channels, ``(H, W)``, frequency zero in the middle.

    It is scaled so that white noise of standard deviation s has the expected power s^2 everywhere.
    Pixels without a value (NaN) count as zero, and the scale allows for them.
    """
    known = np.isfinite(residual)
    share = max(float(known.mean()), 1e-12)
    values = np.where(known, residual, 0.0)
    size = values.shape[-2] * values.shape[-1]
    found = np.abs(np.fft.fft2(values)) ** 2 / (size * share)
    return np.fft.fftshift(found.mean(0))


def radial(spectrum: Array, bins: int = 32) -> tuple[Array, Array]:
    """Mean power over rings of equal frequency.

    Args:
        spectrum: of `power`.
        bins: number of rings.

    Returns:
        Frequency of each ring in cycles per pixel, up to 0.5, and its mean power; rings without a
        frequency are left out.
    """
    rows, columns = (np.fft.fftshift(np.fft.fftfreq(n)) for n in spectrum.shape)
    radius = np.hypot(rows[:, None], columns[None, :])
    inside = radius <= 0.5
    ring = np.minimum((radius * 2 * bins).astype(int), bins - 1)[inside]
    count = np.bincount(ring, minlength=bins)
    total = np.bincount(ring, weights=spectrum[inside], minlength=bins)
    middle = (np.arange(bins) + 0.5) / (2 * bins)
    some = count > 0
    return middle[some], total[some] / count[some]
