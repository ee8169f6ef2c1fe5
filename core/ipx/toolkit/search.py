"""A line search in which each image has its own step and bracket."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ipx.numerics.tensors import column, image_dot

_TRIALS = 30
_ARMIJO, _WOLFE = 0.1, 0.9
_DECREASE = 1e-4


def wolfe_search(
    gradient: Callable[[Tensor], Tensor],
    x: Tensor,
    d: Tensor,
    slope: Tensor,
    objective: Callable[[Tensor], Tensor] | None = None,
) -> tuple[Tensor, Tensor]:
    """A point along d with enough decrease and curvature, and the gradient there.

    The search bisects and compares slopes d^T grad F, not values: for a convex F a slope at the
    new point that is below a tenth of the first, and not more than that uphill, means enough
    decrease and enough curvature (the approximate Wolfe conditions of Hager and Zhang 2005), and
    slopes do not cancel near the minimum. For an F that is not convex slopes tell too little:
    with its ``objective`` F itself has to fall (Armijo), and a point that was backed up to is
    taken whatever its curvature.

    Args:
        gradient: of F, ``(B, ...)`` to the same shape.
        x: where to begin.
        d: the direction, downhill.
        slope: d^T grad F(x), ``(B,)``, < 0.
        objective: F, ``(B,)``, for an F that is not convex.
    """
    now = slope if objective is None else objective(x)
    alive = torch.isfinite(slope) & torch.isfinite(now)
    t = torch.ones_like(slope)
    low, high = torch.zeros_like(t), torch.full_like(t, torch.inf)
    moved = x
    fresh = x
    for _ in range(_TRIALS):
        moved = x + column(t, x) * d
        fresh = gradient(moved)
        there = image_dot(d, fresh)
        far = ~(there <= (2 * _ARMIJO - 1) * slope)  # beyond the minimum, or not finite
        near = there < _WOLFE * slope
        if objective is not None:
            rise = objective(moved) - now
            far = ~((rise <= _DECREASE * t * slope) & torch.isfinite(there))
            near = ~far & near & high.isinf()
        if not bool(((far | near) & alive).any()):
            break
        high, low = torch.where(far, t, high), torch.where(near, t, low)
        middle = torch.where(high.isinf(), 2 * t, (low + high) / 2)
        t = torch.where(far | near, middle, t)
    return moved, fresh
