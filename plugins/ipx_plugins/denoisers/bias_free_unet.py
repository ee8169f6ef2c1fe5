"""The bias-free U-Net, blind to the noise level (Mohan et al., 2020)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ipx_plugins.denoisers import BiasFreeUNetOptions
from ipx_plugins.denoisers.common import Denoiser


class BiasFreeUNet(Denoiser[BiasFreeUNetOptions]):
    """One downsampling, dilated convolutions, one skip connection; no biases.

    It is homogeneous, f(k x) = k f(x), and needs no noise level.
    """

    @property
    def multiple(self) -> int:
        """2, the factor of the downsampling."""
        return 2

    def network(self) -> nn.Module:
        """The untrained network."""
        o = self.options
        return Net(o.colors, o.width, o.picture)


class Net(nn.Module):
    """The picture itself, or x - noise(x).

    Args:
        colors: channels of pictures.
        width: feature channels at full resolution; twice as many at half resolution.
        picture: the last layer gives the picture.
    """

    def __init__(self, colors: int, width: int, picture: bool) -> None:
        super().__init__()
        self.picture = picture
        wide = 2 * width

        def conv(into: int, out: int, size: int, dilation: int = 1, stride: int = 1) -> nn.Conv2d:
            padding = dilation * (size // 2)
            return nn.Conv2d(into, out, size, stride, padding, dilation, bias=False)

        relu = nn.ReLU()
        self.head = nn.Sequential(conv(colors, width, 5), relu, conv(width, width, 3), relu)
        self.body = nn.Sequential(
            conv(width, wide, 3, stride=2), relu,
            conv(wide, wide, 3), relu,
            conv(wide, wide, 3, dilation=2), relu,
            conv(wide, wide, 3, dilation=4), relu,
            nn.ConvTranspose2d(wide, wide, 4, 2, 1, bias=False), relu,
        )  # fmt: skip
        self.tail = nn.Sequential(conv(wide + width, width, 3), relu, conv(width, colors, 5))
        for layer in self.modules():
            if isinstance(layer, nn.Conv2d | nn.ConvTranspose2d):
                nn.init.orthogonal_(layer.weight, 2**0.5)
        nn.init.orthogonal_(self.tail[2].weight, 0.2)  # type: ignore[arg-type]  # a weight

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The denoised picture, shape of ``x``; its sides must be even, ``sigma`` has no effect."""
        kept = self.head(x)
        out: Tensor = self.tail(torch.cat([self.body(kept), kept], 1))
        return out if self.picture else x - out
