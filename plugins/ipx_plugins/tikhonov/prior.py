"""R(x) = 1/2 |x - mean(x)|^2, or 1/2 |x|^2."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ipx import (
    Identity,
    LinearOperator,
    NoOptions,
    Prior,
    Scalar,
    Shape,
    Spectral,
    image_sum,
    per_image,
)
from ipx_plugins.tikhonov import TikhonovOptions


class Centre(LinearOperator[NoOptions]):
    """x minus the mean of each channel: a projection, diagonal in Fourier and cosine bases."""

    def forward(self, x: Tensor) -> Tensor:
        """x - mean(x)."""
        return x - x.mean(tuple(range(2, x.ndim)), keepdim=True)

    def adjoint(self, y: Tensor) -> Tensor:
        """Equal to `forward`, as the projection is symmetric."""
        return self.forward(y)

    def norm(self) -> float:
        """1, or 0 for images of one pixel."""
        return float(math.prod(self.image_shape[1:]) > 1)

    def spectrum(self, like: Tensor) -> Spectral:
        """Eigenvalues, of the size of an image: 1, and 0 at frequency zero."""

        def gram() -> Tensor:
            ones = torch.ones(self.image_shape[1:], dtype=torch.float64)
            ones.view(-1)[0] = 0
            return ones

        return Spectral("any", self.buffer("gram", like, gram))


class Tikhonov(Prior[TikhonovOptions]):
    """For Gaussian noise and about = zero the solution is (A^T A + lam I)^-1 A^T y."""

    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        return image_sum(self.grad(x) ** 2) / 2

    def grad(self, x: Tensor) -> Tensor:
        """x - mean(x), or x."""
        return x - self._mean(x)

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """(x + t mean(x)) / (1 + t), or x / (1 + t)."""
        step = per_image(t, x)
        return (x + step * self._mean(x)) / (1 + step)

    def quadratic_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """L = I - 1 1^T / n in each channel, or L = I."""
        return Identity(image_shape) if self.options.about == "zero" else Centre(image_shape)

    def _mean(self, x: Tensor) -> Tensor | float:
        return (
            0.0 if self.options.about == "zero" else x.mean(tuple(range(2, x.ndim)), keepdim=True)
        )
