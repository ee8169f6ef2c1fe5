"""The prior ipx-example-prior: the mathematics."""

from __future__ import annotations

import torch
from ipx import Prior, Scalar, image_sum, per_image
from torch import Tensor

from ipx_example_prior import IpxExamplePriorOptions


class IpxExamplePrior(Prior[IpxExamplePriorOptions]):
    """R(x) = sum of h(x_i), h(v) = v^2 / (2 delta) for |v| <= delta, else |v| - delta / 2.

    Images ``(B, C, H, W)``.
    """

    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        delta, size = self.options.delta, x.abs()
        return image_sum(torch.where(size <= delta, size**2 / (2 * delta), size - delta / 2))

    def grad(self, x: Tensor) -> Tensor:
        """Gradient of R, the shape of x."""
        return (x / self.options.delta).clamp(-1, 1)

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """argmin_u R(u) + |u - x|^2 / (2 t); ``t`` > 0 is one number, or one per image."""
        step = per_image(t, x)
        return x - step * (x / (self.options.delta + step)).clamp(-1, 1)
