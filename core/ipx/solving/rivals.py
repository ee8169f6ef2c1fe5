"""Priors are compared on the data: those that ``auto`` may stand for, and one of last resort.

What was measured are means over photographs. A single image may speak for another prior, such as
block matching for one that repeats itself. Each rival restores a window of the data, and a tuner
that can compare solutions without the truth scores them (`ipx.Tuner.compare`).

A result that is doubtful is compared in the same way with that of a prior which invents nothing.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ipx.declare.specs import SolverSpec
from ipx.errors import IpxError, MemoryExhaustedError
from ipx.planning.choice import Candidate, Situation, last_resort
from ipx.planning.request import weight_rule
from ipx.planning.settings import SolveSettings
from ipx.planning.tree import AUTO, tree
from ipx.planning.weights import judge_for
from ipx.solving.batches import batch_of, part
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

LEAD = 0.012
"""By how much the score of another prior has to be less; smaller differences are chance."""

CHANCE = 0.8
"""Likewise for the prior of last resort, times the root of the number of values that tell it."""


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


@dataclass(frozen=True, kw_only=True)
class Group:
    """Images of a batch that get the same prior.

    Attributes:
        images: their numbers, from 0.
        asked: what was asked for of them.
        ready: prepared with their prior.
    """

    images: Sequence[int]
    asked: Asked
    ready: Ready


def by_data(asked: Asked) -> list[Group]:
    """`prepare`, with the prior that the data speak for in place of ``auto``, image by image."""
    ready = prepare(asked)
    problem = ready.prepared.problem
    every = range(len(problem.y))
    rivals = rivals_of(asked, ready.found.op, problem.y)
    if len(rivals) < 2 or _judge(problem) is None:
        return [Group(images=every, asked=asked, ready=ready)]
    announce(asked.observers, "comparing priors")
    if len(every) == 1:
        return [_with(picked(asked, ready), every, asked, ready)]
    y, _ = batch_of(asked)
    alike: dict[str, tuple[Candidate | None, list[int]]] = {}
    for image in every:
        one = part(replace(asked, observers=()), y, [image])
        found = picked(one, prepare(one))
        name = "" if found is None else found.plan.title
        alike.setdefault(name, (found, []))[1].append(image)
    if len(alike) == 1:
        return [_with(found, every, asked, ready) for found, _ in alike.values()]
    groups = []
    for found, images in alike.values():
        some = part(asked, y, images)
        groups.append(_with(found, images, some, prepare(some)))
    return groups


def _with(found: Candidate | None, images: Sequence[int], asked: Asked, ready: Ready) -> Group:
    """The group with the prior that was found; with that of ``ready`` for None."""
    if found is not None:
        try:
            asked = replace(asked, picked=found)
            ready = prepare(asked)
        except MemoryExhaustedError:  # the window fitted
            asked = replace(asked, picked=None)
    return Group(images=images, asked=asked, ready=ready)


def picked(asked: Asked, ready: Ready) -> Candidate | None:
    """The prior that the data of an image speak for; None where it is that of ``ready``.

    So it is where nothing is to be chosen, or no tuner can compare.

    Args:
        asked: what was asked for.
        ready: prepared with the prior that was measured as the best.
    """
    problem = ready.prepared.problem
    candidates = rivals_of(asked, ready.found.op, problem.y)
    judge = _judge(problem)
    if len(candidates) < 2 or judge is None:
        return None
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
    values = scores[:, 0]
    best = int(values.argmin())
    if float(values[best]) >= float(values[0]) - LEAD:
        return None
    found = tries[best][0]
    why = f"of {', '.join(c.plan.title for c, _ in tries)} it predicts the data best"
    return replace(found, plan=replace(found.plan, why=why))


def refuge(asked: Asked, ready: Ready, done: Weighed) -> Candidate | None:
    """The prior to go back to where the result of an image predicts its data worse than it.

    None to keep the result.

    Args:
        asked: what was asked for; weights, tuners and draws that are asked for are kept.
        ready: prepared with a prior.
        done: its solution.
    """
    mine = ready.prepared
    problem, judge = mine.problem, _judge(mine.problem)
    other = last_resort(_situation(asked, ready, problem)) if replaceable(asked, ready) else None
    if judge is None or other is None or other.plan.prior == mine.plan.prior:
        return None
    window = cut_to(problem, SIDE)
    with torch.no_grad():
        try:
            own = mine if window is problem else _again_on(window, mine)
            solved = done if own is mine else solution(own)
            safe = _prepared(other, asked, ready, window)
            lead = _lead(judge, [_tried(own, solved), _tried(safe, solution(safe))])
        except IpxError:
            return None
    if not lead > CHANCE / math.sqrt(window.y.numel()):
        return None
    why = f"it predicts the data better than {mine.plan.title}"
    return replace(other, plan=replace(other.plan, why=why))


def replaceable(asked: Asked, ready: Ready) -> bool:
    """True if another prior may take the place of the one that a problem is prepared with.

    A method that ``auto`` never takes, such as an interpolation, is asked for to see what it gives.
    """
    mine = ready.prepared
    free = mine.automatic and not mine.settings.sampled and tree("tuner", asked.tuner).auto
    spec = mine.algorithm.declaration
    network = isinstance(spec, SolverSpec) and bool(spec.gains) and mine.algorithm.traits.own_prior
    weighted = mine.problem.terms[0].prior.traits.weighted or network
    single = len(mine.problem.terms) == 1
    return free and weighted and single and mine.settings.doubtful == "replace"


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


def _lead(judge: Tuner[Any], tries: list[Try]) -> float:
    """By how much the second of two solutions of an image scores less; NaN if none can tell.

    The noise level may be what is in doubt, and weights that fit all of the data have no score: so
    the larger lead of both `ipx.Tuner.compare` and `ipx.Tuner.score` counts.
    """
    leads = []
    for scores in (judge.compare(tries), Tuner.compare(judge, tries)):
        if scores is not None:
            leads.append(float(scores[0, 0] - scores[1, 0]))
    return max((lead for lead in leads if math.isfinite(lead)), default=math.nan)


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
