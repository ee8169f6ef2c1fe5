"""A representative window of the data, on which the weight of the prior is chosen faster."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ipx.declare.capabilities import Local, Shape, has, using
from ipx.parts.operator import Operator
from ipx.solving.problem import Problem

SIDE = 512
"""Height and width of a window of the data."""

LARGE = 3
"""Data are searched by a window if they are at least so many times larger than that."""

VOXELS, LEAST = 2 * SIDE**2, 64
"""Values of the window of a volume, which has its whole depth, and its least height and width."""

_CELL = 16  # the contrast of the data is compared in squares of this side


def window_of(problem: Problem) -> Problem | None:
    """The same problem on a window of the data; None where they are small or cannot be cut.

    The window is the one whose mean squared gradient is nearest to that of all the data, in the
    mean over a batch. The start is `ipx.Operator.preview`.
    """
    y, operator = problem.y, problem.operator
    if not is_large(operator) or problem.x0 is not None:
        return None
    top, left, height, width = representative(y)
    part = using(operator, Local).part(top, left, height, width)
    cut = y[..., top : top + height, left : left + width].contiguous()
    return problem.changed(y=cut, operator=part)


def is_large(operator: Operator[Any]) -> bool:
    """True if a window of the data is used."""
    shape = operator.data_shape
    return has(operator, Local) and shape[-2] * shape[-1] >= LARGE * side_of(shape) ** 2


def side_of(data_shape: Shape) -> int:
    """Height and width of the window of data of this shape; that of a volume is smaller."""
    if len(data_shape) != 4:
        return SIDE
    return max(LEAST, min(SIDE, math.isqrt(VOXELS // data_shape[1])))


def representative(y: Tensor) -> tuple[int, int, int, int]:
    """Top, left, height and width of the window of data ``(B, C, H, W)`` that is most like all.

    That of volumes has all depths.
    """
    height, width = (min(side_of(tuple(y.shape[1:])), n) for n in y.shape[-2:])
    y = y if y.ndim == 4 else y.flatten(1, -3)
    down, right = y[..., 1:, :-1] - y[..., :-1, :-1], y[..., :-1, 1:] - y[..., :-1, :-1]
    contrast = (down**2 + right**2).mean(1, keepdim=True)
    cells = functional.avg_pool2d(contrast, _CELL)
    size = (max(1, height // _CELL - 1), max(1, width // _CELL - 1))
    means = functional.avg_pool2d(cells, size, stride=1)
    tiny = torch.finfo(y.dtype).tiny
    whole = contrast.mean((1, 2, 3), keepdim=True).clamp_min(tiny)
    far = (means.clamp_min(tiny) / whole).log().abs().mean((0, 1))
    row, column = divmod(int(far.argmin()), far.shape[1])
    top, left = (
        min(_CELL * i, n - side)
        for i, n, side in zip((row, column), y.shape[-2:], (height, width), strict=True)
    )
    return top, left, height, width
