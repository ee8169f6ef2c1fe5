"""``ipx bench coverage``: how often intervals of the posterior hold the truth."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipx import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def ipx_commands(cli: click.Group) -> None:
    """Add ``ipx bench coverage``; other plugins may add to the group ``bench``, too."""
    import click

    from ipx_plugins.coverage.command import coverage

    bench = cli.commands.get("bench")
    if not isinstance(bench, click.Group):
        bench = click.Group("bench", help="Benchmark methods on pictures.")
        cli.add_command(bench)
    bench.add_command(coverage)
