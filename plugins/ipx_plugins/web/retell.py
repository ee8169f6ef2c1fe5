"""The same restoration as a command line and as Python."""

from __future__ import annotations

import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ipx.declare.options import AUTO
from ipx_plugins.web.asked import Asked

USUAL = {"noise": "gaussian", "solver": AUTO, "tuner": AUTO, "sampler": AUTO}
"""Components that need not be named."""


def command(asked: Asked) -> list[str]:
    """The arguments of ``ipx`` that give the same output, files being in the current folder."""
    assert asked.picture is not None
    words = ["solve", asked.picture.name]
    for role, table in asked.parts.items():
        if table != {"name": USUAL.get(role)}:
            words += [f"--{role}", table["name"]]
        for name, value in table.items():
            words += [] if name == "name" else _option(f"{role}.{name}", _named(asked, value))
    words += [] if asked.lam == AUTO else ["--lam", _text(asked.lam)]
    for name, value in asked.settings.items():
        words += _option(name, value)
    words += [] if asked.truth is None else ["--truth", asked.truth.name]
    return [*words, "-o", asked.output]


def shell(asked: Asked) -> str:
    """The command line for a shell, options below each other."""
    lines, line = [], "ipx"
    for word in command(asked):
        if word.startswith("-") and len(line) > 60:
            lines.append(line)
            line = "   "
        line += f" {shlex.quote(word)}"
    return " \\\n".join([*lines, line])


def python(asked: Asked) -> str:
    """A program that does what the command line does."""
    assert asked.picture is not None
    arguments = [
        f"    {role}={_literal(_named(asked, table))},"
        for role, table in asked.parts.items()
        if table != {"name": USUAL.get(role)}
    ]
    arguments += [] if asked.lam == AUTO else [f"    lam={_text(asked.lam)},"]
    if asked.settings:
        told = ", ".join(f"{k}={_literal(v)}" for k, v in asked.settings.items())
        arguments.append(f"    settings=ipx.SolveSettings({told}),")
    files = [f"Path({asked.picture.name!r})", f"Path({asked.output!r})"]
    files += [] if asked.truth is None else [f"truth=Path({asked.truth.name!r})"]
    lines = [
        "from pathlib import Path\n",
        "import ipx" if asked.settings else "",
        "from ipx.jobs.solve import solve_file",
        "from ipx.planning.request import Request\n",
        "request = Request(",
        *arguments,
        ")",
        f"row = solve_file(request, {', '.join(files)})",
        'print(row["status"], row["lam"], row["outputs"])',
    ]
    return "\n".join(line for line in lines if line)


def renamed(value: Any, names: dict[str, str]) -> Any:
    """A record with the names to show in place of the server's paths."""
    if isinstance(value, dict):
        return {names.get(key, key): renamed(v, names) for key, v in value.items()}
    if isinstance(value, list):
        return [renamed(v, names) for v in value]
    return names.get(value, value) if isinstance(value, str) else value


def _named(asked: Asked, value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _named(asked, v) for key, v in value.items()}
    return asked.names[str(value)] if isinstance(value, Path) else value


def _option(name: str, value: Any) -> list[str]:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    return [f"--{flag}", _text(value)]


def _text(value: Any) -> str:
    if isinstance(value, tuple):
        return ",".join(map(_text, value))
    return repr(value) if isinstance(value, float) else str(value)


def _literal(value: Any) -> str:
    if isinstance(value, dict) and set(value) == {"name"}:
        return repr(value)
    return "{" + ", ".join(_pairs(value)) + "}" if isinstance(value, dict) else repr(value)


def _pairs(table: dict[str, Any]) -> Iterator[str]:
    for key, value in table.items():
        yield f"{key!r}: {_literal(value)}"
