"""A denoiser that is a gradient step on an explicit potential (Hurault et al., ICLR 2022)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ipx import image_sum
from ipx_plugins.denoisers import GSDRUNetOptions
from ipx_plugins.denoisers.common import Denoiser
from ipx_plugins.denoisers.drunet import Net as DRUNet

_SMALLEST = 1e-5  # smaller noise levels are raised to this


class GSDRUNet(Denoiser[GSDRUNetOptions]):
    """D(x) = x - grad g(x), g(x) = 1/2 |x - N(x)|^2 (equations 8 and 12), N a smooth DRUNet.

    The loss is weighted by about 1 / sigma: plug-and-play and the potential need low noise levels,
    at which a gradient step is hard to learn.
    """

    levels = (2, 5, 15, 25, 50)

    @property
    def multiple(self) -> int:
        """Divisor of height and width: the unshuffle factor, doubled for each downsampling."""
        o = self.options
        return o.unshuffle << (len(o.widths) - 1)

    def weight(self, sigma: Tensor) -> Tensor:
        """1 at sigma_max and, for the default sigma_max, 17.7 at sigma = 0; ``(B, 1, 1, 1)``."""
        least = 3 / 255
        return (self.options.sigma_max + least) / (sigma + least)

    def network(self) -> nn.Module:
        """The untrained network."""
        o = self.options
        return Net(o.colors, o.widths, o.blocks, o.unshuffle)


class Net(nn.Module):
    """x - grad g, where x - N(x) = sigma r(x / sigma) for one network r without biases.

    Hence g(k x, k sigma) = k^2 g(x, sigma), the homogeneity of bias-free denoisers with ReLU:
    training at one noise level serves all others. ELU in place of ReLU makes g continuously
    differentiable.
    """

    def __init__(self, colors: int, widths: tuple[int, ...], blocks: int, unshuffle: int) -> None:
        super().__init__()
        self.body = DRUNet(colors, widths, blocks, unshuffle, F.elu)
        for conv in (self.body.head, self.body.tail):  # grad g is of second order in them
            nn.init.orthogonal_(conv.weight, 0.5)

    def residual(self, x: Tensor, sigma: Tensor) -> Tensor:
        """x - N(x), shape of ``x``; ``sigma`` is ``(B, 1, 1, 1)``."""
        scale = sigma.clamp_min(_SMALLEST)
        out: Tensor = scale * self.body.body(x / scale, torch.ones_like(scale))
        return out

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The denoised picture, shape of ``x``; its sides must be multiples of ``multiple``."""
        return x - slope(lambda z: self.residual(z, sigma), x)


def potential(residual: Tensor) -> Tensor:
    """g = 1/2 |residual|^2 per image, ``(B,)``."""
    return 0.5 * image_sum(residual**2)


def slope(residual: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """Gradient of ``potential(residual(x))``, shape of ``x``; differentiable if grad is enabled."""
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        z = x if again and x.requires_grad else x.detach().requires_grad_()
        g = potential(residual(z)).sum()
        (gradient,) = torch.autograd.grad(g, z, create_graph=again)
    return gradient
