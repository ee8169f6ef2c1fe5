"""R(x) = 1/2 |Dx|^2, D the discrete gradient."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ipx import Gradient, LinearOperator, Prior, Scalar, Shape, Spectral, image_sum, per_image
from ipx_plugins.smooth import SmoothOptions


class Smooth(Prior[SmoothOptions]):
    """R(x) = 1/2 |Dx|^2, channel by channel."""

    def quadratic_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """L = D."""
        return self._gradient(image_shape)

    def _gradient(self, image_shape: Shape) -> Gradient:
        return Gradient(image_shape, boundary=self.options.boundary, depth=self.options.depth)

    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        d = self._gradient(tuple(x.shape[1:])).forward(x)
        return image_sum(d * d) / 2

    def grad(self, x: Tensor) -> Tensor:
        """D^T D x."""
        gradient = self._gradient(tuple(x.shape[1:]))
        return gradient.adjoint(gradient.forward(x))

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """(I + t D^T D)^-1 x, in the cosine or Fourier transform."""
        spectrum = self._gradient(tuple(x.shape[1:])).spectrum(x)
        step = per_image(t, x)
        return Spectral(spectrum.basis, 1 + step * spectrum.gram).solve(x)
