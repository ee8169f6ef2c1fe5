"""``ipx data``: pictures to train on, from packages of registries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipx import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def ipx_commands(cli: click.Group) -> None:
    """Add ``ipx data``."""
    from ipx_plugins.datasets.command import data

    cli.add_command(data)
