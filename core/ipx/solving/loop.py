"""The iteration loop. Each image of a batch stops separately, as it would alone."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ipx.errors import PlanError, PluginError
from ipx.numerics.memory import trim
from ipx.numerics.tensors import column
from ipx.planning.plan import Plan
from ipx.solving.attach import attach, plan_for
from ipx.solving.observers import AnyObserver, Guard, Observer, settled
from ipx.solving.problem import Problem
from ipx.solving.progress import Progress, Result, Status
from ipx.solving.sampler import Sampler
from ipx.solving.solver import Solver, State
from ipx.solving.stop import Stop, any_of, converged


def iterate(
    problem: Problem,
    solver: Solver[Any, Any],
    *,
    iterations: int | None = None,
    tol: float | None = None,
    stop: Stop | None = None,
    observers: Sequence[AnyObserver] = (),
    plan: Plan | None = None,
    state: State | None = None,
) -> Result:
    """Run a solver until every image is done.

    Args:
        problem: the problem; a plan is attached if it has none.
        solver: the algorithm.
        iterations: the largest number of iterations; by default `Solver.budget`.
        tol: an image stops when the solver's residual is at most this, by default
            `Solver.tolerance`; 0 never stops it.
        stop: a further stopping rule, see `ipx.solving.stop`.
        observers: called after each step, see `ipx.solving.observers`.
        plan: the bridges to use; made here when None.
        state: continue from this state.

    Returns:
        The result; diverged, with the last good image, after a step that is not finite or an
        objective that grew a thousandfold.

    Raises:
        PlanError: solver and problem do not fit, or another plan is attached already.
    """
    began = time.perf_counter()
    problem = attached(problem, solver, plan)
    budget = solver.budget(problem) if iterations is None else iterations
    budget = 1 if solver.one_shot else budget
    tol = solver.tolerance(problem) if tol is None else tol
    rule = converged(tol) if stop is None else any_of(converged(tol), stop)
    state = _begun(problem, solver) if state is None else state
    run = _Run(problem, solver.solution(problem, state))
    now = Progress(problem, 0, budget, run.unknown, run.residual, run.active, 0.0)
    looking = [o for o in observers if isinstance(o, Observer)]
    for observer in looking:
        observer.begin(now)
    for k in range(1, budget + 1):
        if not bool(run.active.any()):
            break
        after = _stepped(problem, solver, state)
        trim(run.unknown.nbytes)
        x, residual = solver.solution(problem, after), solver.residual(problem, state, after)
        state, seconds = frozen(state, after, run.active), time.perf_counter() - began
        now = run.take(Progress(problem, k, budget, x, residual, run.active, seconds, tol=tol))
        for each in observers:
            each(now)
        if not solver.one_shot:
            run.stop(rule(now))
    result = run.result(problem, solver, state, time.perf_counter() - began)
    for observer in looking:
        result = observer.finish(result)
    return result


def _begun(problem: Problem, solver: Solver[Any, Any]) -> State:
    """The state before the first step.

    Raises:
        PluginError: it is no state.
    """
    state = solver.init(problem)
    if not isinstance(state, State):
        raise PluginError(f"init of {solver.origin} gives {type(state).__name__}, not a State")
    return state


def _stepped(problem: Problem, solver: Solver[Any, Any], before: State) -> State:
    """The state after a step.

    Raises:
        PluginError: it is no state of this solver, x has lost its shape, or the old state was
            changed.
    """
    version = before.x._version
    after = solver.step(problem, before)
    if type(after) is not type(before):
        told = f"gives {type(after).__name__}, not {type(before).__name__}"
    elif after.x.shape != before.x.shape:
        told = f"gives x of shape {tuple(after.x.shape)}, not {tuple(before.x.shape)}"
    elif before.x._version != version:
        told = "changes x of the state that it is given in place; it is to return a new state"
    else:
        return after
    raise PluginError(f"step of {solver.origin} {told}")


def frozen(before: Any, after: Any, active: Tensor) -> Any:
    """``after``, but ``before`` for images that are done: the state of each stays its last."""
    if bool(active.all()):
        return after
    if isinstance(after, Tensor):
        fits = isinstance(before, Tensor) and before.shape == after.shape
        batched = after.ndim > 0 and len(after) == len(active)
        return torch.where(column(active, after), after, before) if fits and batched else after
    if isinstance(after, tuple) and len(after) == len(before):
        return tuple(frozen(b, a, active) for b, a in zip(before, after, strict=True))
    if is_dataclass(after) and type(before) is type(after):
        names = [f.name for f in fields(after)]
        kept = {n: frozen(getattr(before, n), getattr(after, n), active) for n in names}
        return replace(after, **kept)  # type: ignore[type-var]  # an instance
    return after


def attached(
    problem: Problem, solver: Solver[Any, Any] | Sampler[Any, Any], plan: Plan | None
) -> Problem:
    """The problem with a plan in place: its own, the one given, or one made for the solver.

    Raises:
        PlanError: they do not fit, or the problem is attached to another plan.
    """
    if problem.plan is None:
        return attach(problem, plan or plan_for(problem, solver))
    if plan not in (None, problem.plan):
        raise PlanError("the problem is attached to another plan already")
    return problem


class _Run:
    """What a run keeps per image: the last sound unknown, residual, steps, and status."""

    def __init__(self, problem: Problem, start: Tensor) -> None:
        count, like = problem.y.shape[0], problem.y
        self.guard = Guard(problem, start)
        self.unknown = start
        self.active = torch.ones(count, dtype=torch.bool, device=like.device)
        self.fresh = self.active
        self.diverged = torch.zeros_like(self.active)
        self.done = torch.zeros_like(self.active)
        self.steps = torch.zeros(count, dtype=torch.int64, device=like.device)
        self.residual = torch.full((count,), math.inf, dtype=like.dtype, device=like.device)

    def take(self, now: Progress) -> Progress:
        """Record a step; returns it with diverged images replaced by their last sound unknown."""
        sound = self.guard.sound(now)
        self.fresh = self.active & sound
        x = now.unknown
        if not bool(self.fresh.all()):
            x = torch.where(column(self.fresh, x), x, self.unknown)
        self.unknown = x
        self.diverged = self.diverged | (self.active & ~sound)
        self.steps = self.steps + self.active
        self.residual = torch.where(self.fresh, now.residual, self.residual)
        return now if x is now.unknown else replace(now, unknown=x)

    def stop(self, rule: Tensor) -> None:
        """Mark the images as done for which the rule holds."""
        stopped = self.fresh & rule
        self.done = self.done | stopped
        self.active = self.fresh & ~stopped

    def result(
        self, problem: Problem, solver: Solver[Any, Any], state: State, seconds: float
    ) -> Result:
        schedule = solver.schedule(problem)
        told = zip(self.diverged.tolist(), self.done.tolist(), self.steps.tolist(), strict=True)
        status: list[Status] = [
            "diverged" if bad else "converged" if ok else "done" if k == schedule else "budget"
            for bad, ok, k in told
        ]
        made = Result(
            x=self.unknown, unknown=self.unknown, status=status, iterations=self.steps,
            residual=self.residual, objective=self.residual, problem=problem, state=state,
            seconds=seconds, translated=solver.translates(problem),
        )  # fmt: skip
        return settled(made, self.unknown)
