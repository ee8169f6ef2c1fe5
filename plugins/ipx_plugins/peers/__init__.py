"""``ipx bench peers``: the same problems with other libraries, in one run."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipx import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def ipx_commands(cli: click.Group) -> None:
    """Add ``peers`` to ``ipx bench``."""
    import click

    from ipx_plugins.peers.command import peers

    bench = cli.commands["bench"]
    assert isinstance(bench, click.Group)
    bench.add_command(peers)
