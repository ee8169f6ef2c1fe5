"""A problem with all that its solution takes, except the weights of its priors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from torch import Tensor

from ipx.planning.plan import Plan
from ipx.planning.settings import SolveSettings
from ipx.planning.tree import Tree
from ipx.planning.weights import Rule
from ipx.solving.attach import attach
from ipx.solving.observers import AnyObserver
from ipx.solving.problem import Problem, Term
from ipx.solving.progress import Result
from ipx.solving.sampler import Sampler
from ipx.solving.solver import Solver
from ipx.solving.trials import run
from ipx.solving.windows import window_of


@dataclass(frozen=True, kw_only=True)
class Prepared:
    """A problem, its plan and its solver; the weights are to be found.

    Attributes:
        problem: not attached to the plan.
        attached: the same with the bridges of the plan applied.
        window: the problem on a part of large data, not attached; None if there is none.
        plan: the solver and its bridges.
        algorithm: the solver.
        lam: the weight as it was asked for, see `ipx.solve`.
        tuner: the tuner that was asked for.
        rule: how the weights are found.
        truth: the clean image ``(B, C, H, W)`` in the unit of the problem, for tuners that need it;
            None if it is unknown.
        settings: the rest.
        observers: they see each step.
        sampler: of the posterior; None if the settings ask for no draws.
        drawing: the plan of the sampler.
        checkpoint: the file in which a run of the sampler is kept, and found again.
    """

    problem: Problem
    attached: Problem
    window: Problem | None
    plan: Plan
    algorithm: Solver[Any, Any]
    lam: Any
    tuner: Tree
    rule: Rule
    settings: SolveSettings
    observers: Sequence[AnyObserver] = ()
    truth: Tensor | None = None
    sampler: Sampler[Any, Any] | None = None
    drawing: Plan | None = None
    checkpoint: str | None = None

    @classmethod
    def of(cls, problem: Problem, plan: Plan, **rest: Any) -> Prepared:
        """Attach a problem to its plan; ``rest`` are the other attributes."""
        return cls(
            problem=problem, attached=attach(problem, plan), window=window_of(problem), plan=plan,
            **rest,
        )  # fmt: skip

    @property
    def automatic(self) -> bool:
        """True if the weights are to be chosen."""
        return isinstance(self.lam, str)

    @property
    def terms(self) -> list[Term]:
        """The priors that have a weight."""
        weighted = weighted_terms(self.problem)
        if len(weighted) > 1:
            return weighted
        return weighted if self.attached.prior.traits.weighted else []

    def started(self, start: Tensor) -> Prepared:
        """The same from another start: an image ``(B, C, H, W)``, or a code ``(B, n)``."""
        if len(self.terms) > 1:
            return replace(self, problem=self.problem.changed(x0=start))
        return replace(self, attached=self.attached.with_lam(0.0, start))

    def weighted(self, weights: Tensor) -> Problem:
        """The attached problem with weights ``(priors, B)``."""
        weights = weights.to(self.problem.y)
        if len(weights) > 1:  # bridges of a sum depend on the shares
            return attach(self.unattached(weights), self.plan)
        return self.attached.with_lam(weights[0] if len(weights) else 1.0)

    def unattached(self, weights: Tensor) -> Problem:
        """The problem with weights ``(priors, B)``, without a plan."""
        return with_weights(self.problem, list(weights.to(self.problem.y)))

    def solved(self, weights: Tensor) -> Result:
        """The solution with weights ``(priors, B)``."""
        return run(self.weighted(weights), self.algorithm, self.settings, self.observers)


def weighted_terms(problem: Problem) -> list[Term]:
    """The priors of a problem that have a weight."""
    return [term for term in problem.terms if term.prior.traits.weighted]


def with_weights(problem: Problem, lams: Sequence[Tensor]) -> Problem:
    """The problem with these weights of its priors that have one, each ``(B,)``."""
    left = iter(lams)
    terms = (replace(t, lam=next(left)) if t.prior.traits.weighted else t for t in problem.terms)
    return problem.changed(terms=tuple(terms))
