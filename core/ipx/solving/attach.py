"""Plans for problems made in code, and attaching a plan to a problem."""

from __future__ import annotations

from dataclasses import replace
from functools import reduce
from typing import Any

from ipx.planning.plan import Plan, make_plan
from ipx.planning.tree import tree
from ipx.solving.problem import Problem
from ipx.solving.solver import Solver


def plan_for(problem: Problem, solver: Solver[Any, Any], exact: bool = False) -> Plan:
    """The plan for a problem and a solver made in code.

    Raises:
        PlanError: they do not fit.
        UsageError: the problem has several priors that have no sum.
    """
    return make_plan(
        tree("operator", problem.operator),
        tree("noise", problem.noise),
        tree("prior", problem.prior),
        tree("solver", solver),
        exact,
        problem.hard,
    )


def attach(problem: Problem, plan: Plan) -> Problem:
    """The problem with the bridges of a plan applied, in order."""
    made: Problem = reduce(lambda p, bridge: bridge.load()(p), plan.bridges, problem)
    return replace(made, plan=plan)
