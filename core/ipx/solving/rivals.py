"""The prior of ``auto`` by the data: those near the best by measurement are compared on them.

What was measured are means over photographs. A single image may speak for another prior: block
matching for one that repeats itself, total variation for one of flat regions. Each rival restores a
window of the data, and a tuner that can compare solutions without the truth scores them
(`ipx.Tuner.score`).
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ipx.errors import IpxError, MemoryExhaustedError
from ipx.planning.choice import NO_PRIOR, Candidate
from ipx.planning.request import weight_rule
from ipx.planning.settings import SolveSettings
from ipx.planning.tree import AUTO, Description, tree
from ipx.planning.weights import judge_for
from ipx.solving.build import build
from ipx.solving.choose_lams import facts_of
from ipx.solving.observers import announce
from ipx.solving.pipeline import solution
from ipx.solving.prepare import Asked, Ready, prepare, rivals_of
from ipx.solving.prepared import Prepared
from ipx.solving.problem import Problem, Term
from ipx.solving.progress import Result
from ipx.solving.solver import Solver
from ipx.solving.trials import run
from ipx.solving.tuner import Tuner
from ipx.solving.windows import cut_to

SIDE = 128
"""Height and width of the window of the data on which priors are compared."""


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
    prior, that of the least total score.

    Args:
        asked: what was asked for.
        ready: prepared with the prior that was measured as the best.
    """
    problem = ready.prepared.problem
    candidates = rivals_of(asked, ready.found.op, problem.y)
    found = judge_for(facts_of(problem), not problem.estimated)
    if len(candidates) < 2 or found is None:
        return None
    announce(asked.observers, "comparing priors")
    judge: Tuner[Any] = build("tuner", found)
    window = cut_to(problem, SIDE)
    with torch.no_grad():
        scores = [_score(c, asked, ready.found.op, window, judge) for c in candidates]
    best = min(range(len(scores)), key=lambda i: scores[i])
    if best == 0:
        return None
    why = f"of {', '.join(_name(c) for c in candidates)} the least {found.title} score on the data"
    return replace(candidates[best], plan=replace(candidates[best].plan, why=why))


def _name(candidate: Candidate) -> str:
    return candidate.solver.name if candidate.plan.prior == NO_PRIOR else candidate.plan.prior


def _score(
    candidate: Candidate, asked: Asked, op: Description, window: Problem, judge: Tuner[Any]
) -> float:
    """The score of a prior, the sum over all images; infinite where it fails."""
    try:
        prepared = _prepared(candidate, asked, op, window)
        done = solution(prepared)
        again = _Again(prepared.algorithm, prepared.settings)
        score = judge.score(prepared.weighted(done.settled), done.solution, again)
    except IpxError:
        return math.inf
    return math.inf if score is None or bool(score.isnan().any()) else float(score.sum())


def _prepared(candidate: Candidate, asked: Asked, op: Description, window: Problem) -> Prepared:
    """The problem with the prior of a candidate."""
    plan, model = candidate.plan, build("prior", candidate.prior)
    tuner = tree("tuner", asked.tuner)
    parts = op, asked.noise, candidate.prior
    return Prepared.of(
        window.changed(terms=(Term(model, 0.0),)), plan,
        algorithm=build("solver", candidate.solver.chosen(plan.solver)), lam=AUTO, tuner=tuner,
        rule=weight_rule(*parts, plan, AUTO, tuner, False), settings=asked.settings,
    )  # fmt: skip
