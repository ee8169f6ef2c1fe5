"""ipx, with its own choice of solver and of all parameters."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

import numpy as np

import ipx
from ipx_plugins.peers.problem import Problem, Rival


def rivals(problem: Problem) -> Iterator[Rival]:
    """Total variation with differences across the border, as in SCICO; BM3D."""
    if problem.task.prior != "tv":
        yield _of(problem, {"name": problem.task.prior}, 1.0)
        return
    yield _tv(problem, "circular")


def mirrored(problem: Problem) -> Iterator[Rival]:
    """Total variation without differences across the border, as in the other libraries."""
    if problem.task.prior == "tv":
        yield _tv(problem, "reflect")


def _tv(problem: Problem, boundary: str) -> Rival:
    return _of(problem, {"name": "tv", "boundary": boundary}, problem.task.lam, f", {boundary}")


def _of(problem: Problem, prior: dict[str, Any], lam: float, words: str = "") -> Rival:
    noise = {"name": "gaussian", "sigma": problem.task.sigma}
    solve = partial(ipx.solve, problem.y, op=problem.op, noise=noise, prior=prior, lam=lam)
    direct = problem.task.prior != "tv"

    def run(steps: int) -> np.ndarray:
        found = solve() if direct else solve(iterations=steps, tol=0)
        return found.x[0, 0].numpy()

    first = solve() if direct else solve(iterations=1)
    return Rival(f"ipx ({first.plan.solver.name}{words})", run, direct)
