"""R(x) = 0."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ipx import Identity, LinearOperator, NoOptions, OuterProx, Scalar, Shape


class NoPrior(OuterProx[NoOptions]):
    """R(x) = 0, with gradient, proximal maps and quadratic part."""

    def value(self, x: Tensor) -> Tensor:
        """0 for each image."""
        return x.new_zeros(x.shape[0])

    def grad(self, x: Tensor) -> Tensor:
        """0."""
        return torch.zeros_like(x)

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """x itself."""
        return x

    def linear_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """K = I."""
        return Identity(image_shape)

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """u itself."""
        return u

    def prox_conjugate(self, u: Tensor, t: Scalar, lam: Scalar = 1.0) -> Tensor:
        """0, the only point where the conjugate of 0 is finite."""
        return torch.zeros_like(u)

    def bounds(self) -> tuple[float, float]:
        """None."""
        return -math.inf, math.inf

    def quadratic_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """L = 0."""
        return 0.0 * Identity(image_shape)
