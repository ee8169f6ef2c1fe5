"""R(x) = the number of wavelet details, or of pixels, that are not zero."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ipx import Prior, Scalar, Shape, image_sum, per_image
from ipx_plugins.wavelet import L0Options, WaveletOptions
from ipx_plugins.wavelet.decimated import Decimated

_ZERO = 1e-5  # what counts as zero, above the rounding of the transform in float32


class L0(Prior[L0Options]):
    """R(x) = |Wx|_0 over the details of an orthonormal transform, or |x|_0.

    The prox keeps what is larger than sqrt(2 t). With it proximal gradient steps are iterative hard
    thresholding (Blumensath and Davies 2009). The problem is not convex: the result depends on the
    start, and is a local minimum.
    """

    def __init__(self, options: L0Options | None = None, **values: Any) -> None:
        super().__init__(options, **values)
        self._transform = lru_cache(maxsize=8)(self._make)

    def _make(self, image_shape: Shape) -> Decimated:
        o = self.options
        told = WaveletOptions(wavelet=o.wavelet, levels=o.levels, invariant=False)
        return Decimated(image_shape, told)

    def value(self, x: Tensor) -> Tensor:
        """The number of values beyond 1e-5, ``(B,)``."""
        c, counted = self._coefficients(x)
        return image_sum((c.abs() > _ZERO) * counted)

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """W^T hard(Wx, sqrt(2 t)); the approximation is kept."""
        c, counted = self._coefficients(x)
        bound = 2 * torch.as_tensor(per_image(t, x), dtype=x.dtype, device=x.device) * counted
        kept = torch.where(c * c > bound, c, 0.0)
        kept = torch.where(counted > 0, kept, c)
        if self.options.transform == "pixels":
            return kept
        return self._transform(tuple(x.shape[1:])).adjoint(kept)

    def _coefficients(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The coefficients, and 1 where they are counted."""
        if self.options.transform == "pixels":
            return x, torch.ones((), dtype=x.dtype, device=x.device)
        made = self._transform(tuple(x.shape[1:]))
        return made.forward(x), made.details(x)
