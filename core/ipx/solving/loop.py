"""The one iteration loop: stopping, status, history, best iterate, callbacks.

Each image of a batch stops by itself: its result is the one it would have alone.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, Literal, cast

import torch
from torch import Tensor

from ipx.declare import capabilities as cap
from ipx.declare.specs import SolverSpec
from ipx.errors import PlanError
from ipx.parts.component import has
from ipx.parts.prior import Prior
from ipx.planning.plan import Parts, Plan, fits
from ipx.solving.codes import ChangeOfVariable, Decoded
from ipx.solving.problem import Problem, data_capabilities
from ipx.solving.solver import Solver, State

Status = Literal["converged", "budget", "diverged"]


@dataclass(frozen=True)
class Progress:
    """What stopping rules and callbacks see after each step."""

    problem: Problem
    iteration: int  # steps done, from 1
    budget: int
    unknown: Tensor  # present solution: a picture (B, C, H, W), or its code (B, n)
    residual: Tensor  # fixed-point residual per image (B,)
    seconds: float
    trial: int = 0  # while a weight is chosen: number of the trial, from 1; 0 for the final solve

    @cached_property
    def x(self) -> Tensor:
        """The present picture ``(B, C, H, W)``."""
        return self.problem.operator.picture(self.unknown)

    @cached_property
    def objective(self) -> Tensor:
        """f + lam R of the present solution, ``(B,)``, NaN where there is none; costs a pass."""
        return self.problem.objective(self.unknown)


Stop = Callable[[Progress], Tensor]
"""A stopping rule: per image, true when that image is done, shape ``(B,)``."""

Callback = Callable[[Progress], None]


def converged(tol: float) -> Stop:
    """Done when the solver's fixed-point residual is at most ``tol``; never when tol is 0."""
    return lambda p: (p.residual <= tol) & (tol > 0)


def noise_reached(factor: float = 1.0) -> Stop:
    """Done when the data term is down to what the noise alone makes it (Morozov).

    For a prior without weight this early stopping *is* the regularisation.
    """

    def rule(p: Progress) -> Tensor:
        noise, y = p.problem.noise, p.problem.y
        level = noise.expected(y, known_count(p.problem))
        return p.problem.data.value(p.unknown) <= factor * level

    return rule


def typical_reached() -> Stop:
    """Done when the objective is down to what it is at the clean picture, on average.

    That is the data term of the noise alone and the prior's `Prior.typical`; see there.
    """

    def rule(p: Progress) -> Tensor:
        problem, y = p.problem, p.problem.y
        usual = problem.prior.typical(problem.operator.physical.image_shape)
        assert usual is not None
        level = problem.noise.expected(y, known_count(problem)) + problem.lam * usual
        return p.objective <= level

    return rule


def any_of(*rules: Stop) -> Stop:
    """Done when one of the rules says so."""

    def rule(p: Progress) -> Tensor:
        return torch.stack([r(p) for r in rules]).any(0)

    return rule


def all_of(*rules: Stop) -> Stop:
    """Done when all rules say so."""

    def rule(p: Progress) -> Tensor:
        return torch.stack([r(p) for r in rules]).all(0)

    return rule


def known_count(problem: Problem) -> Tensor:
    """Number of measured values per image, ``(B,)``."""
    y = problem.y
    known = problem.operator.known(y)
    total = y[0].numel() if known is None else int(known.expand_as(y[:1]).sum())
    return torch.full((y.shape[0],), float(total), dtype=y.dtype, device=y.device)


def noise_variance(problem: Problem) -> Tensor:
    """Variance of the noise of a measured value, per image ``(B,)``.

    For noise that is not Gaussian twice the expected data term, which is then its scale.
    """
    count = known_count(problem)
    return 2 * problem.noise.expected(problem.y, count) / count


@dataclass(frozen=True)
class Result:
    """What came out.

    Attributes:
        x: ``(B, C, H, W)``; finite, or the last finite iterate of an image that diverged.
        status: per image ``"converged"``, ``"budget"`` (iterations used up) or ``"diverged"``.
        iterations: steps taken per image ``(B,)``.
        residual: last fixed-point residual per image ``(B,)``.
        objective: objective of the returned image ``(B,)``, NaN where there is none; it belongs
            to ``problem``, whose prior may be the smoothed one that a bridge made.
        history: one entry per recorded step.
        problem: the problem that was solved, with the bridges of the plan in place.
        plan: the plan.
        state: the solver's last state, to go on from.
        seconds: wall-clock time.
    """

    x: Tensor
    status: list[Status]
    iterations: Tensor
    residual: Tensor
    objective: Tensor
    history: list[dict[str, Any]]
    problem: Problem
    plan: Plan
    state: State
    seconds: float = field(compare=False)


def attach(problem: Problem, plan: Plan) -> Problem:
    """The problem with the bridges of a plan in place."""
    prior: Prior[Any] = problem.prior
    data = dict(problem.bridges or {})
    for capability, bridge in plan.bridges.items():
        if bridge.side == "prior":
            made = bridge.load()
            if not isinstance(prior, made):  # else it was attached before
                prior = cast("Prior[Any]", made(prior, problem.operator.image_shape))
        else:
            data[capability] = bridge
    if isinstance(problem.operator, Decoded):  # attached before
        return problem
    if isinstance(prior, ChangeOfVariable):
        decoded = Decoded(problem.operator, prior.prior)
        return replace(problem, operator=decoded, prior=prior, bridges={})
    if prior is problem.prior and data == (problem.bridges or {}):
        return problem
    attached = replace(problem, prior=prior, bridges=data)
    if data == (problem.bridges or {}):
        attached.__dict__["data"] = problem.data
    return attached


def parts_of(problem: Problem) -> Parts:
    """The capabilities of a problem's instances, for planning."""
    return Parts(
        operator=type(problem.operator).__name__,
        noise=type(problem.noise).__name__,
        prior=type(problem.prior).__name__,
        data_caps=data_capabilities(problem.operator, problem.noise),
        prior_caps=problem.prior.provides(),
        weighted=problem.prior.weighted,
        informs=problem.prior.informs,
        pixelwise=problem.prior.pixelwise,
        counts=problem.noise.counts,
        signed=problem.operator.physical.signed,
        noiseless=problem.hard,
    )


def plan_for(problem: Problem, solver: Solver[Any, Any], exact: bool = False) -> Plan:
    """The plan for a problem and a solver made in code.

    Raises:
        PlanError: they do not fit.
    """
    spec = SolverSpec(
        name=type(solver).__name__,
        target="",
        summary="",
        needs=solver.needs,
        own_prior=solver.own_prior,
    )
    plan, why = fits(parts_of(problem), spec, exact_only=exact)
    if plan is None:
        raise PlanError(f"solver {type(solver).__name__} does not fit: {why}")
    return plan


def iterate(
    problem: Problem,
    solver: Solver[Any, Any],
    *,
    iterations: int | None = None,
    tol: float = 1e-4,
    stop: Stop | None = None,
    callbacks: Sequence[Callback] = (),
    plan: Plan | None = None,
    exact: bool = False,
    state: State | None = None,
    record_every: int = 0,
    ready: Stop | None = None,
    keep: Literal["last", "best"] = "last",
) -> Result:
    """Run a solver until every image is done.

    Args:
        problem: what to solve.
        solver: the algorithm.
        iterations: budget of steps; the solver's usual one by default.
        tol: stop an image when the solver's residual is at most this; 0 never does.
        stop: a further stopping rule.
        callbacks: called after each step.
        plan: the bridges to work over; made here when None.
        exact: refuse approximate bridges.
        state: go on from this state instead of starting.
        record_every: record the objective every so many steps (0: never); with callbacks also
            where it is known, as it is where one of them asked for it.
        ready: where this holds at the start already, no step is taken.
        keep: return the last iterate, or the one of lowest objective among every tenth and the
            last; the last one where there is no objective.

    Returns:
        The result; a step that turned non-finite, or an objective that grew a thousandfold,
        is reported as diverged, with the last good image.

    Raises:
        PlanError: solver and problem do not fit.
    """
    began = time.perf_counter()
    plan = plan if plan is not None else plan_for(problem, solver, exact)
    problem = attach(problem, plan)
    usual = solver.budget(problem) if iterations is None else iterations
    budget = 1 if solver.one_shot else usual
    rule = converged(tol) if stop is None else any_of(converged(tol), stop)
    state = solver.init(problem) if state is None else state
    count = problem.y.shape[0]
    device = problem.y.device
    best = solver.solution(problem, state)
    ceiling = _ceiling(problem, best)
    active = torch.ones(count, dtype=torch.bool, device=device)
    diverged = torch.zeros_like(active)
    done = torch.zeros_like(active)
    steps = torch.zeros(count, dtype=torch.int64, device=device)
    last = torch.full((count,), math.inf, dtype=problem.y.dtype, device=device)
    history: list[dict[str, Any]] = []
    choosy = keep == "best" and has(problem.prior, cap.Value)
    lowest, kept = torch.full_like(last, math.inf), best

    if ready is not None:
        done = ready(Progress(problem, 0, budget, best, last, 0.0))
        active = ~done
    for k in range(1, budget + 1):
        if not bool(active.any()):
            break
        after = solver.step(problem, state)
        x = solver.solution(problem, after)
        residual = solver.residual(problem, state, after)
        state = after
        finite = torch.isfinite(residual)
        if k == budget or not bool(finite.all()) or k % 10 == 0:
            finite = finite & torch.isfinite(x.flatten(1)).all(1)
        now = Progress(problem, k, budget, x, residual, time.perf_counter() - began)
        if k % 10 == 0 and ceiling is not None:
            finite = finite & ~(now.objective > ceiling)
        fresh = active & finite
        best = x if bool(fresh.all()) else torch.where(_column(fresh, x), x, best)
        diverged |= active & ~finite
        progress = now if best is x else replace(now, unknown=best)
        if choosy and (k % 10 == 0 or k == budget):
            better = active & (progress.objective < lowest)
            lowest = torch.where(better, progress.objective, lowest)
            kept = torch.where(_column(better, best), best, kept)
        steps += active
        last = torch.where(fresh, residual, last)
        for callback in callbacks:
            callback(progress)
        asked = bool(callbacks) and "objective" in vars(progress)
        if asked or (record_every and k % record_every == 0):
            history.append(
                {
                    "iteration": k,
                    "seconds": progress.seconds,
                    "objective": progress.objective.detach().cpu().tolist(),
                    "residual": residual.detach().cpu().tolist(),
                }
            )
        stopped = fresh & (torch.ones_like(fresh) if solver.one_shot else rule(progress))
        done |= stopped
        active = fresh & ~stopped

    if choosy:
        take = (lowest < problem.objective(best)) | diverged & lowest.isfinite()
        best = torch.where(_column(take, best), kept, best)
    x = problem.keep_known(problem.operator.picture(best))
    status: list[Status] = [
        "diverged" if bad else "converged" if ok else "budget"
        for bad, ok in zip(diverged.tolist(), done.tolist(), strict=True)
    ]
    return Result(
        x=x,
        status=status,
        iterations=steps,
        residual=last,
        objective=problem.objective(best if isinstance(problem.operator, Decoded) else x),
        history=history,
        problem=problem,
        plan=plan,
        state=state,
        seconds=time.perf_counter() - began,
    )


def _column(mask: Tensor, like: Tensor) -> Tensor:
    return mask.view(-1, *([1] * (like.ndim - 1)))


def _ceiling(problem: Problem, x: Tensor) -> Tensor | None:
    """An objective no sane iterate exceeds: 1000 times the start's; None when it has none."""
    if not has(problem.prior, cap.Value):
        return None
    start = problem.objective(x)
    scale = problem.data.value(torch.zeros_like(x))
    start = torch.where(torch.isfinite(start), start, scale)
    return 1e3 * torch.maximum(start, scale) + 1e-6
