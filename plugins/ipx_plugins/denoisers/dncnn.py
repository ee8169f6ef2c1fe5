"""DnCNN: convolutions at full resolution that predict the noise (Zhang et al., 2017)."""

from __future__ import annotations

from torch import Tensor, nn

from ipx_plugins.denoisers import DnCNNOptions
from ipx_plugins.denoisers.common import Denoiser, with_level


class DnCNN(Denoiser[DnCNNOptions]):
    """The paper's network without batch normalisation; by default with the noise level as input.

    Without biases the network is homogeneous and generalises beyond the noise levels of training
    (Mohan et al., ICLR 2020).
    """

    def network(self) -> nn.Module:
        """The untrained network."""
        o = self.options
        return Net(o.colors, o.width, o.depth, o.bias, o.blind, o.picture)


class Net(nn.Module):
    """x - body(x, sigma), or body(x, sigma) where the last layer gives the picture.

    Args:
        colors: channels of pictures.
        width: feature channels.
        depth: number of convolutions.
        bias: the convolutions have biases.
        blind: the noise level is no input.
        picture: the last layer gives the picture.
    """

    def __init__(
        self, colors: int, width: int, depth: int, bias: bool, blind: bool, picture: bool
    ) -> None:
        super().__init__()
        self.blind, self.picture = blind, picture
        layers: list[nn.Module] = []
        for i in range(depth):
            into = colors + (not blind) if i == 0 else width
            out = colors if i == depth - 1 else width
            conv = nn.Conv2d(into, out, 3, padding=1, bias=bias)
            nn.init.orthogonal_(conv.weight, 0.2 if i == depth - 1 else 2**0.5)
            layers += [conv, nn.ReLU()]
        self.body = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The denoised picture, shape of ``x``."""
        out: Tensor = self.body(x if self.blind else with_level(x, sigma))
        return out if self.picture else x - out
