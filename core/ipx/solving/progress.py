"""What is known after a step, and what comes out in the end."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal

import torch
from torch import Tensor

from ipx.errors import PlanError
from ipx.numerics.tensors import column
from ipx.planning.plan import Plan
from ipx.solving.problem import Problem
from ipx.solving.solver import State

Status = Literal["converged", "budget", "diverged"]


@dataclass(frozen=True)
class Progress:
    """What stopping rules and observers see after each step.

    Attributes:
        problem: with its bridges in place.
        iteration: steps done, from 1; 0 before the first.
        budget: steps allowed.
        unknown: present solution: a picture ``(B, C, H, W)``, or its code ``(B, n)``; of an image
            that diverged the last good one.
        residual: fixed-point residual per image ``(B,)``.
        active: images that were not done before this step ``(B,)``.
        seconds: since the loop began.
        trial: while a weight is chosen, the number of the trial, from 1; 0 in the final solve.
    """

    problem: Problem
    iteration: int
    budget: int
    unknown: Tensor
    residual: Tensor
    active: Tensor
    seconds: float
    trial: int = 0

    @cached_property
    def x(self) -> Tensor:
        """The present picture ``(B, C, H, W)``."""
        return self.problem.picture(self.unknown)

    @cached_property
    def objective(self) -> Tensor:
        """f + lam R of the present solution, ``(B,)``, NaN where there is none; costs a pass."""
        return self.problem.objective(self.unknown)

    @property
    def last(self) -> bool:
        """True after the last step that the budget allows."""
        return self.iteration == self.budget


@dataclass(frozen=True)
class Result:
    """What came out.

    Attributes:
        x: ``(B, C, H, W)``; finite, or the last finite iterate of an image that diverged.
        unknown: what the solver found: x itself, or its code ``(B, n)``.
        status: per image ``"converged"``, ``"budget"`` (iterations used up) or ``"diverged"``.
        iterations: steps taken per image ``(B,)``.
        residual: last fixed-point residual per image ``(B,)``.
        objective: objective of the returned image ``(B,)``, NaN where there is none; it belongs
            to ``problem``, whose prior may be the smoothed one that a bridge made.
        problem: the problem that was solved, with the bridges of the plan in place.
        state: the solver's last state, to go on from.
        seconds: wall-clock time.
        history: one entry per recorded step (`ipx.History`): ``iteration``, ``seconds``,
            ``objective`` and ``residual``, the last two a list with one number per image.
        outputs: further images that observers made, by name, ``(B, C, H, W)``.
    """

    x: Tensor
    unknown: Tensor
    status: list[Status]
    iterations: Tensor
    residual: Tensor
    objective: Tensor
    problem: Problem
    state: State
    seconds: float = field(compare=False)
    history: list[dict[str, Any]] = field(default_factory=list)
    outputs: dict[str, Tensor] = field(default_factory=dict)

    @property
    def plan(self) -> Plan:
        """The plan that was followed."""
        if self.problem.plan is None:
            raise PlanError("this result belongs to a problem without a plan")
        return self.problem.plan

    def where(self, take: Tensor, other: Result) -> Result:
        """Image by image: this result where ``take`` ``(B,)`` is true, else the other."""

        def pick(a: Tensor, b: Tensor) -> Tensor:
            return torch.where(column(take, a), a, b)

        return replace(
            self,
            x=pick(self.x, other.x),
            unknown=pick(self.unknown, other.unknown),
            status=[
                a if t else b
                for t, a, b in zip(take.tolist(), self.status, other.status, strict=True)
            ],
            iterations=torch.where(take, self.iterations, other.iterations),
            residual=torch.where(take, self.residual, other.residual),
            objective=torch.where(take, self.objective, other.objective),
            outputs={
                name: pick(image, other.outputs[name])
                for name, image in self.outputs.items()
                if name in other.outputs
            },
        )
