"""Solvers: algorithms that minimise ``f(x) + lam R(x)``, one step at a time.

A solver has two pure functions, ``init(problem) -> State`` and ``step(problem, state) ->
State``. It owns no loop, no stopping rule, no step counter: `ipx.iterate` does. A step is
differentiable, so an unrolled network is a solver whose step has learned parameters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import Any, ClassVar, Generic, TypeVar

from torch import Tensor

from ipx.declare.specs import Need, SolverSpec
from ipx.errors import PlanError
from ipx.numerics.tensors import image_norm
from ipx.parts.component import Component, O
from ipx.solving.problem import Problem


@dataclass(frozen=True)
class State:
    """What an algorithm carries from step to step. All tensors have the batch first.

    ``x`` is the present image, ``(B, C, H, W)``. Subclasses add the algorithm's own variables:
    tensors, numbers, and frozen dataclasses or tuples of these, nothing else. So a state can be
    saved, moved, differentiated and gone on from; what is derived belongs to the problem
    (`ipx.Problem.derived`).
    """

    x: Tensor


S = TypeVar("S", bound=State)


class Solver(Component[O], ABC, Generic[O, S]):
    """An iterative algorithm.

    Attributes:
        needs: what it asks of data term and prior, in alternatives; from its declaration, or set
            by a class that no plugin declares.
        iterations: its usual budget.
        one_shot: True when one step is the whole algorithm (a closed form).
    """

    kind = "solver"
    needs: tuple[Need, ...] = ()
    iterations: ClassVar[int] = 300
    one_shot: ClassVar[bool] = False

    def __init__(self, options: O | None = None, **values: Any) -> None:
        super().__init__(options, **values)
        spec = self._declaration()
        if isinstance(spec, SolverSpec):
            self.needs = spec.needs

    def budget(self, problem: Problem) -> int:
        """How many steps it usually takes for this problem: ``iterations``."""
        return self.iterations

    @abstractmethod
    def init(self, problem: Problem) -> S:
        """The state before the first step, made from ``problem.start()``."""

    @abstractmethod
    def step(self, problem: Problem, state: S) -> S:
        """One iteration. Pure: changes neither the problem, nor the state, nor ``self``."""

    def solution(self, problem: Problem, state: S) -> Tensor:
        """The image that the state stands for; ``state.x`` unless the algorithm says else."""
        return state.x

    def with_penalty(self, state: S, penalty: Tensor, rescale: bool = True) -> S:
        """The state with another penalty, or step, for the steps to come: what a network learns.

        Args:
            state: after any step.
            penalty: ``(B,)``, > 0; of proximal gradient the inverse of the step.
            rescale: what is stored over the penalty (a scaled multiplier) keeps its value; off
                where it was made with this penalty already.

        Raises:
            PlanError: the algorithm has no such parameter.
        """
        raise PlanError(f"{type(self).__name__} has no penalty that could be learned")

    def damped(self, before: S, after: S, rate: Tensor) -> S:
        """``after``, with only a share ``rate`` ``(B,)`` or () of the change of its multiplier."""
        return after

    def residual(self, problem: Problem, before: S, after: S) -> Tensor:
        """How far from a fixed point, per image ``(B,)``: relative change of the iterate."""
        change = image_norm(after.x - before.x)
        return change / image_norm(after.x).clamp_min(1e-12)
