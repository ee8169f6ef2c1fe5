"""A line search with a step and a bracket per image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ipx.numerics.tensors import column, image_dot

_TRIALS = 30
_ARMIJO, _WOLFE = 0.1, 0.9
_DECREASE = 1e-4


def wolfe_search(
    evaluate: Callable[[Tensor], tuple[Tensor | None, Tensor]],
    x: Tensor,
    d: Tensor,
    slope: Tensor,
    value: Tensor | None = None,
) -> tuple[Tensor, Tensor | None, Tensor]:
    """A point along d that satisfies the Wolfe conditions, with F and its gradient there.

    For convex F the search bisects on slopes d^T grad F, not on values, which cancel near the
    minimum: it asks for 0.9 s <= slope <= -0.8 s with s the slope at x (the approximate Wolfe
    conditions, Hager and Zhang 2005). For nonconvex F, whose ``value`` at x is given, F has to
    decrease (Armijo), and a point reached by backtracking is accepted whatever its curvature.

    Args:
        evaluate: F, ``(B,)``, and its gradient at a point; F may be None for a convex F.
        x: the start.
        d: a descent direction.
        slope: d^T grad F(x), ``(B,)``, < 0.
        value: F(x), ``(B,)``; only for a nonconvex F.
    """
    alive = torch.isfinite(slope) & torch.isfinite(slope if value is None else value)
    t = torch.ones_like(slope)
    low, high = torch.zeros_like(t), torch.full_like(t, torch.inf)
    moved, reached, fresh = x, value, x
    for _ in range(_TRIALS):
        moved = x + column(t, x) * d
        reached, fresh = evaluate(moved)
        there = image_dot(d, fresh)
        far = ~(there <= (2 * _ARMIJO - 1) * slope)  # beyond the minimum, or not finite
        near = there < _WOLFE * slope
        if value is not None and reached is not None:
            far = ~((reached - value <= _DECREASE * t * slope) & torch.isfinite(there))
            near = ~far & near & high.isinf()
        if not bool(((far | near) & alive).any()):
            break
        high, low = torch.where(far, t, high), torch.where(near, t, low)
        middle = torch.where(high.isinf(), 2 * t, (low + high) / 2)
        t = torch.where(far | near, middle, t)
    return moved, reached, fresh
