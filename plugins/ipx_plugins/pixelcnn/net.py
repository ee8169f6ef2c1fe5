"""The gated network: a vertical stack for the rows above, a horizontal one for the row itself.

Together they see all pixels before the present one in raster order, without the blind spot of
masked square kernels (van den Oord et al., NeurIPS 2016, figure 2). No weight is masked: the
kernels have only the taps that they may use, and causality is a matter of padding.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

REACH = 3
"""Rows and columns that the first layer sees."""


def gate(h: Tensor) -> Tensor:
    """tanh(a) sigmoid(b) of the two halves of the channels (equation 2)."""
    a, b = h.chunk(2, 1)
    return a.tanh() * b.sigmoid()


class First(nn.Module):
    """The first layer: it does not see the pixel itself.

    The second input channel is 1 inside of the picture and tells its border from black.
    """

    def __init__(self, width: int) -> None:
        super().__init__()
        self.down = nn.Conv2d(2, 2 * width, (REACH, 2 * REACH + 1))
        self.link = nn.Conv2d(2 * width, 2 * width, 1)
        self.across = nn.Conv2d(2, 2 * width, (1, REACH))
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Both stacks, ``(B, width, H, W)``, from ``x`` ``(B, 2, H, W)``."""
        # a row of zeros above, and none below: row r sees rows r - REACH to r - 1
        down = self.down(F.pad(x, (REACH, REACH, REACH, -1)))
        across = self.across(F.pad(x, (REACH, -1, 0, 0)))
        return gate(down), self.out(gate(across + self.link(down)))


class Layer(nn.Module):
    """A gated layer: row r sees rows r - d and r of the layer below, the pixel c - d and c."""

    def __init__(self, width: int, dilation: int) -> None:
        super().__init__()
        self.dilation = dilation
        self.down = nn.Conv2d(width, 2 * width, (2, 3), dilation=dilation)
        self.link = nn.Conv2d(2 * width, 2 * width, 1)
        self.across = nn.Conv2d(width, 2 * width, (1, 2), dilation=dilation)
        self.out = nn.Conv2d(width, width, 1)

    def forward(self, v: Tensor, h: Tensor) -> tuple[Tensor, Tensor]:
        """Both stacks of the next layer; the horizontal one is a residual."""
        d = self.dilation
        down = self.down(F.pad(v, (d, d, d, 0)))
        across = self.across(F.pad(h, (d, 0, 0, 0)))
        return gate(down), h + self.out(gate(across + self.link(down)))


class Net(nn.Module):
    """Logits of the grey value of each pixel given the pixels before it."""

    def __init__(self, levels: int, width: int, dilations: tuple[int, ...]) -> None:
        super().__init__()
        self.first = First(width)
        self.layers = nn.ModuleList(Layer(width, d) for d in dilations)
        self.head = nn.Sequential(
            nn.ReLU(),
            nn.Conv2d(width, 2 * width, 1),
            nn.ReLU(),
            nn.Conv2d(2 * width, levels, 1),
        )

    def forward(self, x: Tensor) -> Tensor:
        """``(B, levels, H, W)`` from pictures ``(B, 1, H, W)`` in [0, 1]."""
        v, h = self.first(torch.cat([2 * x - 1, torch.ones_like(x)], 1))
        for layer in self.layers:
            v, h = layer(v, h)
        out: Tensor = self.head(h)
        return out
