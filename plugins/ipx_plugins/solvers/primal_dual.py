"""What primal-dual solvers share: the operator K of the prior's dual, and when they are done."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, TypeVar

import torch
from torch import Tensor

from ipx import Linear, LinearOperator, Options, Problem, ProxConjugate, Solver, State, using
from ipx.toolkit import image_distance, image_norm


@dataclass(frozen=True)
class PrimalDualState(State):
    """x, dual p of Kx, dual step sigma ``(B,)`` of p, x before relaxation, and |K|."""

    p: Tensor
    sigma: Tensor
    seen: Tensor
    scale: float


O = TypeVar("O", bound=Options)  # noqa: E741  # as in `ipx.Solver`
S = TypeVar("S", bound=PrimalDualState)


class PrimalDual(Solver[O, S]):
    """Base of the solvers with a dual variable for g(Kx)."""

    iterations = 500

    def part(self, problem: Problem) -> LinearOperator[Any]:
        """K."""

        def made() -> Linear:
            shape = problem.operator.image_shape
            return using(problem.prior, ProxConjugate).linear_part(shape)

        part = problem.derived(PrimalDual, made)
        assert isinstance(part, LinearOperator)
        return part

    def with_penalty(self, state: S, penalty: Tensor, rescale: bool = True) -> S:
        """The state with this sigma."""
        return replace(state, sigma=penalty)

    def solution(self, problem: Problem, state: S) -> Tensor:
        """x before relaxation, which satisfies the constraints."""
        return state.seen

    def residual(self, problem: Problem, before: S, after: S) -> Tensor:
        """The larger of the changes of x and of p / (sigma |K|), relative to |x|, ``(B,)``."""
        dual = image_distance(after.p, before.p) / (after.sigma * max(after.scale, 1e-12))
        change = torch.maximum(dual, image_distance(after.x, before.x))
        return change / image_norm(after.x).clamp_min(1e-12)
