"""DnCNN: convolutions at full resolution that predict the noise (Zhang et al., 2017)."""

from __future__ import annotations

from torch import Tensor, nn

from ipx_plugins.denoisers import DnCNNOptions
from ipx_plugins.denoisers.common import Denoiser, with_level


class DnCNN(Denoiser[DnCNNOptions]):
    """The paper's network with the noise level as input, without biases and batch normalisation.

    Without additive constants the network is homogeneous and generalises beyond the noise levels
    of training (Mohan et al., ICLR 2020).
    """

    def network(self) -> nn.Module:
        """The untrained network."""
        o = self.options
        return Net(o.colors, o.width, o.depth)


class Net(nn.Module):
    """x - body(x, sigma)."""

    def __init__(self, colors: int, width: int, depth: int) -> None:
        super().__init__()
        layers: list[nn.Module] = []
        for i in range(depth):
            into = colors + 1 if i == 0 else width
            out = colors if i == depth - 1 else width
            conv = nn.Conv2d(into, out, 3, padding=1, bias=False)
            nn.init.orthogonal_(conv.weight, 0.2 if i == depth - 1 else 2**0.5)
            layers += [conv, nn.ReLU()]
        self.body = nn.Sequential(*layers[:-1])

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The denoised picture, shape of ``x``."""
        noise: Tensor = self.body(with_level(x, sigma))
        return x - noise
