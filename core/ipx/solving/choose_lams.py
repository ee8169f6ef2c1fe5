"""The weights of a sum of priors, given or chosen, and the solve.

Automatically, the tuner first finds the weight lam_i of each prior alone. The weights of the sum
are s_i lam_i with shares s_i that sum to one. The shares are those of the least score of the tuner
(generalised cross-validation), image by image, among equal shares and the points halfway from these
to each prior alone: for two priors 1/4, 1/2 and 3/4. The score is flat along these: a search over
the size of the weights too follows its noise, and gives worse images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ipx.planning.plan import Plan
from ipx.planning.settings import SolveSettings
from ipx.planning.tree import Description
from ipx.solving.attach import attach, best_for
from ipx.solving.build import build
from ipx.solving.choose_lam import Trials, Weighed, fixed, from_noise, given, run
from ipx.solving.observers import AnyObserver
from ipx.solving.problem import Problem, Term
from ipx.solving.solver import Solver
from ipx.solving.tuner import Tuner
from ipx.solving.windows import window_of


def is_several(problem: Problem) -> bool:
    """True for a sum of priors of which several have a weight."""
    return len(_weighted(problem)) > 1


def _weighted(problem: Problem) -> list[Term]:
    return [term for term in problem.terms if term.prior.traits.weighted]


def with_weights(problem: Problem, lams: Sequence[Tensor]) -> Problem:
    """The problem with these weights of its priors that have one, each ``(B,)``."""
    left = iter(lams)
    terms = (replace(t, lam=next(left)) if t.prior.traits.weighted else t for t in problem.terms)
    return problem.changed(terms=tuple(terms))


def weigh_sum(
    problem: Problem,
    plan: Plan,
    algorithm: Solver[Any, Any],
    lam: Any,
    tuner: Description,
    settings: SolveSettings,
    observers: Sequence[AnyObserver] = (),
) -> Weighed:
    """Solve with one weight for each prior that has one, or with weights chosen for ``"auto"``.

    They are chosen on a window of large data, see `ipx.solving.windows`.

    Args:
        problem: with several terms, not yet attached to ``plan``.
        plan: that of the sum for ``algorithm``.
        algorithm: the solver.
        lam: the weights, each one number or per image; or auto.
        tuner, settings, observers: see `ipx.solving.choose_lam.weigh`.
    """
    trace: list[dict[str, Any]] = []
    remarks: tuple[str, ...] = ()
    if not isinstance(lam, str):
        lams = [given(each, problem.y) for each in lam]
    elif (told := fixed(problem)) is not None:
        terms = _weighted(problem)
        lams = [given(told / len(terms), problem.y)] * len(terms)
    else:
        search = Search(problem, plan, algorithm, tuner, settings, observers)
        lams = search.lams()
        trace, remarks = search.trace, tuple(dict.fromkeys(search.remarks))
    made = attach(with_weights(problem, lams), plan)
    result = run(made, algorithm, settings, observers)
    return Weighed([each.tolist() for each in lams], result, trace, remarks)


class Search:
    """The weights of a sum of priors without the truth.

    Attributes:
        trace: the trials in order, see `ipx.Restoration`.
        remarks: those of the tuner.
    """

    def __init__(
        self,
        problem: Problem,
        plan: Plan,
        algorithm: Solver[Any, Any],
        tuner: Description,
        settings: SolveSettings,
        observers: Sequence[AnyObserver],
    ) -> None:
        self.problem, self.window, self.plan = problem, window_of(problem) or problem, plan
        self.algorithm, self.exact = algorithm, settings.exact
        self.tuner: Tuner[Any] = build("tuner", tuner)
        count, most = len(_weighted(problem)), self.tuner.most(problem)
        # each score takes one more solve, for the degrees of freedom
        most = None if most is None else count * most + 2 * len(shares(count))
        self.trials = Trials(settings, observers, most)
        self.trace: list[dict[str, Any]] = []
        self.remarks: list[str] = []

    def lams(self) -> list[Tensor]:
        """A weight for each prior that has one, ``(B,)`` each."""
        alone = torch.stack([self._alone(term) for term in _weighted(self.problem)])
        candidates, scores = [], []
        for share in shares(len(alone)):
            lams = torch.tensor(share).to(alone)[:, None] * alone
            made = attach(with_weights(self.window, list(lams)), self.plan)
            solve = self.trials.by(self.algorithm)
            score = self.tuner.score(made, solve(made), solve)
            if score is None:  # the tuner cannot compare: equal shares, the first
                return list(lams)
            self.trace.append({"lam": lams.tolist(), "score": score.tolist()})
            candidates.append(lams)
            scores.append(score)
        best = torch.stack(scores).argmin(0)  # (B,)
        images = torch.arange(len(best), device=best.device)
        return list(torch.stack(candidates)[best, :, images].T.detach())

    def _alone(self, term: Term) -> Tensor:
        """The weight of a prior alone, with the constraints of the sum, ``(B,)``."""
        kept = [t for t in self.problem.terms if t is term or not t.prior.traits.weighted]
        single = self.window.changed(terms=tuple(kept))
        plan, algorithm = best_for(single, self.exact)
        single = attach(single, plan)
        told = from_noise(single)
        if told is not None:
            return told
        tuned = self.tuner.tune(single, self.trials.by(algorithm))
        spec = term.prior.declaration
        name = type(term.prior).__name__ if spec is None else spec.name
        self.trace += [{"prior": name, **trial} for trial in tuned.trace]
        self.remarks += tuned.remarks
        return tuned.lam


def shares(count: int) -> list[list[float]]:
    """The shares that are tried for so many priors: equal ones, and halfway from these to one.

    >>> shares(2)
    [[0.5, 0.5], [0.75, 0.25], [0.25, 0.75]]
    """
    equal = [1 / count] * count
    alone = [[float(i == k) for i in range(count)] for k in range(count)]
    return [equal, *([(a + b) / 2 for a, b in zip(equal, one, strict=True)] for one in alone)]
