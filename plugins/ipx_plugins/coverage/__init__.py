"""``ipx bench coverage``: how often intervals of the posterior hold the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipx import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def ipx_commands(cli: click.Group) -> None:
    """Add ``coverage`` to ``ipx bench``."""
    import click

    from ipx_plugins.coverage.command import coverage

    bench = cli.commands["bench"]
    assert isinstance(bench, click.Group)
    bench.add_command(coverage)
