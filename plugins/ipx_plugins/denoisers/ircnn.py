"""IRCNN: dilated convolutions, one small network for each noise level (Zhang et al., 2017)."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ipx_plugins.denoisers import IRCNNOptions
from ipx_plugins.denoisers.common import Denoiser

DILATIONS = (1, 2, 3, 4, 3, 2, 1)
_ROUNDING = 1e-4  # of a level that is a multiple of the spacing, in float32


class IRCNN(Denoiser[IRCNNOptions]):
    """The paper's networks without batch normalisation; network k is for levels up to k + 1 steps.

    A step is sigma_max / levels, 2/255 in the paper.
    """

    def network(self) -> nn.Module:
        """The untrained networks."""
        o = self.options
        return Net(o.colors, o.width, o.levels, o.sigma_max / o.levels)


class Net(nn.Module):
    """x - noise_k(x), k by the noise level.

    Args:
        colors: channels of pictures.
        width: feature channels.
        levels: number of networks.
        step: difference of their noise levels.
    """

    def __init__(self, colors: int, width: int, levels: int, step: float) -> None:
        super().__init__()
        self.step = step
        self.levels = nn.ModuleList(_chain(colors, width) for _ in range(levels))

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The denoised picture, shape of ``x``; pixel by pixel of the network for its level."""
        index = (sigma / self.step - _ROUNDING).ceil().long() - 1
        index = index.clamp(0, len(self.levels) - 1).expand(x.shape[0], -1, -1, -1)
        out = torch.zeros_like(x)
        for k in sorted(set(index.flatten().tolist())):
            here = index == k
            rows = here.flatten(1).any(1)
            clean = x[rows] - self.levels[k](x[rows])
            out = out.index_put((rows,), torch.where(here[rows], clean, out[rows]))
        return out


def _chain(colors: int, width: int) -> nn.Sequential:
    """Dilated convolutions with ReLUs between them."""
    layers: list[nn.Module] = []
    for i, dilation in enumerate(DILATIONS):
        into = colors if i == 0 else width
        out = colors if i == len(DILATIONS) - 1 else width
        conv = nn.Conv2d(into, out, 3, padding=dilation, dilation=dilation)
        nn.init.orthogonal_(conv.weight, 0.2 if out == colors else 2**0.5)
        nn.init.zeros_(conv.bias)  # type: ignore[arg-type]  # there is one
        layers += [conv, nn.ReLU()]
    return nn.Sequential(*layers[:-1])
