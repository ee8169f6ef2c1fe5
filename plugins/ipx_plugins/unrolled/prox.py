"""Learned proximal maps, as networks and as priors for classical solvers."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

import ipx
from ipx import Identity, LinearOperator, Model, NoOptions, OuterProx, Scalar, Shape, Traits
from ipx_plugins.unrolled import UnrolledOptions
from ipx_plugins.unrolled.filters import Bank, Curves, cosines, split_up

TOLD = ("drunet", "cnn")
"""Kinds of prox that take a noise level."""


class CNN(nn.Module):
    """x + sigma times a small network of x and sigma; the identity before training."""

    def __init__(self, colors: int, width: int, hidden: int) -> None:
        super().__init__()
        layers: list[nn.Module] = [nn.Conv2d(colors + 1, width, 3, padding=1), nn.ReLU()]
        for _ in range(hidden):
            layers += [nn.Conv2d(width, width, 3, padding=1), nn.ReLU()]
        last = nn.Conv2d(width, colors, 3, padding=1)
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)  # type: ignore[arg-type]  # it has a bias
        self.body = nn.Sequential(*layers, last)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The result, shape of ``x`` ``(B, C, H, W)``, for ``sigma`` ``(B, 1, 1, 1)``."""
        level = sigma.expand(x.shape[0], 1, *x.shape[2:])
        out: Tensor = x + sigma * self.body(torch.cat([x, level], 1))
        return out


class Frame(nn.Module):
    """Shrinkage in a frame of learned filters, sum_l D_l^T phi_l(D_l x); the first is not shrunk.

    Before training it is the DCT over all shifts, a tight frame with the mean first. Filters of
    one pixel are all shrunk, which is soft thresholding of the picture.
    """

    def __init__(self, side: int, points: int) -> None:
        super().__init__()
        self.filters = nn.Parameter(cosines(side) / side)
        self.kept = 1 if side > 1 else 0
        self.curves = Curves(side**2 - self.kept, points)

    def forward(self, x: Tensor, t: Scalar) -> Tensor:
        """Same shape."""
        bank = Bank(tuple(x.shape[1:]), self.filters)
        u = split_up(bank.forward(x), len(self.filters))
        shrunk = self.curves(u[:, :, self.kept :].flatten(1, 2), t)
        shrunk = split_up(shrunk, len(self.curves.values))
        return bank.adjoint(torch.cat([u[:, :, : self.kept], shrunk], 2).flatten(1, 2))


class Filters(nn.Module):
    """Learned filters D_l and curves of the penalty sum_l |D_l x|; at first DCT and soft."""

    def __init__(self, side: int, points: int) -> None:
        super().__init__()
        chosen = cosines(side)[1:] if side > 1 else cosines(side)
        self.filters = nn.Parameter(chosen)
        self.curves = Curves(len(chosen), points)


def network(options: UnrolledOptions) -> nn.Module:
    """The untrained prox."""
    o = options
    if o.prox == "cnn":
        return CNN(o.colors, o.widths[0], o.blocks)
    if o.prox == "shrinkage":
        return Frame(o.taps, o.points)
    if o.prox == "filters":
        return Filters(o.taps, o.points)
    return denoiser(o).network()


def denoiser(options: UnrolledOptions) -> Model[Any]:
    """The model whose network is the prox."""
    o = options
    return ipx.model(
        o.prox, colors=o.colors, widths=o.widths, blocks=o.blocks, unshuffle=o.unshuffle
    )


def multiple(options: UnrolledOptions) -> int:
    """Divisor of height and width of pictures."""
    return denoiser(options).multiple if options.prox == "drunet" else 1


class LearnedProx(OuterProx[NoOptions]):
    """A prox network as a prior with K = I; ``t`` is its squared noise level or its threshold."""

    traits = Traits(basis="identity")

    def __init__(self, net: nn.Module, options: UnrolledOptions, sides: int) -> None:
        super().__init__()
        self.net, self.told = net, options.prox in TOLD
        self.colors, self.sides = options.colors, sides

    def linear_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """The identity."""
        return Identity(image_shape)

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """The learned prox of ``x`` ``(B, C, H, W)``; any size."""
        if not self.told:
            shrunk: Tensor = self.net(x, t)
            return shrunk
        level = torch.as_tensor(t, dtype=x.dtype, device=x.device).sqrt()
        level = level.reshape(-1, 1, 1, 1).expand(x.shape[0], 1, 1, 1)
        batch, channels, height, width = x.shape
        y = x
        if self.colors == 1:
            y = x.reshape(batch * channels, 1, height, width)
            level = level.expand(batch, channels, 1, 1).reshape(-1, 1, 1, 1)
        bottom, right = -height % self.sides, -width % self.sides
        if bottom or right:
            y = F.pad(y, (0, right, 0, bottom), mode="replicate")
        out: Tensor = self.net(y, level)[..., :height, :width]
        return out.reshape(x.shape)

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """The same as `prox`."""
        return self.prox(u, t)


class LearnedFilters(OuterProx[NoOptions]):
    """The penalty on learned filters as a prior g(Kx)."""

    traits = Traits(basis="fft")

    def __init__(self, net: Filters) -> None:
        super().__init__()
        self.net = net

    def linear_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """K, the bank of filters."""
        return Bank(image_shape, self.net.filters)

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """The shrinkage curves, applied to ``u``."""
        out: Tensor = self.net.curves(u, t)
        return out
