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

    def body(self, outputs: int) -> nn.Module:
        """The untrained network, whose residual is zero."""
        o = self.options
        return Net(o.colors, outputs, o.widths, o.dropout)


class Net(nn.Module):
    """x + U(x), or U(x) where it has other channels; at any size.

    Dropout is on the features that come up from the coarser scales, as in pix2pix.
    """

    def __init__(
        self, colors: int, outputs: int, widths: tuple[int, ...], dropout: float = 0.0
    ) -> None:
        super().__init__()
        self.residual = outputs == colors
        self.dropout = nn.Dropout(dropout)
        self.head = _double(colors, widths[0])
        self.down = nn.ModuleList(_double(a, b) for a, b in pairwise(widths))
        self.grow = nn.ModuleList(
            nn.ConvTranspose2d(b, a, 2, stride=2) for a, b in reversed(list(pairwise(widths)))
        )
        self.up = nn.ModuleList(_double(2 * a, a) for a in reversed(widths[:-1]))
        self.tail = nn.Conv2d(widths[0], outputs, 1)
        nn.init.zeros_(self.tail.weight)
        nn.init.zeros_(self.tail.bias)  # type: ignore[arg-type]  # it has a bias

    def forward(self, x: Tensor) -> Tensor:
        """``(B, outputs, H, W)``."""
        height, width = x.shape[-2:]
        side = 1 << len(self.down)
        h = self.head(F.pad(x, (0, -width % side, 0, -height % side), mode="replicate"))
        kept = []
        for down in self.down:
            kept.append(h)
            h = down(F.max_pool2d(h, 2))
        for grow, up in zip(self.grow, self.up, strict=True):
            h = up(torch.cat([grow(self.dropout(h)), kept.pop()], 1))
        out: Tensor = self.tail(h)[..., :height, :width]
        return x + out if self.residual else out


def _double(into: int, out: int) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(into, out, 3, padding=1),
        nn.ReLU(),
        nn.Conv2d(out, out, 3, padding=1),
        nn.ReLU(),
    )
