"""Data on stdout, messages on stderr; tables and JSON without a library."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import click

from ipx.declare.kinds import KINDS
from ipx.files.record import dumps
from ipx.jobs.told import FAILED as FAILED, told


class Terminated(KeyboardInterrupt):
    """SIGTERM, which ends a run as SIGINT does."""


class ClosedPipe(Exception):  # noqa: N818  # no error: `head` has read enough
    """Nobody reads what is printed any more."""


def error(text: str) -> None:
    """One line on stderr, ``ipx: error: ...``."""
    click.echo(f"ipx: error: {' '.join(text.split())}", err=True)


def describe(e: BaseException) -> tuple[str, int]:
    """The message and the exit status of an error; prints its traceback if IPX_DEBUG is set."""
    line, code = told(e)
    if isinstance(e, click.NoSuchOption) and _meant(e):
        e = click.UsageError(f"No such option {e.option_name}; did you mean {_meant(e)}?", e.ctx)
    if isinstance(e, click.UsageError):
        path = e.ctx.command_path if e.ctx is not None else "ipx"
        return f"{e.format_message().rstrip('.')} (see {path} --help)", e.exit_code
    if isinstance(e, click.ClickException):
        return e.format_message(), e.exit_code
    if isinstance(e, Terminated) or isinstance(e.__cause__, Terminated):
        return "terminated", 143
    if isinstance(e, (click.Abort, KeyboardInterrupt)):
        return "interrupted", 130
    return line, code


def _meant(e: click.NoSuchOption) -> str:
    """The option of the role for an option named by kind: ``--op`` for ``--operator``."""
    kind, dot, option = e.option_name.lstrip("-").partition(".")
    role = KINDS[kind].role if kind in KINDS else ""
    offered = [p.name for p in e.ctx.command.params] if e.ctx is not None else []
    return f"--{role}{dot}{option}" if role in offered else ""


def note(text: str) -> None:
    """A message on stderr."""
    click.echo(f"ipx: {text}", err=True)


def noter(quiet: bool) -> Callable[[str], None]:
    """`note`, or a function that prints nothing."""
    return (lambda text: None) if quiet else note


def json_line(value: Any) -> None:
    """One JSON object on one line."""
    click.echo(dumps(value))


def json_page(value: Any) -> None:
    """Indented JSON."""
    click.echo(dumps(value, indent=2))


def json_array(values: Iterable[Any]) -> None:
    """Indented JSON of a list, each value printed when it is there."""
    before = "["
    for value in values:
        click.echo(f"{before}\n{textwrap.indent(dumps(value, indent=2), '  ')}", nl=False)
        before = ","
    click.echo("[]" if before == "[" else "\n]")


def table(rows: Iterable[Sequence[str]], indent: str = "") -> str:
    """Left-aligned columns, two spaces apart."""
    rows = [list(r) for r in rows]
    if not rows:
        return ""
    widths = [max(len(r[i]) for r in rows if i < len(r)) for i in range(max(map(len, rows)))]
    lines = (
        indent + "  ".join(c.ljust(w) for c, w in zip(r, widths, strict=False)).rstrip()
        for r in rows
    )
    return "\n".join(lines)


def duration(seconds: float) -> str:
    """``42 s``, ``3 min``, ``2.5 h``."""
    if seconds < 100:
        return f"{seconds:.0f} s" if seconds >= 9.5 else f"{seconds:.1f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def number(value: float | None, digits: int = 4) -> str:
    """A number with so many significant digits; ``-`` for None."""
    return "-" if value is None else f"{value:.{digits}g}"
