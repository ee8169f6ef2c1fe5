"""Solvers: algorithms that minimise ``f(x) + lam R(x)``, one step at a time.

A solver has two pure functions, ``init(problem) -> State`` and ``step(problem, state) -> State``.
Loop, stopping rules and step counter belong to `ipx.iterate`. A step is differentiable, so an
unrolled network is a solver whose step has learned parameters.
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
    """The variables of an algorithm between steps. All tensors have the batch first.

    ``x`` is the iterate, ``(B, C, H, W)`` or a code ``(B, n)``. Subclasses add tensors, numbers,
    and frozen dataclasses or tuples of these, nothing else, so that a state can be saved, moved,
    differentiated and resumed. Derived quantities belong to the problem (`ipx.Problem.derived`).
    """

    x: Tensor


S = TypeVar("S", bound=State)

TOL = 1e-4
"""The usual residual at which an image stops."""


class Solver(Component[O], ABC, Generic[O, S]):
    """An iterative algorithm.

    Attributes:
        needs: alternative requirements on data term and prior, from the declaration, or set by a
            class that no plugin declares, which comes first.
        iterations: the default budget.
        one_shot: True if one step is the whole algorithm (a closed form).
        resumes: True if `resumed` is implemented.
    """

    kind = "solver"
    needs: tuple[Need, ...] = ()
    iterations: ClassVar[int] = 300
    one_shot: ClassVar[bool] = False
    resumes: ClassVar[bool] = False

    def __init__(self, options: O | None = None, **values: Any) -> None:
        super().__init__(options, **values)
        if isinstance(self.declaration, SolverSpec) and "needs" not in self._own:
            self.needs = self.declaration.needs

    def budget(self, problem: Problem) -> int:
        """The default number of steps for this problem: ``iterations``."""
        return self.iterations

    def tolerance(self, problem: Problem) -> float:
        """The default residual at which an image stops: `TOL`."""
        return TOL

    def resumed(self, problem: Problem, state: S) -> S:
        """A state of the same problem with another lam, or slightly other data, as a start.

        The trials of a tuner go on from each other by it, where ``resumes`` is True.
        """
        return state

    def translates(self, problem: Problem) -> bool:
        """True if the result is another image than that which the data show, of a label map say.

        Measured pixels of data free of noise are then not put into the result.
        """
        return False

    def schedule(self, problem: Problem) -> int | None:
        """The number of steps after which the algorithm is complete, whatever the residual.

        None, the default, for one that iterates to a fixed point; 1 for a closed form.
        """
        return 1 if self.one_shot else None

    @abstractmethod
    def init(self, problem: Problem) -> S:
        """The state before the first step, made from ``problem.start()``."""

    @abstractmethod
    def step(self, problem: Problem, state: S) -> S:
        """One iteration. Pure: changes neither the problem, nor the state, nor ``self``."""

    def solution(self, problem: Problem, state: S) -> Tensor:
        """The unknown of a state, ``state.x`` by default."""
        return state.x

    def with_penalty(self, state: S, penalty: Tensor, rescale: bool = True) -> S:
        """The state with another penalty for the following steps; unrolled networks learn it.

        Args:
            state: after any step.
            penalty: ``(B,)``, > 0; for proximal gradient methods the inverse of the step length.
            rescale: rescale variables stored divided by the penalty (scaled multipliers); False
                if they refer to this penalty already.

        Raises:
            PlanError: the algorithm has no penalty.
        """
        raise PlanError(f"{type(self).__name__} has no penalty that could be learned")

    def damped(self, before: S, after: S, rate: Tensor) -> S:
        """``after`` with the change of its multiplier scaled by ``rate``, ``(B,)`` or ``()``."""
        return after

    def residual(self, problem: Problem, before: S, after: S) -> Tensor:
        """Fixed-point residual per image ``(B,)``; by default the relative change of ``x``."""
        change = image_norm(after.x - before.x)
        return change / image_norm(after.x).clamp_min(1e-12)
