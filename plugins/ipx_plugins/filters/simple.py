"""Median, bilateral, total variation and wavelet filters as denoisers."""

from __future__ import annotations

from itertools import product
from typing import Any

import numpy as np
import torch
from skimage.restoration import denoise_wavelet
from torch import Tensor
from torch.nn import functional

from ipx import OptionError, Prior, Scalar, per_image, prior
from ipx_plugins.filters import (
    BilateralOptions,
    MedianOptions,
    TVFilterOptions,
    WaveletFilterOptions,
)
from ipx_plugins.filters.each import each_image


class Median(Prior[MedianOptions]):
    """x + w (median - x) with w = min(1, sigma / rms(median - x)), image by image.

    A median filter has no noise parameter. The weight w keeps the root mean square of the change
    at or below sigma, so that clean pictures stay unchanged.
    """

    def __init__(self, options: MedianOptions | None = None, **values: Any) -> None:
        super().__init__(options, **values)
        if self.options.size % 2 == 0:
            raise OptionError(f"size must be odd, not {self.options.size}")

    def denoise(self, x: Tensor, sigma: Scalar) -> Tensor:
        """The estimate of the clean image; sigma is a number, ``(B,)``, or a map."""
        size = self.options.size
        wide = _mirrored(x, size // 2)
        windows = wide.unfold(-2, size, 1).unfold(-2, size, 1)
        change = windows.flatten(-2).median(-1).values - x
        typical = change.square().mean((1, 2, 3), keepdim=True).sqrt().clamp_min(1e-12)
        level = torch.as_tensor(per_image(sigma, x), dtype=x.dtype, device=x.device)
        return x + (level / typical).clamp_max(1.0) * change


class Bilateral(Prior[BilateralOptions]):
    """Means weighted by spatial distance and by intensity difference over all channels."""

    def denoise(self, x: Tensor, sigma: Scalar) -> Tensor:
        """The estimate of the clean image; sigma is a number, ``(B,)``, or a map."""
        o = self.options
        r = max(1, round(3 * o.reach))
        height, width = x.shape[-2:]
        wide = _mirrored(x, r)
        level = torch.as_tensor(per_image(sigma, x), dtype=x.dtype, device=x.device)
        scale = 2 * x.shape[1] * (o.contrast * level).square().clamp_min(1e-12)
        total, weights = torch.zeros_like(x), torch.zeros_like(x[:, :1])
        for dy, dx in product(range(-r, r + 1), repeat=2):
            other = wide[..., r + dy : r + dy + height, r + dx : r + dx + width]
            unlike = (other - x).square().sum(1, keepdim=True)
            near = (dy * dy + dx * dx) / (2 * o.reach**2)
            weight = torch.exp(-unlike / scale - near)
            total, weights = total + weight * other, weights + weight
        return total / weights


class TVFilter(Prior[TVFilterOptions]):
    """argmin_u 1/2 |u - x|^2 + strength sigma TV(u)."""

    def __init__(self, options: TVFilterOptions | None = None, **values: Any) -> None:
        super().__init__(options, **values)
        self._tv: Any = prior("tv", tol=1e-3)

    def denoise(self, x: Tensor, sigma: Scalar) -> Tensor:
        """The estimate of the clean image; sigma is a number, ``(B,)``, or a map (its mean)."""
        level = torch.as_tensor(sigma, dtype=x.dtype, device=x.device)
        if level.ndim > 1:
            level = level.flatten(1).mean(1)
        out: Tensor = self._tv.prox(x, self.options.strength * level)
        return out


class WaveletFilter(Prior[WaveletFilterOptions]):
    """Soft thresholding at sigma^2 / (signal deviation) per band (BayesShrink), cycle-spun.

    The thresholds are scikit-image's. Gradients do not propagate through the filter.
    """

    @torch.no_grad()
    def denoise(self, x: Tensor, sigma: Scalar) -> Tensor:
        """The estimate of the clean image; sigma is a number, ``(B,)``, or a map (its rms)."""
        o = self.options

        def one(image: np.ndarray, level: float) -> np.ndarray:
            def shrink(plane: np.ndarray) -> np.ndarray:
                out: np.ndarray = denoise_wavelet(
                    plane, sigma=level, wavelet=o.wavelet, method="BayesShrink", rescale_sigma=False
                )
                return out

            total = np.zeros_like(image)
            shifts = list(product(range(o.shifts + 1), repeat=2))
            for shift in shifts:
                moved = np.roll(image, shift, (-2, -1))
                clean = np.stack([shrink(plane) for plane in moved])
                total += np.roll(clean, (-shift[0], -shift[1]), (-2, -1))
            return total / len(shifts)

        return each_image(x, sigma, one, least=16)


def _mirrored(x: Tensor, r: int) -> Tensor:
    """``x`` padded by r pixels on each side, by mirroring if it is large enough, else repeating."""
    mode = "reflect" if min(x.shape[-2:]) > r else "replicate"
    return functional.pad(x, (r, r, r, r), mode=mode)
