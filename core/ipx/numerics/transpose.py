"""Gradients of linear maps whose code automatic differentiation cannot follow."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

Map = Callable[[Tensor], Tensor]


def linear_map(x: Tensor, apply: Map, transpose: Map) -> Tensor:
    """``apply(x)``, whose gradient is that of a linear map with this transpose.

    Gradients of gradients go on by ``apply``. For maps that write in place, call other libraries,
    or whose recorded steps would need too much memory.

    Args:
        x: a tensor.
        apply: K, from tensors like ``x`` to others.
        transpose: K^T; it is not checked.
    """
    y: Tensor = _Linear.apply(x, apply, transpose)  # type: ignore[no-untyped-call]
    return y


class _Linear(torch.autograd.Function):
    """y = K x, with K^T for its gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, apply: Map, transpose: Map) -> Tensor:
        ctx.maps = apply, transpose
        return apply(x)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        apply, transpose = ctx.maps
        return linear_map(grads[0], transpose, apply), None, None
