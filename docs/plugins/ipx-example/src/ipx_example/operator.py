"""The operator ipx-example: the mathematics."""

from __future__ import annotations

import torch
from ipx import LinearOperator
from torch import Tensor

from ipx_example import IpxExampleOptions


class IpxExample(LinearOperator[IpxExampleOptions]):
    """A x = d * x, d = 1 in the middle and 1 - strength in the corners.

    Images ``(B, C, H, W)``, data of the same shape.
    """

    def diagonal(self, like: Tensor) -> Tensor:
        """d, ``(H, W)``, in the precision and on the device of ``like``."""
        height, width = self.image_shape[-2:]

        def make() -> Tensor:
            rows = torch.linspace(-1, 1, height, dtype=torch.float64)[:, None]
            columns = torch.linspace(-1, 1, width, dtype=torch.float64)
            return 1 - self.options.strength * (rows**2 + columns**2) / 2

        return self.buffer("diagonal", like, make)

    def forward(self, x: Tensor) -> Tensor:
        """d * x."""
        return self.diagonal(x) * x

    def adjoint(self, y: Tensor) -> Tensor:
        """d * y: a real diagonal is its own adjoint."""
        return self.diagonal(y) * y

    def norm(self) -> float:
        """The largest entry of d."""
        return float(self.diagonal(torch.zeros((), dtype=torch.float64)).max())
