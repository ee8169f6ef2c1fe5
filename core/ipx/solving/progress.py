"""The progress of a run after each step, and its result."""

from __future__ import annotations

from collections.abc import Sequence
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

Phase = Literal[
    "reading", "noise level", "comparing priors", "start", "choosing lam", "restoring", "sampling"
]
Status = Literal["converged", "done", "budget", "diverged"]


@dataclass(frozen=True)
class Progress:
    """What stopping rules and observers see after each step.

    Attributes:
        problem: the problem with its bridges applied.
        iteration: number of this step, from 1; 0 before the first.
        budget: the largest number of steps.
        unknown: the iterate: a picture ``(B, C, H, W)``, or a code ``(B, n)``; for an image that
            diverged the last sound one.
        residual: fixed-point residual per image ``(B,)``.
        active: true for images that were not done before this step, ``(B,)``.
        seconds: wall-clock time since the start of the loop.
        trial: number of the tuner's trial, from 1; 0 in the final solve.
        trials: the largest number of trials, `ipx.Tuner.most`; None if it is unknown.
        phase: ``"choosing lam"`` in the tuner's trials, else ``"restoring"``. Phases without steps
            are told to `ipx.Observer.enter`.
        tol: an image stops at this residual; 0: it does not.
        usual: the usual number of trials, `ipx.Tuner.usual`; None if it is unknown.
    """

    problem: Problem
    iteration: int
    budget: int
    unknown: Tensor
    residual: Tensor
    active: Tensor
    seconds: float
    trial: int = 0
    trials: int | None = None
    phase: Phase = "restoring"
    tol: float = 0.0
    usual: int | None = None

    @cached_property
    def x(self) -> Tensor:
        """The picture ``(B, C, H, W)``."""
        return self.problem.picture(self.unknown)

    @cached_property
    def objective(self) -> Tensor:
        """f + lam R of the iterate, ``(B,)``, NaN if there is none; computed on first access."""
        return self.problem.objective(self.unknown)

    @property
    def last(self) -> bool:
        """True for the last step that the budget allows."""
        return self.iteration == self.budget


@dataclass(frozen=True)
class Result:
    """The result of a run.

    Attributes:
        x: the picture ``(B, C, H, W)``; for an image that diverged the last sound iterate.
        unknown: the solution as the solver has it: x, or a code ``(B, n)``.
        status: per image ``"converged"``, ``"done"`` (the fixed schedule of the solver is complete,
            see `ipx.Solver.schedule`), ``"budget"`` (iterations used up) or ``"diverged"``.
        iterations: steps taken per image ``(B,)``.
        residual: last fixed-point residual per image ``(B,)``.
        objective: f + lam R per image ``(B,)``, NaN if there is none; R is the prior of
            ``problem``, which may be smoothed by a bridge.
        problem: the problem with the bridges of the plan applied.
        state: the last state of the solver, to continue from.
        seconds: wall-clock time.
        history: one entry per recorded step (`ipx.History`): ``iteration``, ``seconds`` since the
            start of the loop, ``objective`` and ``residual``, both lists of one number per image.
        outputs: further images from observers, by name, ``(B, C, H, W)``.
        translated: see `ipx.Solver.translates`.
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
    translated: bool = False

    @property
    def plan(self) -> Plan:
        """The plan of the problem."""
        if self.problem.plan is None:
            raise PlanError("this result belongs to a problem without a plan")
        return self.problem.plan

    def taken(self, images: Sequence[int]) -> Result:
        """Some of the images, by their numbers; problem, state and history are those of all."""
        chosen = list(images)
        return replace(
            self,
            x=self.x[chosen],
            unknown=self.unknown[chosen],
            status=[self.status[k] for k in chosen],
            iterations=self.iterations[chosen],
            residual=self.residual[chosen],
            objective=self.objective[chosen],
            outputs={name: image[chosen] for name, image in self.outputs.items()},
        )

    def where(self, take: Tensor, other: Result) -> Result:
        """Image by image: this result where ``take`` ``(B,)`` is true, else the other.

        Problem, state and history are those of this result; outputs are those that both have.
        """

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
