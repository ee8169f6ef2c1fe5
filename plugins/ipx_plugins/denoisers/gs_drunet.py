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

_SMALLEST = 1e-5  # levels of noise below this are taken for this


class GSDRUNet(Denoiser[GSDRUNetOptions]):
    """D(x) = x - grad g(x), g(x) = 1/2 |x - N(x)|^2 (equations 8 and 12), N a smooth DRUNet.

    Errors count relative to the level: plug-and-play and the potential need the low levels, at
    which a gradient step is hard to learn.
    """

    levels = (2, 5, 15, 25, 50)

    @property
    def multiple(self) -> int:
        """What the unshuffling and the scales divide."""
        o = self.options
        return o.unshuffle << (len(o.widths) - 1)

    def weight(self, sigma: Tensor) -> Tensor:
        """1 at the highest level, 17 at the lowest."""
        least = 3 / 255
        return (self.options.sigma_max + least) / (sigma + least)

    def network(self) -> nn.Module:
        """Fresh weights."""
        o = self.options
        return Net(o.colors, o.widths, o.blocks, o.unshuffle)


class Net(nn.Module):
    """x - grad g, where x - N(x) = sigma r(x / sigma) for one network r without biases.

    So g(k x, k sigma) = k^2 g(x, sigma), as for the denoisers with ReLU: what holds at one level
    of noise helps at all others, and none is beyond its range. ELU in place of ReLU makes g
    continuously differentiable.
    """

    def __init__(self, colors: int, widths: tuple[int, ...], blocks: int, unshuffle: int) -> None:
        super().__init__()
        self.body = DRUNet(colors, widths, blocks, unshuffle, F.elu)
        for conv in (self.body.head, self.body.tail):  # grad g is of second order in them
            nn.init.orthogonal_(conv.weight, 0.5)

    def residual(self, x: Tensor, sigma: Tensor) -> Tensor:
        """x - N(x), shape of ``x``; ``sigma`` is ``(B, 1, 1, 1)``."""
        scale = sigma.clamp_min(_SMALLEST)
        out: Tensor = scale * self.body.residual(x / scale, torch.ones_like(scale))
        return out

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """Denoised, same shape as ``x``, whose sides are multiples of the model's."""
        return x - slope(lambda z: self.residual(z, sigma), x)


def potential(residual: Tensor) -> Tensor:
    """g = 1/2 |residual|^2 per image, ``(B,)``."""
    return 0.5 * image_sum(residual**2)


def slope(residual: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
    """The gradient of g(residual(x)), shape of ``x``; with a graph where gradients are on."""
    again = torch.is_grad_enabled()
    with torch.enable_grad():
        z = x if again and x.requires_grad else x.detach().requires_grad_()
        g = potential(residual(z)).sum()
        (gradient,) = torch.autograd.grad(g, z, create_graph=again)
    return gradient
