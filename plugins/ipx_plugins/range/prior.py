"""R(x) = 0 inside a box, infinite outside."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ipx import Identity, LinearOperator, OuterProx, Scalar, Shape
from ipx_plugins.range import RangeOptions


class Range(OuterProx[RangeOptions]):
    """The indicator of lower <= x <= upper; lam has no effect on it."""

    def value(self, x: Tensor) -> Tensor:
        """0 or infinity, ``(B,)``."""
        inside = (self.prox(x, 1.0) == x).flatten(1).all(1)
        return torch.where(inside, 0.0, torch.inf).to(x)

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """Projection onto the box, for every t."""
        if self.options.lower is None and self.options.upper is None:
            return x
        return x.clamp(self.options.lower, self.options.upper)

    def bounds(self) -> tuple[float, float]:
        """Both options, infinite where they are none."""
        low, high = self.options.lower, self.options.upper
        return -math.inf if low is None else low, math.inf if high is None else high

    def linear_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """K = I."""
        return Identity(image_shape)

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """Projection onto the box."""
        return self.prox(u, t)
