"""R(x) = 1/2 |x|^2."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ipx import Identity, LinearOperator, NoOptions, Prior, Scalar, Shape, image_sum, per_image


class Tikhonov(Prior[NoOptions]):
    """R(x) = 1/2 |x|^2; with Gaussian noise the solution is (A^T A + lam I)^-1 A^T y."""

    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        return image_sum(x * x) / 2

    def grad(self, x: Tensor) -> Tensor:
        """x."""
        return x.clone()

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """x / (1 + t)."""
        return x / (1 + per_image(t, x))

    def quadratic_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """L = I."""
        return Identity(image_shape)
