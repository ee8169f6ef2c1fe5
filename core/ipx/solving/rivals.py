"""Priors are compared on the data: those that ``auto`` may stand for, and one of last resort.

What was measured are means over photographs. A single image may speak for another prior, such as
block matching for one that repeats itself. Each rival restores a window of the data, and a tuner
that can compare solutions without the truth scores them (`ipx.Tuner.compare`).

A result that is doubtful is compared in the same way with that of a prior which invents nothing.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ipx.errors import IpxError, MemoryExhaustedError
from ipx.planning.choice import Candidate, Situation, last_resort
from ipx.planning.request import weight_rule
from ipx.planning.settings import SolveSettings
from ipx.planning.tree import AUTO, tree
from ipx.planning.weights import judge_for
from ipx.solving.build import build
from ipx.solving.choose_lam import Weighed
from ipx.solving.choose_lams import facts_of
from ipx.solving.observers import announce
from ipx.solving.pipeline import solution
from ipx.solving.prepare import Asked, Ready, prepare, rivals_of
from ipx.solving.prepared import Prepared
from ipx.solving.problem import Problem, Term
from ipx.solving.progress import Result
from ipx.solving.solver import Solver
from ipx.solving.trials import run
from ipx.solving.tuner import Try, Tuner
from ipx.solving.windows import cut_to

SIDE = 96
"""Height and width of the window of the data on which priors are compared."""

LEAD = 0.002
"""By how much the score of another prior has to be less; smaller differences are chance."""


@dataclass(frozen=True)
class _Again:
    """Solves once more from the first start, with the steps of another run: see `ipx.Solve`."""

    algorithm: Solver[Any, Any]
    settings: SolveSettings
    truth: Tensor | None = None

    def by(self, solver: Solver[Any, Any]) -> _Again:
        """The same with another solver."""
        return replace(self, algorithm=solver)

    def __call__(
        self, problem: Problem, after: Result | None = None, twin: Result | None = None
    ) -> Result:
        """The solution, from the start of ``problem``."""
        return run(problem, self.algorithm, self.settings, (), twin=twin)


def by_data(asked: Asked) -> Ready:
    """`prepare`, with the prior that the data speak for in place of ``auto``."""
    ready = prepare(asked)
    found = picked(asked, ready)
    if found is None:
        return ready
    try:
        return prepare(replace(asked, picked=found))
    except MemoryExhaustedError:  # the window fitted
        return ready


def picked(asked: Asked, ready: Ready) -> Candidate | None:
    """The prior that the data speak for; None where it is that of ``ready``.

    So it is where nothing is to be chosen, or no tuner can compare. Images of a batch get the same
    prior, that of the least mean score.

    Args:
        asked: what was asked for.
        ready: prepared with the prior that was measured as the best.
    """
    problem = ready.prepared.problem
    candidates = rivals_of(asked, ready.found.op, problem.y)
    judge = _judge(problem)
    if len(candidates) < 2 or judge is None:
        return None
    announce(asked.observers, "comparing priors")
    window, tries = cut_to(problem, SIDE), list[tuple[Candidate, Try]]()
    for candidate in candidates:
        try:
            with torch.no_grad():
                prepared = _prepared(candidate, asked, ready, window)
                tries.append((candidate, _tried(prepared, solution(prepared))))
        except IpxError:  # the others may do
            continue
    if len(tries) < 2 or tries[0][0] is not candidates[0]:
        return None
    with torch.no_grad():
        scores = judge.compare([each for _, each in tries])
    if scores is None or not bool(scores.isfinite().all()):
        return None
    means = scores.mean(1)
    best = int(means.argmin())
    if float(means[best]) >= float(means[0]) - LEAD:
        return None
    found = tries[best][0]
    why = f"of {', '.join(c.plan.title for c, _ in tries)} it predicts the data best"
    return replace(found, plan=replace(found.plan, why=why))


def refuge(asked: Asked, ready: Ready, done: Weighed) -> Candidate | None:
    """The prior to go back to where a result predicts the data worse than it; None to keep it.

    A batch keeps its prior: not all of its images may be doubtful.

    Args:
        asked: what was asked for; weights, tuners and draws that are asked for are kept.
        ready: prepared with a prior.
        done: its solution.
    """
    mine = ready.prepared
    problem, prior = mine.problem, mine.problem.terms[0].prior
    s = mine.settings
    free = mine.automatic and not s.sampled and tree("tuner", asked.tuner).auto
    free &= s.doubtful == "replace"
    regular = prior.traits.weighted or mine.algorithm.traits.own_prior
    single = len(problem.terms) == 1 and len(problem.y) == 1
    judge = _judge(problem) if free and regular and single else None
    other = None if judge is None else last_resort(_situation(asked, ready, problem))
    if judge is None or other is None or other.plan.prior == mine.plan.prior:
        return None
    window = cut_to(problem, SIDE)
    if window is problem:
        own = _judged(mine, done, judge)
    else:
        own = _score(_again_on(window, mine), judge)
    if not own - _score(_prepared(other, asked, ready, window), judge) > LEAD:
        return None
    why = f"it predicts the data better than {mine.plan.title}"
    return replace(other, plan=replace(other.plan, why=why))


def _judge(problem: Problem) -> Tuner[Any] | None:
    """The tuner that compares priors; None if there is none.

    Values that were not measured are what a prior is for, and no score tells of them.
    """
    if problem.operator.known(problem.y) is not None:
        return None
    found = judge_for(facts_of(problem), not problem.estimated)
    return None if found is None else build("tuner", found)


def _situation(asked: Asked, ready: Ready, problem: Problem) -> Situation:
    """What the prior of last resort is for, with any solver."""
    op, noise = tree("operator", ready.found.op), tree("noise", asked.noise)
    dims = len(problem.image_shape) - 1
    return Situation(op, noise, tree("solver", AUTO), asked.settings.exact, dims=dims)


def _score(prepared: Prepared, judge: Tuner[Any]) -> float:
    """The score of a prior on a window, the mean over all images; infinite where it fails."""
    try:
        with torch.no_grad():
            return _judged(prepared, solution(prepared), judge)
    except IpxError:
        return math.inf


def _judged(prepared: Prepared, done: Weighed, judge: Tuner[Any]) -> float:
    """The score of a solution, the mean over all images; infinite where it has none."""
    with torch.no_grad():
        score = judge.score(*_tried(prepared, done))
    return math.inf if score is None or bool(score.isnan().any()) else float(score.mean())


def _tried(prepared: Prepared, done: Weighed) -> Try:
    """A solution as a tuner takes it."""
    again = _Again(prepared.algorithm, prepared.settings)
    return prepared.weighted(done.settled), done.solution, again


def _prepared(candidate: Candidate, asked: Asked, ready: Ready, window: Problem) -> Prepared:
    """The problem with the prior of a candidate."""
    plan, model = candidate.plan, build("prior", candidate.prior)
    tuner = tree("tuner", AUTO)
    parts = ready.found.op, asked.noise, candidate.prior
    return Prepared.of(
        window.changed(terms=(Term(model, 0.0),)), plan,
        algorithm=build("solver", candidate.solver.chosen(plan.solver)), lam=AUTO, tuner=tuner,
        rule=weight_rule(*parts, plan, AUTO, tuner, False), settings=asked.settings,
    )  # fmt: skip


def _again_on(window: Problem, mine: Prepared) -> Prepared:
    """A prepared problem on a window of its data."""
    return Prepared.of(
        window, mine.plan, algorithm=mine.algorithm, lam=mine.lam, tuner=mine.tuner,
        rule=mine.rule, settings=mine.settings,
    )  # fmt: skip
