"""R(x) = |x|_1."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ipx import Identity, LinearOperator, NoOptions, OuterProx, Scalar, Shape, image_sum, per_image


class L1(OuterProx[NoOptions]):
    """R(x) = |x|_1, for pictures of few bright pixels on black."""

    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        return image_sum(x.abs())

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """Soft threshold at t."""
        step = torch.as_tensor(per_image(t, x), dtype=x.dtype, device=x.device)
        return x - x.clamp(-step, step)

    def linear_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """K = I."""
        return Identity(image_shape)

    def orthonormal_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """W = I."""
        return Identity(image_shape)

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """Soft threshold at t."""
        return self.prox(u, t)

    def prox_conjugate(self, u: Tensor, t: Scalar, lam: Scalar = 1.0) -> Tensor:
        """Projection onto [-lam, lam], for every t."""
        bound = torch.as_tensor(per_image(lam, u), dtype=u.dtype, device=u.device)
        return u.clamp(-bound, bound)
