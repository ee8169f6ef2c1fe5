"""A test of linear operators that no plugin declares: finite values, and the right adjoint."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor

from ipx.errors import PluginError
from ipx.numerics.tensors import image_dot, image_norm
from ipx.parts.linear import LinearOperator
from ipx.parts.operator import Operator

USUAL = 0.1
"""Largest difference of <A x, u> and <x, A^T u>, as a share of their usual size for white noise."""


def unequal(operator: Operator[Any], y: Tensor) -> Iterator[str]:
    """A doubt about an operator whose adjoint is not that of its forward method.

    Plugins are tested by `ipx check`, so that only other classes are tested here, with two images
    of white noise: one would miss a wrong adjoint in one of twenty cases.

    Args:
        operator: of any class.
        y: data, for type and device.

    Raises:
        PluginError: values of an image of white noise are not finite.
    """
    if operator.declaration is not None or not isinstance(operator, LinearOperator):
        return
    generator = torch.Generator().manual_seed(0)
    x, u = (
        torch.randn(2, *shape, generator=generator).to(y)
        for shape in (operator.image_shape, operator.data_shape)
    )
    with torch.no_grad():
        there, back = operator.forward(x), operator.adjoint(u)
    for name, made in (("forward", there), ("adjoint", back)):
        if not bool(made.isfinite().all()):
            raise PluginError(f"{name} of {operator.origin} gives values that are not finite")
    left, right = image_dot(there, u), image_dot(x, back)
    first = image_norm(there) * image_norm(u) / u[0].numel() ** 0.5
    second = image_norm(x) * image_norm(back) / x[0].numel() ** 0.5
    least = torch.finfo(y.dtype).tiny
    gap = (left - right).abs() / torch.maximum(first, second).clamp_min(least)
    worst = int(gap.argmax())
    if float(gap[worst]) > USUAL:
        yield (
            f"forward and adjoint of {operator.origin} do not belong together, or forward is not "
            f"linear: <A x, u> = {float(left[worst]):.4g} and <x, A^T u> = "
            f"{float(right[worst]):.4g} for white noise x and u; the result cannot be trusted"
        )
