"""From a prepared problem to its solution: the weights, a solve from each start, a safer weight."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial

from torch import Tensor

from ipx.planning.settings import SolveSettings
from ipx.planning.tree import AUTO, tree
from ipx.planning.weights import rule_of
from ipx.solving.attach import best_for
from ipx.solving.choose_lam import Weighed, as_told, fixed, from_noise
from ipx.solving.choose_lams import facts_of, searched
from ipx.solving.doubts import framed
from ipx.solving.fallback import safer
from ipx.solving.observers import announce
from ipx.solving.prepared import Prepared
from ipx.solving.problem import Problem
from ipx.solving.progress import Result
from ipx.solving.starts import first_guess, lowest
from ipx.solving.trials import run

RULES: dict[str, Callable[[Prepared, Weighed], Weighed]] = {
    "given": as_told,
    "noise": from_noise,
    "fixed": fixed,
    "search": searched,
}
"""What computes the weights, for each rule of `ipx.planning.weights`."""


def solution(prepared: Prepared) -> Weighed:
    """The weights and the solution of lowest objective over all starts.

    The weights are chosen at the first start: objectives compare at the same weights only.
    """
    first = _begun(prepared, 0)
    chosen = _chosen(first)
    solve = partial(_from_each_start, prepared, first)
    done = replace(chosen, result=solve(chosen.settled))
    if not prepared.automatic:
        return done
    problem = prepared.problem
    return safer(done, framed(problem.preview(), problem), solve)


def weights(prepared: Prepared) -> Weighed:
    """The weights alone, without the solution."""
    return _chosen(_begun(prepared, 0))


def _chosen(first: Prepared) -> Weighed:
    return RULES[first.rule.name](first, Weighed())


def solved_like(prepared: Prepared, weights: Tensor, twin: Result) -> Result:
    """The solution from the first start, with weights ``(priors, B)`` and the steps of ``twin``."""
    p = _begun(prepared, 0)
    return run(p.weighted(weights), p.algorithm, p.settings, p.observers, twin=twin)


def _from_each_start(prepared: Prepared, first: Prepared, weights: Tensor) -> Result:
    """The solution of lowest objective, per image."""
    others: Iterator[Prepared] = (
        _begun(prepared, number) for number in range(1, prepared.settings.restarts)
    )
    return lowest([first.solved(weights), *(other.solved(weights) for other in others)])


def _begun(prepared: Prepared, number: int) -> Prepared:
    """The problem at the start of this number, from 0."""
    s, problem = prepared.settings, prepared.attached
    announce(prepared.observers, "start")
    if problem.x0 is not None:
        return prepared
    classical = partial(_classical, iterations=s.iterations)
    guess = first_guess(problem, s.start, s.seed + number, classical)
    return prepared if guess is None else prepared.started(guess)


def _classical(problem: Problem, iterations: int | None) -> Tensor:
    """The restoration with another prior, by the best solver that fits, with its weight chosen.

    Each solve, also of the tuner, has at most as many iterations as the main one.
    """
    plan, algorithm = best_for(problem)
    settings = SolveSettings(tol=1e-3, iterations=iterations, start="preview")
    tuner = tree("tuner", AUTO)
    rule = rule_of(facts_of(problem), AUTO, tuner, not problem.estimated)
    other = Prepared.of(
        problem, plan, algorithm=algorithm, lam=AUTO, tuner=tuner, rule=rule, settings=settings
    )
    return solution(other).solution.x
