"""Tuners: rules that choose the weight lam without knowing the truth."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ipx.parts.component import Component, O
from ipx.solving.problem import Problem
from ipx.solving.progress import Result

Solve = Callable[[Problem], Result]
"""Solves a problem from its start to convergence; a tuner calls it with different weights."""


@dataclass(frozen=True)
class Tuned:
    """What a tuner found.

    Attributes:
        lam: one weight per image ``(B,)``.
        result: the solution with these weights.
        trace: what was tried, for the record.
    """

    lam: Tensor
    result: Result
    trace: list[dict[str, Any]] = field(default_factory=list)


class Tuner(Component[O], ABC):
    """A rule that chooses lam, image by image. The noise of the problem has a known level."""

    kind = "tuner"

    @abstractmethod
    def tune(self, problem: Problem, solve: Solve) -> Tuned:
        """Choose lam for each image of ``problem`` (whose own lam is ignored) and solve."""
