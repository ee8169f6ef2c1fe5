"""Degrees of freedom of a restored picture, and selection of results image by image."""

from __future__ import annotations

import torch
from torch import Tensor

from ipx import Problem, Result, Solve, image_dot


def free_values(
    problem: Problem, result: Result, solve: Solve, lam: Tensor, spread: Tensor
) -> Tensor:
    """Residual degrees of freedom m - df of m data, ``(B,)``.

    df is the trace of the Jacobian of y -> A x(y), from one probe b of random signs (Ramani, Blu,
    Unser 2008): ``m - df = b . (b - (A x(y + e b) - A x(y)) / e)``. e is a tenth of ``spread``,
    the noise standard deviation ``(B,)``. This takes a second solve, started at ``result``.
    """
    y = problem.y
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, (1, *y.shape[1:]), generator=generator) * 2.0 - 1.0
    probe = signs.to(y)
    known = problem.operator.known(y)
    if known is not None:
        probe = probe * known
    size = (0.1 * spread).view(-1, *([1] * (y.ndim - 1)))
    moved = problem.changed(y=y + size * probe, lam=lam, x0=result.unknown)
    after = solve(moved).unknown
    forward = problem.operator.forward
    change = (forward(after) - forward(result.unknown)) / size
    return image_dot(probe.expand_as(y), probe - change)


def merge(old: Result | None, new: Result, take: Tensor) -> Result:
    """Image by image, ``new`` where ``take`` ``(B,)`` is true, else ``old``."""
    if old is None:
        return new
    return new.where(take, old)
