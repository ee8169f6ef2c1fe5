"""The plan of what is asked for, what it assumes, and what fits with what."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import cache
from typing import Any

from ipx import KINDS, IpxError, UsageError
from ipx.declare.options import AUTO
from ipx.declare.registry import registry
from ipx.jobs.assumed import assumptions, for_measured
from ipx.planning.matrix import Row, fitting
from ipx.planning.request import Request
from ipx_plugins.web.asked import Asked
from ipx_plugins.web.forms import ROLES


@dataclass
class Outlook:
    """What is known before anything is computed.

    Attributes:
        lines: the plan, one bridge a line.
        rule: how lam is found.
        notes: what is assumed.
        refused: why nothing can start; empty if it can.
        groups: for each role the names of its components by how they fit.
        solvers: name, mark and reason or bridges of each solver.
        auto: the solver that auto takes.
    """

    lines: list[str] = field(default_factory=list)
    rule: str = ""
    notes: list[str] = field(default_factory=list)
    refused: str = ""
    groups: dict[str, dict[str, list[str]]] = field(default_factory=dict)
    solvers: list[tuple[str, str, str]] = field(default_factory=list)
    auto: str = ""


def outlook(asked: Asked) -> Outlook:
    """The plan, from declarations alone; what is wrong is told, not raised."""
    found = nothing("")
    try:
        request = asked.request()
        op, noise, prior = map(request.settled()[0].tree, ("op", "noise", "prior"))
        row = fitting(op, noise, prior, request.settings.exact)
        found.solvers, found.auto = _solvers(row), row.auto or ""
        found.groups |= _groups(request, row)
        if asked.picture is not None:
            source = asked.picture.path
            found.notes = assumptions(request, source)
            request = for_measured(request, source)
        plan = request.settled(_channels(asked))[1] or request.plan()
        found.lines = plan.lines()
        rule = request.rule(plan, truth=asked.truth is not None)
        found.rule = "" if rule.name == "given" else rule.line()
        drawing = request.drawing()
        found.lines += [] if drawing is None else drawing.lines()
    except IpxError as e:
        found.refused = str(e)
    return found


def _channels(asked: Asked) -> int | None:
    """The number of channels of the picture, as the worker has found it."""
    shape = asked.picture.facts.get("shape") if asked.picture is not None else None
    return None if shape is None else int(shape[0])


def nothing(why: str) -> Outlook:
    """The outlook of what cannot even be planned, for this reason."""
    return Outlook(groups={role: {"": _names(role)} for role in ROLES}, refused=why)


def _names(role: str) -> list[str]:
    return [*([AUTO] if KINDS[ROLES[role]].auto else []), *registry().names(ROLES[role])]


def _solvers(row: Row) -> list[tuple[str, str, str]]:
    """Those that fit first."""
    marks = {True: "fits", False: "approximates"}
    fitting = [
        (name, marks[plan.exact], ", ".join(b.name for b in plan.bridges))
        for name, plan in row.plans.items()
    ]
    fitting.sort(key=lambda each: (each[0] != row.auto, each[1] != "fits", each[0]))
    return fitting + [(name, "refused", why) for name, why in sorted(row.refused.items())]


def _groups(request: Request, row: Row) -> dict[str, dict[str, list[str]]]:
    """Names by how they fit with the rest of the request."""
    solvers: dict[str, list[str]] = {"fit": [], "approximate": [], "do not fit": []}
    for name in registry().names("solver"):
        plan = row.plans.get(name)
        solvers["do not fit" if plan is None else "fit" if plan.exact else "approximate"].append(
            name
        )
    if row.auto is not None:
        solvers["fit"].insert(0, AUTO)
    named = request.solver["name"]
    groups = {"solver": solvers}
    for role in ("op", "noise", "prior"):
        both: dict[str, list[str]] = {"fit": [], "do not fit": []}
        for name in _names(role):
            both["fit" if _fits(request, role, name, named) else "do not fit"].append(name)
        groups[role] = both
    return {role: {label: n for label, n in g.items() if n} for role, g in groups.items()}


def _fits(request: Request, role: str, name: str, solver: str) -> bool:
    """Whether a component with its defaults would fit in the place of the present one."""
    trees: dict[str, Any] = {r: request.tree(r) for r in ("op", "noise", "prior")}
    if name == request.tree(role).name or name == AUTO:
        return True
    changed: dict[str, Any] = {role: {"name": name}}
    try:
        if role != "prior" and trees["prior"].auto:
            replace(request, **changed).settled()
            return True
        trees[role] = _default(role, name)
        row = fitting(trees["op"], trees["noise"], trees["prior"], request.settings.exact)
    except UsageError:
        return False
    return row.auto is not None if solver == AUTO else solver in row.plans


@cache
def _default(role: str, name: str) -> Any:
    table: Any = {role: {"name": name}}
    return Request(**table).tree(role)
