"""Half-quadratic splitting with a growing penalty."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ipx import (
    Problem,
    Prox,
    Solver,
    State,
    using,
)
from ipx.toolkit import filled_start, vector
from ipx_plugins.solvers import HQSOptions


@dataclass(frozen=True)
class HQSState(State):
    """x, its copy z, the number of steps done, and the penalty ``(B,)`` of the next, if set."""

    z: Tensor
    steps: int
    rho: Tensor | None = None


class HQS(Solver[HQSOptions, HQSState]):
    """Alternates prox_{lam R / rho} and prox_{f / rho} while rho grows geometrically.

    For fixed rho it minimises f(x) + lam R(z) + rho/2 |x - z|^2. With the last penalty x and z
    agree to about a thousandth of the range (Wang et al. 2008, section 2). The method is fast and
    robust, but ends near the minimiser, not at it.
    """

    iterations = 60

    def init(self, problem: Problem) -> HQSState:
        """x and z at the start."""
        x = filled_start(problem)
        return HQSState(x, x, 0)

    def _rho(self, problem: Problem, steps: int, x: Tensor) -> Tensor:
        """The penalty of a step, ``(B,)``."""
        unit = vector(problem.lam if problem.prior.traits.weighted else 1.0, x).clamp_min(1e-6)
        first, last = self.options.rho_start, self.options.rho_end
        low = 2 * unit if first is None else vector(first, x)
        high = torch.maximum(1e3 * unit if last is None else vector(last, x), low)
        share = min(steps / max(self.options.steps - 1, 1), 1.0)
        return low * (high / low) ** share

    def step(self, problem: Problem, state: HQSState) -> HQSState:
        """z = prox of the prior at x, x = prox of the data term at z."""
        rho = self._rho(problem, state.steps, state.x) if state.rho is None else state.rho
        z = using(problem.prior, Prox).prox(state.x, vector(problem.lam, state.x) / rho)
        x = problem.data.prox(z, 1 / rho, guess=state.x)
        return HQSState(x, z, state.steps + 1)

    def with_penalty(self, state: HQSState, penalty: Tensor, rescale: bool = True) -> HQSState:
        """The state with this penalty for the next step, in place of the schedule's."""
        return replace(state, rho=penalty)

    def solution(self, problem: Problem, state: HQSState) -> Tensor:
        """z, which satisfies a constraint exactly."""
        return state.z

    def residual(self, problem: Problem, before: HQSState, after: HQSState) -> Tensor:
        """Relative change of x; at least 1 while the penalty still grows."""
        change = super().residual(problem, before, after)
        return change.clamp_min(1.0) if after.steps < self.options.steps else change
