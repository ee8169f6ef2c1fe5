"""Limited-memory BFGS with curvature pairs and a line search for each image."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ipx import Problem, Solver, State, image_dot
from ipx.toolkit import column, filled_start, gradient_of, value_and_gradient, vector, wolfe_search
from ipx_plugins.solvers import LBFGSOptions


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


class LBFGS(Solver[LBFGSOptions, LBFGSState]):
    """Two-loop recursion (Nocedal 1980) with a bisecting approximate Wolfe line search."""

    iterations = 200

    def init(self, problem: Problem) -> LBFGSState:
        """The start without pairs; the scale is 1 over the data term's Lipschitz constant."""
        x = filled_start(problem)
        lipschitz = vector(problem.data.lipschitz(), x).clamp_min(1e-8)
        return LBFGSState(x, *_evaluate(problem, x), (), 1 / lipschitz)

    def step(self, problem: Problem, state: LBFGSState) -> LBFGSState:
        """One quasi-Newton step."""
        x, g = state.x, state.gradient
        d = self._direction(state)
        slope = image_dot(d, g)
        downhill = slope < 0
        d = torch.where(column(downhill, d), d, -column(state.scale, g) * g)
        slope = torch.where(downhill, slope, -state.scale * image_dot(g, g))
        moved, value, fresh = wolfe_search(partial(_evaluate, problem), x, d, slope, state.value)
        s, change = moved - x, fresh - g
        curvature, size = image_dot(s, change), image_dot(change, change)
        good = curvature > 1e-10 * size
        weight = torch.where(good, 1 / torch.where(good, curvature, 1.0), 0.0)
        scale = torch.where(good, curvature / torch.where(good, size, 1.0), state.scale)
        pairs = (*state.pairs, (s, change, weight))[-self.options.memory :]
        return LBFGSState(moved, value, fresh, pairs, scale)

    def _direction(self, state: LBFGSState) -> Tensor:
        q = -state.gradient
        kept = []
        for s, change, weight in reversed(state.pairs):
            a = weight * image_dot(s, q)
            q = q - column(a, q) * change
            kept.append(a)
        q = column(state.scale, q) * q
        for (s, change, weight), a in zip(state.pairs, reversed(kept), strict=True):
            q = q + column(a - weight * image_dot(change, q), q) * s
        return q


def _evaluate(problem: Problem, x: Tensor) -> tuple[Tensor | None, Tensor]:
    """F at x, None for a convex problem, and its gradient."""
    if problem.prior.traits.convex:
        return None, gradient_of(problem, x)
    return value_and_gradient(problem, x)
