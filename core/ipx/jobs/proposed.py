"""The commands that ``ipx explain`` proposes."""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ipx.errors import PlanError
from ipx.jobs.explained import Explained
from ipx.planning.choice import Situation, chosen
from ipx.planning.plan import make_plan
from ipx.planning.request import Table
from ipx.planning.tree import AUTO, Tree, tree


@dataclass(frozen=True)
class Given:
    """Operator and noise that are known, as tables with name and options; None: to be found."""

    op: Table | None = None
    noise: Table | None = None


def proposed(looked: Explained, axes: str, found: Given, given: Given) -> tuple[str, ...]:
    """Two or three commands, best first.

    Args:
        looked: what was found in the image.
        axes: of the file, if they were told.
        found: operator and noise that the image shows.
        given: those that are known; every command has them.
    """
    parts = {role: _merged(getattr(found, role), getattr(given, role)) for role in ("op", "noise")}
    asked = Situation(
        tree("operator", parts["op"] or "identity"),
        tree("noise", parts["noise"] or "gaussian"),
        tree("solver", AUTO),
        explicit="it is compared",
        dims=3 if looked.depth else 2,
    )
    reference = chosen(asked).prior
    words = [word for role, table in parts.items() for word in _words(role, table)]
    more = [*words, f"--prior {reference.name}"]
    # without what was found, the operator first; what is given stays
    left = "op" if found.op is not None and given.op is None else "noise"
    plainer = [
        word
        for role, table in parts.items()
        for word in _words(role, getattr(given, role) if role == left else table)
    ]
    tried = [words, more]
    if plainer != words:
        tried.append(plainer)
    elif _drawn(asked, reference):
        tried.append([*more, "--interval 90"])
    start = f"ipx solve {shlex.quote(looked.path)}" + (f" --axes {axes}" if axes else "")
    return tuple(" ".join([start, *each]) for each in tried)


def _merged(found: Table | None, given: Table | None) -> Table | None:
    """A component with what is given, and what was found of the same component besides."""
    if given is None:
        return found
    same = found is not None and found["name"] == given["name"]
    return {**found, **given} if found is not None and same else given


def _words(role: str, table: Mapping[str, Any] | None) -> list[str]:
    """A component on the command line."""
    if table is None:
        return []
    words = [f"--{role} {table['name']}"]
    for key, value in table.items():
        option = key.replace("_", "-")
        if isinstance(value, bool):
            words.append(f"--{role}.{option}" if value else f"--no-{role}.{option}")
        elif value is not None and key != "name":
            told = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
            words.append(f"--{role}.{option} {shlex.quote(told)}")
    return words


def fits(op: str, options: dict[str, Any], looked: Explained) -> bool:
    """True if an operator takes images with as many axes."""
    dims = tree("operator", {"name": op, **options}).facts.traits.dims or (2,)
    return (3 if looked.depth else 2) in dims


def _drawn(asked: Situation, prior: Tree) -> bool:
    """True if a sampler draws from this posterior."""
    try:
        make_plan(asked.op, asked.noise, prior, tree("sampler", AUTO), dims=asked.dims)
    except PlanError:
        return False
    return True
