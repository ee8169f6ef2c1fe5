"""Anderson acceleration of a fixed-point iteration."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

MEMORY = 5
_RIDGE = 1e-8


def anderson(
    function: Callable[[Tensor], Tensor], x: Tensor, steps: int = 60, tol: float = 1e-5
) -> Tensor:
    """A fixed point of ``function``, image by image (Anderson 1965; Walker, Ni 2011).

    Args:
        function: maps ``(B, ...)`` to the same shape.
        x: the start.
        steps: the largest number of evaluations.
        tol: relative residual at which to stop, when all images reach it.
    """
    batch = x.shape[0]
    points: list[Tensor] = []
    values: list[Tensor] = []
    for _ in range(steps):
        value = function(x)
        points, values = [*points[1 - MEMORY :], x], [*values[1 - MEMORY :], value]
        rests = torch.stack([(g - p).flatten(1) for g, p in zip(values, points, strict=True)], 1)
        last = rests[:, -1].norm(dim=1) / value.flatten(1).norm(dim=1).clamp_min(1e-12)
        if bool((last <= tol).all()):
            return value
        gram = rests @ rests.mT
        size = len(points)
        unit = torch.eye(size, dtype=x.dtype, device=x.device)
        scale = gram.diagonal(dim1=1, dim2=2).mean(1).clamp_min(1e-30).view(-1, 1, 1)
        ones = x.new_ones(batch, size, 1)
        share = torch.linalg.solve(gram / scale + _RIDGE * unit, ones)
        share = share / share.sum(1, keepdim=True)
        x = (share * torch.stack([g.flatten(1) for g in values], 1)).sum(1).view_as(value)
    return value
