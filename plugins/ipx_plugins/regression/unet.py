"""A U-Net for the residual (Ronneberger et al. 2015; Jin et al. 2017, FBPConvNet)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ipx_plugins.regression import UNetOptions
from ipx_plugins.regression.common import Regression


class UNet(Regression[UNetOptions]):
    """Two convolutions per scale, concatenated skip connections, no normalisation."""

    def network(self) -> nn.Module:
        """The untrained network, whose residual is zero."""
        return Net(self.options.colors, self.options.widths)


class Net(nn.Module):
    """x + U(x), at any size."""

    def __init__(self, colors: int, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.head = _double(colors, widths[0])
        self.down = nn.ModuleList(_double(a, b) for a, b in pairwise(widths))
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in reversed(list(pairwise(widths)))
        )
        self.up = nn.ModuleList(_double(2 * a, a) for a in reversed(widths[:-1]))
        self.tail = nn.Conv2d(widths[0], colors, 1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]  # it has a bias

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        height, width = x.shape[-2:]
        side = 1 << len(self.down)
        h = self.head(F.pad(x, (0, -width % side, 0, -height % side), mode="replicate"))
        kept = []
        for down in self.down:
            kept.append(h)
            h = down(F.max_pool2d(h, 2))
        for grow, up in zip(self.grow, self.up, strict=True):
            h = up(torch.cat([grow(h), kept.pop()], 1))
        out: Tensor = x + self.tail(h)[..., :height, :width]
        return out


def _double(into: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(into, out, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(out, out, 3, padding=1),
        nn.ReLU(),
    )
