"""Plans for problems made in code, and attaching a plan to a problem."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Any

from ipx.planning.plan import Plan, make_plan
from ipx.planning.tree import AUTO, Tree, tree
from ipx.solving.build import build
from ipx.solving.problem import Problem
from ipx.solving.sampler import Sampler
from ipx.solving.solver import Solver


def plan_for(
    problem: Problem, solver: Solver[Any, Any] | Sampler[Any, Any], exact: bool = False
) -> Plan:
    """The plan for a problem and a solver or sampler made in code.

    Raises:
        PlanError: they do not fit.
        UsageError: the problem has several priors that have no sum.
    """
    return _plan(
        problem, tree("sampler" if isinstance(solver, Sampler) else "solver", solver), exact
    )


def best_for(problem: Problem, exact: bool = False) -> tuple[Plan, Solver[Any, Any]]:
    """The plan of the best solver for a problem made in code, and that solver.

    Raises:
        PlanError: no solver fits.
    """
    auto = tree("solver", AUTO)
    plan = _plan(problem, auto, exact)
    return plan, build("solver", auto.chosen(plan.solver))


def _plan(problem: Problem, solver: Tree, exact: bool) -> Plan:
    return make_plan(
        tree("operator", problem.operator),
        tree("noise", problem.noise),
        tree("prior", problem.prior),
        solver,
        exact,
        problem.hard,
        3 if len(problem.image_shape) == 4 else 2,
    )


def attach(problem: Problem, plan: Plan) -> Problem:
    """The problem with the bridges of a plan applied, in order."""
    made: Problem = reduce(lambda p, bridge: bridge.load()(p), plan.bridges, problem)
    return replace(made, plan=plan)
