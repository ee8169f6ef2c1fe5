"""Colour as a class: CIE Lab, bins of the ab plane, a network that predicts one of them.

Zhang, Isola, Efros, "Colorful image colorization", ECCV 2016. The mean of all colours that are
plausible is grey; a distribution over bins keeps them apart.
"""

from __future__ import annotations

import math
from functools import cache

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

# linear sRGB to XYZ relative to the white point D65 (IEC 61966-2-1)
_XYZ = (
    (0.4124564, 0.3575761, 0.1804375),
    (0.2126729, 0.7151522, 0.0721750),
    (0.0193339, 0.1191920, 0.9503041),
)
_WHITE = tuple(sum(row) for row in _XYZ)
_EDGE = 6 / 29  # CIE 15:2004, 8.2.1: below it the cube root becomes a line
_FLOOR = 1e-4  # keeps the slope of powers finite

SPREAD = 0.5
"""Share of the uniform distribution in the rebalancing weights (the paper's lambda)."""


def _matrix(like: Tensor, inverse: bool = False) -> Tensor:
    matrix = torch.tensor(_XYZ, dtype=torch.float64)
    matrix = matrix / torch.tensor(_WHITE, dtype=torch.float64)[:, None]
    return (matrix.inverse() if inverse else matrix).to(like)


def lab(rgb: Tensor) -> Tensor:
    """L in [0, 100], a and b of sRGB colours ``(B, 3, H, W)`` in [0, 1], clipped to that range."""
    v = rgb.clamp(0, 1)
    linear = torch.where(v > 0.04045, ((v.clamp_min(0.04) + 0.055) / 1.055) ** 2.4, v / 12.92)
    xyz = torch.einsum("ij,bjhw->bihw", _matrix(rgb), linear)
    root = xyz.clamp_min(_FLOOR) ** (1 / 3)
    f = torch.where(xyz > _EDGE**3, root, xyz / (3 * _EDGE**2) + 4 / 29)
    x, y, z = f.unbind(1)
    return torch.stack([116 * y - 16, 500 * (x - y), 200 * (y - z)], 1)


def rgb(colors: Tensor) -> Tensor:
    """sRGB colours in [0, 1], the inverse of `lab`; colours out of gamut are clipped."""
    light, a, b = colors.unbind(1)
    y = (light + 16) / 116
    f = torch.stack([y + a / 500, y, y - b / 200], 1)
    xyz = torch.where(f > _EDGE, f.clamp_min(_EDGE) ** 3, 3 * _EDGE**2 * (f - 4 / 29))
    linear = torch.einsum("ij,bjhw->bihw", _matrix(colors, inverse=True), xyz).clamp(0, 1)
    power = 1.055 * linear.clamp_min(_FLOOR) ** (1 / 2.4) - 0.055
    return torch.where(linear > 0.0031308, power, 12.92 * linear)


@cache
def bins(side: float) -> tuple[Tensor, Tensor, int]:
    """Bins of the ab plane that hold a colour of sRGB.

    Returns:
        Centres ``(Q, 2)``; a table ``(N, N)`` of the bin of each cell of the plane, the nearest one
        where it holds no colour, by the rounded multiples of ``side`` plus N // 2; N // 2.
    """
    with torch.device("cpu"):  # not that of the caller, since it is kept
        return _bins(side)


def _bins(side: float) -> tuple[Tensor, Tensor, int]:
    half = math.ceil(110 / side)
    steps = torch.linspace(0, 1, 52)
    cube = torch.cartesian_prod(steps, steps, steps).T.reshape(1, 3, -1, 1)
    cells = torch.unique((lab(cube)[0, 1:, :, 0].T / side).round().long(), dim=0)
    cells = cells.clamp(-half, half)
    n = 2 * half + 1
    every = torch.cartesian_prod(torch.arange(n), torch.arange(n)) - half
    nearest = torch.cdist(every.float(), cells.float()).argmin(1)
    return cells.float() * side, nearest.view(n, n), half


def classes(ab: Tensor, side: float) -> Tensor:
    """The bin of each colour, ``(B, H, W)`` int64, from ``(B, 2, H, W)``."""
    _, table, half = bins(side)
    cell = (ab / side).round().long().clamp(-half, half) + half
    return table.to(ab.device)[cell[:, 0], cell[:, 1]]


def colourfulness(x: Tensor) -> Tensor:
    """Of each picture ``(B, 3, H, W)`` in [0, 1], ``(B,)``: 0 for grey.

    sqrt(var(rg) + var(yb)) + 0.3 |mean(rg, yb)|, rg = R - G, yb = (R + G) / 2 - B, in units of the
    range 255 (Hasler, Suesstrunk, SPIE 5007, 2003, section 7).
    """
    r, g, b = (255 * x.clamp(0, 1)).unbind(1)
    opponent = torch.stack([r - g, (r + g) / 2 - b], 1).flatten(2)
    mean = opponent.mean(2).norm(dim=1)
    value: Tensor = opponent.var(2, unbiased=False).sum(1).sqrt() + 0.3 * mean
    return value


class Chroma(nn.Module):
    """A network for lightness and a distribution over the bins of ab, and the colours it implies.

    ``body`` gives 1 + Q channels: a change of L in units of 100, and logits.
    """

    def __init__(self, body: nn.Module, side: float, temperature: float) -> None:
        super().__init__()
        self.body, self.side, self.temperature = body, side, temperature
        count = len(bins(side)[0])
        # of training pixels by bin, and over how many batches, for the rebalancing
        self.share: Tensor
        self.batches: Tensor
        self.register_buffer("share", torch.full((count,), 1 / count))
        self.register_buffer("batches", torch.zeros((), dtype=torch.long))

    def predicted(self, seen: Tensor) -> tuple[Tensor, Tensor]:
        """L ``(B, 1, H, W)`` and logits ``(B, Q, H, W)``."""
        found = self.body(seen)
        return lab(seen)[:, :1] + 100 * found[:, :1], found[:, 1:]

    def forward(self, seen: Tensor) -> Tensor:
        """The picture ``(B, 3, H, W)``: the mean colour of the distribution made sharper."""
        light, logits = self.predicted(seen)
        centres = bins(self.side)[0].to(seen)
        share = (logits / self.temperature).softmax(1)
        ab = torch.einsum("bqhw,qc->bchw", share, centres)
        return rgb(torch.cat([light, ab], 1))

    def loss(self, seen: Tensor, clean: Tensor) -> Tensor:
        """Cross-entropy of the bins, rare ones weighted up, and |L error| / 10.

        The target is the one nearest bin; the paper spreads it over five. It is compared at half
        the resolution, since colour is smooth.
        """
        light, logits = self.predicted(seen)
        truth = lab(clean)
        target = classes(F.avg_pool2d(truth[:, 1:], 2), self.side)
        weight = self._weights(target)
        told = F.cross_entropy(F.avg_pool2d(logits, 2), target, reduction="none")
        return (told * weight[target]).mean() + (light - truth[:, :1]).abs().mean() / 10

    def _weights(self, target: Tensor) -> Tensor:
        """1 / ((1 - SPREAD) p + SPREAD / Q), of mean 1 under p (the paper's equation 4), ``(Q,)``.

        p are frequencies over the training so far, smoothed over the neighbouring bins.
        """
        if self.training:
            with torch.no_grad():
                found = torch.bincount(target.flatten(), minlength=len(self.share))
                self.batches += 1
                self.share += (found / found.sum() - self.share) / self.batches
        centres = bins(self.side)[0].to(self.share)
        near = torch.exp(-torch.cdist(centres, centres).square() / (2 * self.side**2 / 4))
        share = near @ self.share
        share = share / share.sum()
        weight = 1 / ((1 - SPREAD) * share + SPREAD / len(share))
        return weight / (weight * share).sum()
