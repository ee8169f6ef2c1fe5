"""Pictures with the Gram matrices of features of another (Gatys, Ecker, Bethge).

F holds the features of a layer, a row for each channel. G = F F^T / n tells which features occur
together, and forgets where. The picture is found by L-BFGS from noise, first on a small grid, so
that the network, which sees 30 pixels, arranges larger structures too.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from scipy.optimize import minimize
from torch import Tensor
from torch.nn import functional

from ipx import ShapeError
from ipx_plugins.texture.features import Features, as_colour

LEAST = 32
"""Smallest side of the pictures on the coarsest grid."""

SCALES = 3
"""Grids, each with half the pixels of the next along a side."""


@dataclass(frozen=True)
class Aim:
    """What the features of a picture shall be.

    Attributes:
        net: the network.
        layers: so many layers are matched.
        style: the picture with the Gram matrices, ``(1, C, h, w)``.
        content: the picture with the features, ``(1, C, H, W)``; None for a texture.
        strength: share of the style in the sum.
    """

    net: Features
    layers: int
    style: Tensor
    content: Tensor | None = None
    strength: float = 1.0

    def smaller(self, factor: int) -> Aim:
        """The same aim on a grid that is coarser by this factor."""
        content = None if self.content is None else functional.avg_pool2d(self.content, factor)
        style = functional.avg_pool2d(self.style, factor)
        return Aim(self.net, self.layers, style, content, self.strength)

    def seen(self, x: Tensor) -> list[Tensor]:
        """The picture and its features, layer by layer."""
        colour = as_colour(x)
        return [colour - 0.5, *self.net.layers(colour)[: self.layers or None]]


def gram(features: Tensor) -> Tensor:
    """F F^T / n, ``(K, K)``, of features ``(1, K, H, W)``."""
    rows = features[0].flatten(1)
    return rows @ rows.T / rows.shape[1]


def optimised(aim: Aim, start: Tensor, iterations: int) -> Tensor:
    """The picture that has what is aimed at.

    Args:
        aim: see `Aim`.
        start: ``(1, C, H, W)`` in [0, 1].
        iterations: steps of L-BFGS on each grid.

    Returns:
        ``(1, C, H, W)`` in [0, 1].

    Raises:
        ShapeError: a picture is too small.
    """
    least = min(*start.shape[2:], *aim.style.shape[2:])
    if least < LEAST:
        raise ShapeError(f"gram needs pictures of at least {LEAST} x {LEAST} pixels")
    factors = [2**k for k in range(SCALES) if least // 2**k >= LEAST]
    x = functional.avg_pool2d(start, factors[-1])
    for factor in reversed(factors):
        grid = functional.avg_pool2d(start, factor).shape[2:]
        if tuple(x.shape[2:]) != tuple(grid):
            x = functional.interpolate(x, size=tuple(grid), mode="bilinear").clamp(0, 1)
        x = _descended(aim.smaller(factor) if factor > 1 else aim, x, iterations)
    return x


def _descended(aim: Aim, start: Tensor, iterations: int) -> Tensor:
    """L-BFGS on one grid, within [0, 1]."""
    with torch.no_grad():
        wanted = [gram(f) for f in aim.seen(aim.style)]
        kept = None if aim.content is None else aim.seen(aim.content)[-2]
    bottom = [w.square().sum().clamp_min(1e-12) for w in wanted]

    def loss(x: Tensor) -> Tensor:
        found = aim.seen(x)
        pairs = zip(found, wanted, bottom, strict=True)
        parts = [(gram(f) - w).square().sum() / b for f, w, b in pairs]
        style = torch.stack(parts).mean()
        if kept is None:
            return style
        content = (found[-2] - kept).square().sum() / kept.square().sum().clamp_min(1e-12)
        return aim.strength * style + (1 - aim.strength) * content

    def value(flat: np.ndarray) -> tuple[float, np.ndarray]:
        x = torch.from_numpy(flat).to(start).view(start.shape).requires_grad_()
        found = loss(x)
        (slope,) = torch.autograd.grad(found, x)
        return float(found.detach()), slope.double().numpy().ravel()

    done = minimize(
        value,
        start.double().numpy().ravel(),
        jac=True,
        method="L-BFGS-B",
        bounds=[(0.0, 1.0)] * start.numel(),
        # the loss is a share of what is aimed at: its slope per pixel is tiny, and ends nothing
        options={"maxiter": iterations, "maxcor": 20, "ftol": 1e-10, "gtol": 0.0},
    )
    return torch.from_numpy(done.x).to(start).view(start.shape)
