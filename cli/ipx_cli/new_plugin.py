"""``ipx new-plugin NAME``."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("new-plugin")
@click.argument("name")
@click.option(
    "--folder",
    type=click.Path(path_type=Path),
    default=Path(),
    help="Where to make the folder NAME.  [default: here]",
)
def new_plugin(name: str, folder: Path) -> None:
    """Write a complete plugin package: an operator, its declaration, tests, a README.

    It installs and passes its tests as it is.
    """
    from ipx.host.scaffold import create_plugin

    for path in create_plugin(name, folder):
        click.echo(str(path))
