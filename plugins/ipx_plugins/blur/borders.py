"""Extension of a picture beyond its borders, and the adjoint."""

from __future__ import annotations

import torch
from torch import Tensor

Sizes = tuple[int, ...]


def extended(x: Tensor, before: Sizes, after: Sizes, boundary: str) -> Tensor:
    """x ``(..., H, W)`` with rows and columns before and after it; reflect, replicate or zero.

    As many axes from the end as ``before`` names.
    """
    for axis in range(-len(before), 0):
        x = _extend(x, axis, before[axis], after[axis], boundary)
    return x


def folded(p: Tensor, before: Sizes, after: Sizes, boundary: str) -> Tensor:
    """The adjoint of `extended`."""
    for axis in range(-1, -len(before) - 1, -1):
        p = _fold(p, axis, before[axis], after[axis], boundary)
    return p.contiguous()


def _extend(x: Tensor, axis: int, before: int, after: int, boundary: str) -> Tensor:
    """Extend one axis by ``before`` and ``after`` pixels."""
    if before + after == 0:
        return x
    n = x.shape[axis]
    if boundary == "reflect":
        head, tail = (
            x.narrow(axis, 0, before).flip(axis),
            x.narrow(axis, n - after, after).flip(axis),
        )
    else:
        shape = list(x.shape)
        shape[axis] = before
        head = x.narrow(axis, 0, 1).expand(shape)
        shape[axis] = after
        tail = x.narrow(axis, n - 1, 1).expand(shape)
        if boundary == "zero":
            head, tail = torch.zeros_like(head), torch.zeros_like(tail)
    return torch.cat([head, x, tail], dim=axis)


def _fold(p: Tensor, axis: int, before: int, after: int, boundary: str) -> Tensor:
    """The adjoint of `_extend`."""
    if before + after == 0:
        return p
    n = p.shape[axis] - before - after
    x = p.narrow(axis, before, n)
    if boundary == "zero":
        return x
    x = x.clone()
    head, tail = p.narrow(axis, 0, before), p.narrow(axis, before + n, after)
    if boundary == "reflect":
        x.narrow(axis, 0, before).add_(head.flip(axis))
        x.narrow(axis, n - after, after).add_(tail.flip(axis))
    else:
        x.narrow(axis, 0, 1).add_(head.sum(axis, keepdim=True))
        x.narrow(axis, n - 1, 1).add_(tail.sum(axis, keepdim=True))
    return x
