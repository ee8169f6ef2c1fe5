"""Degrees of freedom of a restored picture."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ipx import LEAST_SIGMA, Problem, Result, Solve, image_dot, image_sum, known_count


def free_values(
    problem: Problem,
    result: Result,
    solve: Solve,
    lam: Tensor,
    before: Result | None = None,
) -> tuple[Tensor, Result]:
    """Residual degrees of freedom m - df of m data, ``(B,)``, and the solution for the probe.

    df is the trace of the Jacobian of y -> A x(y), from one probe b of random signs (Ramani, Blu,
    Unser 2008): ``m - df = b . (b - (A x(y + e b) - A x(y)) / e)``. e is a tenth of the noise
    standard deviation of each value. This takes a second solve, with the steps of ``result`` from
    the start of ``problem``. It goes on from ``before``, the solution for the probe of the trial
    that ``result`` went on from.
    """
    y = problem.y
    probe, size = probe_of(problem)
    moved = problem.changed(y=y + size * probe, lam=lam)
    probed = solve(moved, after=before, twin=result)
    after = probed.unknown
    forward = problem.operator.forward
    change = (forward(after) - forward(result.unknown)) / size
    return image_dot(probe.expand_as(y), coarse(problem, probe - change)), probed


def probe_of(problem: Problem) -> tuple[Tensor, Tensor]:
    """Random signs at the measured values, like y, and the size of the step along them."""
    y = problem.y
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, (1, *y.shape[1:]), generator=generator) * 2.0 - 1.0
    probe = signs.to(y)
    known = problem.operator.known(y)
    size = 0.1 * problem.noise.deviation(y).clamp_min(LEAST_SIGMA)
    if not problem.data.quadratic:  # there are no negative counts: dark values are moved up
        dark = problem.noise.centred(y) < size
        probe = torch.where(dark, probe.abs(), probe)
    if known is not None:
        probe = probe * known
    return probe, size


def blocks(problem: Problem) -> int:
    """The side of the blocks whose means have white noise; 1 where the data have no such blocks."""
    side = problem.noise.block
    return side if problem.y.ndim == 4 and min(problem.y.shape[-2:]) >= 16 * side else 1


def coarse_count(problem: Problem) -> Tensor:
    """The dimension of the space of `coarse`, ``(B,)``."""
    side = blocks(problem)
    return known_count(problem) / (1 if side == 1 else side**2 * problem.y.shape[1])


def coarse(problem: Problem, values: Tensor) -> Tensor:
    """The orthogonal projection of data onto the part with white noise: all, if there is no other.

    Where lossy storage removed fine noise these are the means of `blocks` over all channels, since
    colours are stored coarser than brightness.
    """
    side = blocks(problem)
    if side == 1:
        return values
    h, w = (side * (n // side) for n in values.shape[-2:])
    means = functional.avg_pool2d(values[..., :h, :w].mean(1, keepdim=True), side)
    out = torch.zeros_like(values)
    out[..., :h, :w] = means.repeat_interleave(side, -2).repeat_interleave(side, -1)
    return out


def coarse_misfit(problem: Problem, result: Result) -> Tensor:
    """1/2 |P (A x - y)|^2 per image, ``(B,)``, P the projection `coarse`."""
    if blocks(problem) == 1:
        return problem.data.value(result.unknown)
    residual = problem.operator.forward(result.unknown) - problem.y
    return 0.5 * image_sum(coarse(problem, residual) ** 2)
