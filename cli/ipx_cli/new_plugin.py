"""``ipx new-plugin NAME``."""

from __future__ import annotations

from pathlib import Path

import click

from ipx.host.scaffold import TEMPLATES, create_plugin
from ipx_cli.values import PathValue


@click.command("new-plugin")
@click.argument("name")
@click.option(
    "--kind",
    type=click.Choice(list(TEMPLATES)),
    default="operator",
    help="What it adds.  [default: operator]",
)
@click.option(
    "--folder",
    type=PathValue(path_type=Path),
    default=Path(),
    help="Where to make the folder NAME.  [default: here]",
)
def new_plugin(name: str, kind: str, folder: Path) -> None:
    """Write a complete plugin package: a component, its declaration, tests, a README.

    It installs and passes its tests as it is.
    """
    for path in create_plugin(name, folder, kind):
        click.echo(str(path))
