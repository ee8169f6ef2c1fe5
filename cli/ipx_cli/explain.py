"""``ipx explain``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ipx_cli import output
from ipx_cli.command import ComponentCommand, chosen, tables
from ipx_cli.options import role_options
from ipx_cli.progress import line
from ipx_cli.values import PathValue


class ExplainCommand(ComponentCommand):
    """Has the options of operator and noise, which may be known."""

    roles = ("op", "noise")


@click.command(cls=ExplainCommand)
@click.argument("files", nargs=-1, required=True, type=PathValue(path_type=Path))
@click.option(
    "--axes", help="Axes of a stack or a volume, such as ZYX; its middle picture is looked at."
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object per image on stdout.")
@click.pass_context
def explain(
    ctx: click.Context, /, files: tuple[Path, ...], axes: str | None, as_json: bool, **given: Any
) -> None:
    """Tell what images look like, and three commands to try, best first.

    The noise level by each model, marks of JPEG, a blur, stripes, outliers, holes, the bits that
    are used and the share of clipped values. The commands keep the operator and the noise that are
    given.
    """
    found_roles = chosen(ctx)
    assert found_roles is not None
    known = {role: table for role, table in tables(ctx) if role in found_roles.named}
    for number, path in enumerate(files):
        with line(f"looking at {path.name}", quiet=False):
            from ipx.jobs.explain import explain as looked_at  # takes seconds: torch

            found = looked_at(path, axes, **known)
        if as_json:
            output.json_line(found.to_json())
            continue
        rows = [("file", str(path)), *found.lines()]
        rows += [("note", remark) for remark in found.remarks]
        rows += [("try" if not i else "", command) for i, command in enumerate(found.commands)]
        click.echo(("\n" if number else "") + output.table(rows))


explain.params[1:1] = role_options(ExplainCommand.roles)
