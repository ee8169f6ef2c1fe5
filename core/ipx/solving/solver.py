"""Solvers: algorithms that minimise ``f(x) + lam R(x)``, one step at a time.

A solver has two pure functions, ``init(problem) -> State`` and ``step(problem, state) ->
State``. It owns no loop, no stopping rule, no step counter: `ipx.iterate` does. A step is
differentiable, so an unrolled network is a solver whose step has learned parameters.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, TypeVar

from torch import Tensor

from ipx.declare.specs import Need
from ipx.parts.component import Component, O, image_norm

if TYPE_CHECKING:
    from ipx.solving.problem import Problem


@dataclass(frozen=True)
class State:
    """What an algorithm carries from step to step. All tensors have the batch first.

    ``x`` is the present image, ``(B, C, H, W)``. Subclasses add the algorithm's own variables.
    """

    x: Tensor


S = TypeVar("S", bound=State)


class Solver(Component[O], ABC, Generic[O, S]):
    """An iterative algorithm.

    Class attributes:
        needs: what it asks of data term and prior, in alternatives (the same tuple as in
            its `SolverSpec`).
        iterations: its usual budget.
        one_shot: True when one step is the whole algorithm (a closed form).
        own_prior: as in its `SolverSpec`.
    """

    needs: ClassVar[tuple[Need, ...]] = ()
    iterations: ClassVar[int] = 300
    one_shot: ClassVar[bool] = False
    own_prior: ClassVar[bool] = False

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

    def residual(self, problem: Problem, before: S, after: S) -> Tensor:
        """How far from a fixed point, per image ``(B,)``: relative change of the iterate."""
        change = image_norm(after.x - before.x)
        return change / image_norm(after.x).clamp_min(1e-12)
