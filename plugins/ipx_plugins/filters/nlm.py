"""Non-local means, by scikit-image."""

from __future__ import annotations

import numpy as np
import torch
from skimage.restoration import denoise_nl_means
from torch import Tensor

from ipx import Prior, Scalar
from ipx_plugins.filters import NLMOptions
from ipx_plugins.filters.each import each_image


class NonLocalMeans(Prior[NLMOptions]):
    """Weighted means of pixels with similar patches, all channels together.

    The fast mode of scikit-image, which subtracts the expected squared distance 2 sigma^2 of two
    noisy patches. Gradients do not propagate through it.
    """

    @torch.no_grad()
    def denoise(self, x: Tensor, sigma: Scalar) -> Tensor:
        """The estimate of the clean image, shape of ``x``.

        Args:
            x: ``(B, C, H, W)``, nominally in [0, 1].
            sigma: standard deviation of the noise, >= 0: a number, or one per image ``(B,)``;
                of a map the root mean square is used.
        """
        o = self.options

        def one(image: np.ndarray, level: float) -> np.ndarray:
            grey = len(image) == 1
            out: np.ndarray = denoise_nl_means(
                image[0] if grey else np.moveaxis(image, 0, -1),
                o.patch,
                o.reach,
                h=o.strength * level,
                sigma=level,
                channel_axis=None if grey else -1,
            )
            return out[None] if grey else np.moveaxis(out, -1, 0)

        return each_image(x, sigma, one, least=o.patch)
