"""A representative window of the data, on which the weight of the prior is chosen faster."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ipx.declare.capabilities import Local, Shape, has, using
from ipx.files.affine import DIM, IDENTITY_HIGH
from ipx.parts.operator import Operator
from ipx.solving.problem import Problem
from ipx.solving.units import USUAL

SIDE = 512
"""Height and width of a window of the data."""

LARGE = 3
"""Data are searched by a window if they are at least so many times larger than that."""

VOXELS, LEAST = 2 * SIDE**2, 64
"""Values of the window of a volume, which has its whole depth, and its least height and width."""

CELL = 16
"""The contrast of the data is compared in squares of this side."""


def window_of(problem: Problem) -> Problem | None:
    """The same problem on a window of the data; None where they are small or cannot be cut.

    The window is the one whose mean squared gradient is nearest to that of all the data, in the
    mean over a batch. The start is `ipx.Operator.preview`.
    """
    if not is_large(problem.operator) or problem.x0 is not None:
        return None
    return _cut(problem, side_of(problem.operator.data_shape))


def cut_to(problem: Problem, side: int) -> Problem:
    """The same problem on a window of this side; the problem itself where it cannot be cut."""
    small = max(problem.operator.data_shape[-2:]) <= side
    if small or problem.x0 is not None or not has(problem.operator, Local):
        return problem
    return _cut(problem, side)


def _cut(problem: Problem, side: int) -> Problem:
    y = problem.y
    top, left, height, width = representative(y, side)
    part = using(problem.operator, Local).part(top, left, height, width)
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


def representative(y: Tensor, side: int | None = None) -> tuple[int, int, int, int]:
    """Top, left, height and width of the window of data ``(B, C, H, W)`` that is most like all.

    That of volumes has all depths. ``side`` is its height and width, by default `side_of`.
    """
    side = side_of(tuple(y.shape[1:])) if side is None else side
    contrast = contrasts(y if y.ndim == 4 else y.flatten(1, -3))
    whole = contrast.mean((1, 2, 3), keepdim=True)
    cells = functional.avg_pool2d(contrast, CELL)
    return most_like(cells, whole, (y.shape[-2], y.shape[-1]), side)


def contrasts(y: Tensor) -> Tensor:
    """Squared gradient of data ``(B, C, H, W)``, the mean over channels, ``(B, 1, H-1, W-1)``."""
    down, right = y[..., 1:, :-1] - y[..., :-1, :-1], y[..., :-1, 1:] - y[..., :-1, :-1]
    return (down**2 + right**2).mean(1, keepdim=True)


def most_like(
    cells: Tensor, whole: Tensor, size: tuple[int, int], side: int = SIDE
) -> tuple[int, int, int, int]:
    """The window of data of ``size`` whose contrast is nearest to that of the ``whole``.

    Args:
        cells: mean contrast in squares of side `CELL`, ``(B, 1, h, w)``.
        whole: mean contrast of all, ``(B, 1, 1, 1)``.
        size: height and width of the data.
        side: height and width of the window, at most.
    """
    height, width = (min(side, n) for n in size)
    few = (max(1, height // CELL - 1), max(1, width // CELL - 1))
    means = functional.avg_pool2d(cells, few, stride=1)
    tiny = torch.finfo(cells.dtype).tiny
    far = (means.clamp_min(tiny) / whole.clamp_min(tiny)).log().abs().mean((0, 1))
    row, column = divmod(int(far.argmin()), far.shape[1])
    top, left = (
        min(CELL * i, n - side)
        for i, n, side in zip((row, column), size, (height, width), strict=True)
    )
    return top, left, height, width


class Survey:
    """What data that are read by rows are like: their extremes, and where their contrast is usual.

    Attributes:
        largest: the largest value in size.
    """

    rows = 16 * CELL
    """Rows of the data that are to be added at once, with the row that follows."""

    def __init__(self) -> None:
        self.largest = 0.0
        self._bright = self._count = 0
        self._cells: list[Tensor] = []

    @property
    def unit(self) -> float:
        """What the data are divided by, as `ipx.solving.units` has it for data that are bright.

        Its tests of block means and of the data as an image need the whole, and are left out.
        """
        many = self._bright > (1 - USUAL) * self._count
        return self.largest if many or 0 < self.largest < DIM else 1.0

    def add(self, y: Tensor) -> None:
        """The next `rows` of the data ``(1, C, h, W)``, and the row that follows, if any."""
        size = y.abs()
        self.largest = max(self.largest, float(size.amax()))
        self._bright += int((size > IDENTITY_HIGH).sum())
        self._count += y.numel()
        if min(y.shape[-2:]) > CELL:
            self._cells.append(functional.avg_pool2d(contrasts(y), CELL))

    def window(self, size: tuple[int, int], side: int) -> tuple[int, int, int, int]:
        """Top, left, height and width of the most usual window of data of ``size``."""
        if not self._cells:
            return 0, 0, min(side, size[0]), min(side, size[1])
        cells = torch.cat(self._cells, -2)
        return most_like(cells, cells.mean((1, 2, 3), keepdim=True), size, side)
