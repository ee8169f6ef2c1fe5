"""Tuners: rules that choose the weight lam."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import torch
from torch import Tensor

from ipx.parts.component import Component, O
from ipx.solving.problem import Problem
from ipx.solving.progress import Result
from ipx.solving.solver import Solver


class Solve(Protocol):
    """Solves a problem to convergence; a tuner calls it with several weights."""

    @property
    def truth(self) -> Tensor | None:
        """The clean image ``(B, C, H, W)`` for a tuner that declares that it needs it, else None.

        It is what `ipx.Operator.view` shows of an image.
        """

    def by(self, solver: Solver[Any, Any]) -> Solve:
        """The same with another solver, for a problem that is attached to a plan for it.

        A tuner that changes the operator asks `ipx.best_for` for both.
        """
        ...

    def __call__(
        self, problem: Problem, after: Result | None = None, twin: Result | None = None
    ) -> Result:
        """The solution.

        Args:
            problem: with its weight.
            after: the solution of the same problem with another weight, or slightly other data.
                The solver goes on from it, if it can (`ipx.Solver.resumed`).
            twin: the solution with slightly other data. The same steps are taken, so that the
                difference of both tells the derivative before either has converged. A solver that
                cannot go on from a state starts at this solution instead, and converges.
        """
        ...


Try = tuple[Problem, Result, Solve]
"""A problem with its prior and weight, its solution, and the function that solves it again."""


@dataclass(frozen=True)
class Tuned:
    """The choice of a tuner.

    Attributes:
        lam: one weight per image ``(B,)``.
        trace: the trials in order, for the record: ``lam`` and the criterion of each, as lists of
            one number per image.
        remarks: sentences for the user about a choice that may be wrong.
        about: images that the remarks are about, ``(B,)``; None: all.
        decided: images whose weight the rule can tell, ``(B,)``; None: all. With ``--tuner auto``
            the next tuner chooses for the others.
    """

    lam: Tensor
    trace: list[dict[str, Any]] = field(default_factory=list)
    remarks: tuple[str, ...] = ()
    about: Tensor | None = None
    decided: Tensor | None = None


class Tuner(Component[O], ABC):
    """A rule that chooses lam, image by image, for a problem whose noise level is known."""

    kind = "tuner"

    def most(self, problem: Problem) -> int | None:
        """The largest number of solves that `tune` asks for; None, the default, if it is unknown.

        Progress is told from it.
        """
        return None

    def usual(self, problem: Problem) -> int | None:
        """The number of solves that nine in ten searches do not exceed; None, the default: unknown.

        The time left is told from it.
        """
        return None

    def score(self, problem: Problem, result: Result, solve: Solve) -> Tensor | None:
        """How good a solution is, ``(B,)``, less is better; None, the default, if it cannot tell.

        It compares solutions with different priors, for the weights of a sum. ``result`` is that
        of ``problem`` with the weight `Problem.lam`.
        """
        return None

    def compare(self, tries: Sequence[Try]) -> Tensor | None:
        """How good solutions of the same data with different priors are, ``(tries, B)``.

        Less is better; None if it cannot tell. By default it is `score` of each.
        """
        scores = [self.score(*each) for each in tries]
        known = [score for score in scores if score is not None]
        return torch.stack(known) if len(known) == len(scores) > 0 else None

    @abstractmethod
    def tune(self, problem: Problem, solve: Solve) -> Tuned:
        """Choose lam for each image of ``problem``, whose own lam is ignored."""
