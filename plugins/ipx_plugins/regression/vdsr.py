"""VDSR (Kim et al. 2016): 3 x 3 convolutions predict the residual of interpolation."""

from __future__ import annotations

from torch import Tensor, nn

from ipx_plugins.regression import VDSROptions
from ipx_plugins.regression.common import Regression


class VDSR(Regression[VDSROptions]):
    """The paper's network with configurable width and depth."""

    def body(self, outputs: int) -> nn.Module:
        """The untrained network (He initialisation), whose residual is zero."""
        return Net(self.options.colors, outputs, self.options.width, self.options.depth)


class Net(nn.Module):
    """x + body(x), or body(x) where it has other channels."""

    def __init__(self, colors: int, outputs: int, width: int, depth: int) -> None:
        super().__init__()
        self.residual = outputs == colors
        convs = [nn.Conv2d(colors, width, 3, padding=1)]
        convs += [nn.Conv2d(width, width, 3, padding=1) for _ in range(depth - 2)]
        for conv in convs:
            nn.init.kaiming_normal_(conv.weight, nonlinearity="relu")
            nn.init.zeros_(conv.bias)  # type: ignore[arg-type]  # it has a bias
        last = nn.Conv2d(width, outputs, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]  # it has a bias
        self.body = nn.Sequential(*(m for conv in convs for m in (conv, nn.ReLU())), last)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, outputs, H, W)``."""
        out: Tensor = self.body(x)
        return x + out if self.residual else out
