"""Limited-memory BFGS with curvature pairs and a line search for each image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ipx import Problem, Solver, State, image_dot
from ipx.toolkit import (
    column,
    curvature_ahead,
    expected_misfit,
    filled_start,
    gradient_of,
    value_and_gradient,
    vector,
    wolfe_search,
)
from ipx_plugins.solvers import LBFGSOptions
from ipx_plugins.solvers.metric import bends, modelled, solved

_CALM = 5
"""Steps in a row that have to be small. The first ones are, before the curvature is learned."""


@dataclass(frozen=True)
class LBFGSState(State):
    """x, its gradient, and the last pairs (s, y, 1 / <s, y>), oldest first.

    A pair without positive curvature has weight 0 for its image, and thus no effect. For convex
    problems, whose line search needs no values, ``value`` is None.
    """

    value: Tensor | None
    gradient: Tensor
    pairs: tuple[tuple[Tensor, Tensor, Tensor], ...]
    scale: Tensor  # (B,) of the initial inverse Hessian
    falls: Tensor  # (B, _CALM): the decreases of the last steps, in units of the expected misfit
    model: tuple[Tensor, ...] = ()  # (B,) each: factors of the prior's quadratic model, if any


class LBFGS(Solver[LBFGSOptions, LBFGSState]):
    """Two-loop recursion (Nocedal 1980) with a bisecting approximate Wolfe line search.

    For a prior with a quadratic model of R and a quadratic data term, the initial inverse Hessian
    is a multiple of (A^T A + lam c L^T L)^-1 (Nocedal, Wright 2006, section 7.2), c found from
    differences of gradients.

    A convex problem has converged when x changes little. For others, a short step says nothing of
    the distance to a minimum: five in a row have to lower F by less than the tolerance, in units of
    the data term expected at the truth.
    """

    iterations = 200

    def init(self, problem: Problem) -> LBFGSState:
        """The start without pairs; the scale is the inverse of a curvature."""
        x = filled_start(problem)
        value, gradient = _evaluate(problem, x)
        model: tuple[Tensor, ...] = ()
        if modelled(problem):
            scale, model = vector(1.0, x), bends(problem, x)
        elif value is None:
            scale = 1 / vector(problem.data.lipschitz(), x).clamp_min(1e-8)
        else:
            bend = curvature_ahead(x, partial(gradient_of, problem)).abs()
            scale = 1 / torch.where(bend > 0, bend, 1.0)
        falls = x.new_ones(x.shape[0], _CALM)
        return LBFGSState(x, value, gradient, (), scale, falls, model)

    def step(self, problem: Problem, state: LBFGSState) -> LBFGSState:
        """One quasi-Newton step."""
        x, g = state.x, state.gradient
        d = self._direction(problem, state)
        slope = image_dot(d, g)
        downhill = slope < 0
        d = torch.where(column(downhill, d), d, -column(state.scale, g) * g)
        slope = torch.where(downhill, slope, -state.scale * image_dot(g, g))
        moved, value, fresh = wolfe_search(partial(_evaluate, problem), x, d, slope, state.value)
        s, change = moved - x, fresh - g
        metric = solved(problem, change, state.model)
        curvature, size = image_dot(s, change), image_dot(change, metric)
        good = curvature > 1e-10 * size
        weight = torch.where(good, 1 / torch.where(good, curvature, 1.0), 0.0)
        scale = torch.where(good, curvature / torch.where(good, size, 1.0), state.scale)
        pairs = (*state.pairs, (s, change, weight))[-self.options.memory :]
        fall = state.falls[:, :1]
        if value is not None and state.value is not None:
            fall = ((state.value - value) / expected_misfit(problem))[:, None]
        falls = torch.cat([state.falls[:, 1:], fall], 1)
        return LBFGSState(moved, value, fresh, pairs, scale, falls, state.model)

    def residual(self, problem: Problem, before: LBFGSState, after: LBFGSState) -> Tensor:
        """Relative change of x, or for a nonconvex F the largest of the last decreases."""
        change = super().residual(problem, before, after)
        return change if after.value is None else after.falls.amax(1)

    def _direction(self, problem: Problem, state: LBFGSState) -> Tensor:
        q = -state.gradient
        kept = []
        for s, change, weight in reversed(state.pairs):
            a = weight * image_dot(s, q)
            q = q - column(a, q) * change
            kept.append(a)
        q = column(state.scale, q) * solved(problem, q, state.model)
        for (s, change, weight), a in zip(state.pairs, reversed(kept), strict=True):
            q = q + column(a - weight * image_dot(change, q), q) * s
        return q


def _evaluate(problem: Problem, x: Tensor) -> tuple[Tensor | None, Tensor]:
    """F at x, None for a convex problem, and its gradient."""
    if problem.prior.traits.convex:
        return None, gradient_of(problem, x)
    return value_and_gradient(problem, x)
