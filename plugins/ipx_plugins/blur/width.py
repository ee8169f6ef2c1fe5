"""The width of an unknown PSF of a known shape, from the spectrum of the data.

The power spectrum of a photograph falls as a power of the frequency f, that of white noise is
flat, and a blur multiplies the first by |H|^2. So the mean periodogram of the data at frequency f
is ``A f^-2b |H(f)|^2 + N``. For each width the three unknowns are fitted to the logarithms of the
periodogram; the fit gives a likelihood of the width. It is the marginal likelihood of a Gaussian
image model (Whittle), but a ring counts no more than the spectra of photographs obey the law.
The constants fit the spectra of sharp photographs.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from ipx import InputError
from ipx_plugins.blur import BlurOptions
from ipx_plugins.blur.psf import psf_for

Array = np.ndarray[Any, np.dtype[np.float64]]

RINGS = 36
"""Rings of frequencies, of equal width in log f."""

MISFIT = 0.2
"""Standard deviation of log power of photographs about the law, beside that of a periodogram."""

SLOPE, SPREAD = 1.3, 0.2
"""Mean and standard deviation of b among photographs."""

SHARP = 0.4
"""Width in pixels of the Gaussian that lens and sensor of a sharp photograph are."""

LEAST = 0.3
"""The smallest width in pixels: less cannot be told from none."""

WIDTHS = 40
"""Widths that are tried."""


@dataclass(frozen=True)
class Width:
    """A width in pixels, its standard deviation, and whether it is at the end of its range."""

    value: float
    error: float
    at_end: bool


def width(y: Array, options: BlurOptions, name: str) -> Width:
    """The posterior mean of the width.

    Args:
        y: the data ``(C, H, W)``.
        options: the shape of the PSF.
        name: the option that is the width, ``sigma`` or ``radius``.

    Raises:
        InputError: the data are too small or constant.
    """
    side = min(y.shape[-2:])
    if side < 32:
        raise InputError(f"a PSF cannot be found in data of {side} pixels; give its width")
    rings = Rings.of(y)
    tried = np.geomspace(LEAST, side / 16, WIDTHS)
    cost = np.empty(WIDTHS)
    for k, value in enumerate(tried):
        values = {**options.to_mapping(), "kernel": None, name: float(value)}
        psf = psf_for(BlurOptions(**values), (side, side))
        cost[k] = rings.cost(rings.response(psf.numpy()))
    weight = np.exp(-0.5 * (cost - cost.min())) * tried  # uniform in the width, not in its log
    weight /= weight.sum()
    mean = float(weight @ tried)
    error = float(np.sqrt(weight @ (tried - mean) ** 2))
    # the grid is a twelfth wide
    error = float(np.hypot(error, mean * np.log(tried[1] / tried[0]) / np.sqrt(12)))
    return Width(mean, error, bool(cost.argmin() in (0, WIDTHS - 1)))


@dataclass(frozen=True, eq=False)
class Rings:
    """Means over rings of frequencies.

    Attributes:
        f: frequency of each ring in cycles per pixel.
        power: mean of the periodogram.
        count: independent values in each ring.
        ring: the ring of each frequency of ``rfft2``; -1 outside of them.
        size: ``(H, W)`` of the data.
    """

    f: Array
    power: Array
    count: Array
    ring: np.ndarray[Any, np.dtype[np.int64]]
    size: tuple[int, int]

    @classmethod
    def of(cls, y: Array) -> Rings:
        """Those of the data ``(C, H, W)``, under a window that has no edges.

        Raises:
            InputError: the data are constant.
        """
        height, width = y.shape[-2:]
        window = np.outer(np.hanning(height + 2)[1:-1], np.hanning(width + 2)[1:-1])
        mean = (y * window).sum((-2, -1), keepdims=True) / window.sum()
        power = (np.abs(np.fft.rfft2((y - mean) * window)) ** 2).mean(0) / (window**2).sum()
        down, right = np.fft.fftfreq(height)[:, None], np.fft.rfftfreq(width)
        far = np.hypot(down, right)
        edges = np.geomspace(2.5 / min(height, width), 0.5, RINGS + 1)
        ring = np.digitize(far, edges) - 1
        inside = (ring >= 0) & (ring < RINGS)
        # lines through the origin are those of borders and of scan lines
        inside &= (down != 0) & (right != 0)
        ring = np.where(inside, ring, -1)
        count = np.bincount(ring[inside], minlength=RINGS).astype(float)
        seen = np.flatnonzero(count)
        number = np.full(RINGS + 1, -1)  # rings without frequencies are left out
        number[seen] = np.arange(len(seen))
        ring = number[ring]
        means = [np.bincount(ring[inside], v[inside]) / count[seen] for v in (far, power)]
        if not means[1].min() > 1e-20 * max(float((y**2).max()), 1e-300):
            raise InputError("a PSF cannot be found in data without detail; give it")
        # a Hann window correlates neighbours: about half of the values are independent
        return cls(means[0], means[1], count[seen] / 2, ring, (height, width))

    def response(self, psf: Array) -> Array:
        """Mean of |H|^2 over each ring."""
        power = np.abs(np.fft.rfft2(psf, s=self.size)) ** 2
        inside = self.ring >= 0
        sums = np.bincount(self.ring[inside], power[inside])
        return np.asarray(sums / np.bincount(self.ring[inside]))

    def cost(self, response: Array) -> float:
        """-2 log likelihood of a response with the A, b and N that suit it best."""
        weight = 1 / (MISFIT**2 + 1 / self.count)
        told, far = np.log(self.power), np.log(self.f)
        passed = np.log(np.maximum(response, 1e-300)) - (2 * np.pi * SHARP * self.f) ** 2

        def value(p: Array) -> tuple[float, Array]:
            image, noise = p[0] - 2 * p[1] * far + passed, np.full_like(far, p[2])
            model = np.logaddexp(image, noise)
            share, gap = np.exp(image - model), model - told
            slope = 2 * weight * gap
            gradient = np.array(
                [
                    slope @ share,
                    slope @ (-2 * far * share) + 2 * (p[1] - SLOPE) / SPREAD**2,
                    slope @ (1 - share),
                ]
            )
            return float(weight @ gap**2) + ((p[1] - SLOPE) / SPREAD) ** 2, gradient

        low = slice(0, max(3, len(far) // 6))
        first = float(np.mean((told + 2 * SLOPE * far)[low]))
        # the noise is that of the last rings, or far less than they hold
        starts = [np.array([first, SLOPE, float(np.mean(told[-4:])) - d]) for d in (0.0, 3.0)]
        runs = [minimize(value, s, jac=True, method="L-BFGS-B") for s in starts]
        return min(float(run.fun) for run in runs)
