"""What several of the algorithms share."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import torch
import torch.nn.functional as nn
from torch import Tensor

from ipx import (
    DataProx,
    DataQuadratic,
    Diagonal,
    LinearOperator,
    Problem,
    ProxConjugate,
    Scalar,
    has,
    image_dot,
    image_norm,
)

AnyLinear = LinearOperator[Any]

DATA_PENALTY = 3.0  # on w = Ax, for data terms of curvature about one in pictures in [0, 1]
SHARPER = 4.0  # once a quick start is made, the penalties grow by so much
_HALVINGS = 60
_THRESHOLD = 0.2  # lam / rho: what one step takes off the edges of a picture in [0, 1]


def vector(value: Scalar, like: Tensor) -> Tensor:
    """A scalar as one value per image, ``(B,)``."""
    made = torch.as_tensor(value, dtype=like.dtype, device=like.device)
    return made.expand(like.shape[0])


def column(value: Tensor, like: Tensor) -> Tensor:
    """One value per image ``(B,)``, shaped to multiply ``like`` ``(B, ...)``."""
    return value.view(-1, *([1] * (like.ndim - 1)))


def start(problem: Problem) -> Tensor:
    """Where to begin: ``problem.start()``, with the pixels that were not measured filled in.

    A hole left at zero costs an iterative solver most of its steps.
    """
    x = problem.start()
    if problem.x0 is not None or x.ndim != 4 or not has(problem.operator, Diagonal):
        return x
    d = cast(Diagonal, problem.operator).diagonal(x)
    seen = (d != 0).to(x.dtype).expand_as(x)
    if bool(seen.all()):
        return x
    return _pull_push(x * seen, seen)


def _pull_push(weighted: Tensor, weight: Tensor) -> Tensor:
    """Averages over ever larger blocks fill what smaller ones leave empty (Gortler et al. 1996)."""
    filled = weighted / weight.clamp_min(1e-12)
    height, width = weighted.shape[-2:]
    if max(height, width) == 1 or bool((weight > 0).all()):
        return filled
    pad = (0, width % 2, 0, height % 2)
    coarse = _pull_push(
        nn.avg_pool2d(nn.pad(weighted, pad), 2), nn.avg_pool2d(nn.pad(weight, pad), 2)
    )
    size = (height + height % 2, width + width % 2)
    wide = nn.interpolate(coarse, size=size, mode="bilinear", align_corners=False)
    return torch.where(weight > 0, filled, wide[..., :height, :width])


def outer(problem: Problem) -> ProxConjugate:
    """The prior as g(Kx)."""
    return cast(ProxConjugate, problem.prior)


def is_identity(part: AnyLinear, like: Tensor) -> bool:
    """True if K x = x."""
    return has(part, Diagonal) and bool((cast(Diagonal, part).diagonal(like) == 1).all())


def exact_prox(problem: Problem) -> bool:
    """True if the data term has a proximal map that needs no inner iteration."""
    if not problem.data.can(DataProx):
        return False
    if not problem.data.quadratic:
        return True
    return bool(problem.data.bridge(DataQuadratic).exact_with(None))


def first_step(problem: Problem, x: Tensor, gradient: Callable[[Tensor], Tensor]) -> Tensor:
    """1 over the Lipschitz constant, or, where that is but a bound, over the curvature ahead.

    For few photons the bound, which holds at black too, is a thousand times too large: steps so
    short would pass for convergence. Shape ``(B,)``; the search shrinks what is too long.
    """
    bound = 1 / vector(problem.data.lipschitz(), x).clamp_min(1e-8)
    if problem.data.quadratic:
        return bound
    return torch.maximum(bound, 1 / curvature_ahead(x, gradient).clamp_min(1e-8))


def curvature_ahead(x: Tensor, gradient: Callable[[Tensor], Tensor]) -> Tensor:
    """d^T H d / |d|^2 for d downhill, a thousandth of x long, by differences: ``(B,)``."""
    g = gradient(x)
    ahead = 1e-3 * image_norm(x).clamp_min(1e-6) / image_norm(g).clamp_min(1e-12)
    d = -column(ahead, g) * g
    return image_dot(gradient(x + d) - g, d) / image_dot(d, d).clamp_min(1e-30)


def descend(problem: Problem, x: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of the data term at x, and a step ``(B,)`` at which it surely falls.

    Where the Lipschitz constant is only a bound the step may grow a little, and is halved until
    f's quadratic model holds.
    """
    g = problem.data.grad(x)
    if problem.data.quadratic:
        return g, step
    step = 1.2 * step
    for _ in range(_HALVINGS):
        d = -column(step, g) * g
        bend = image_dot(problem.data.grad(x + d) - g, d)
        good = bend * step <= image_dot(d, d)
        if bool(good.all()):
            break
        step = torch.where(good, step, step / 2)
    return g, step


def momentum(t: Tensor, drop: Tensor) -> tuple[Tensor, Tensor]:
    """The next number of Nesterov's sequence, and how far to go on along the last advance.

    Both ``(B,)``; 1 and 0 where the momentum is dropped (Beck, Teboulle 2009, eq. 4.2 and 4.3).
    """
    after = (1 + torch.sqrt(1 + 4 * t**2)) / 2
    weight = torch.where(drop, 0.0, (t - 1) / after)
    return torch.where(drop, 1.0, after), weight


def penalty(problem: Problem, like: Tensor) -> Tensor:
    """A penalty, or dual step, for z = Kx: ``(B,)``, > 0.

    The prior's prox then thresholds at lam / rho = 0.2, in image units, whatever lam is. Such
    large thresholds bring a picture near its final quality in the fewest steps, a quarter of
    them (`SHARPER`) is best for the rest of the way (measured on three operators, TV and wavelets).
    A constraint knows no lam; there the data's own curvature sets the scale.
    """
    if not problem.prior.weighted:
        return 0.1 * vector(problem.data.lipschitz(), like).clamp(1e-3, 1e3)
    return (vector(problem.lam, like) / _THRESHOLD).clamp_min(1e-5)
