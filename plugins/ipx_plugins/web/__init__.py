"""``ipx serve``: a local page that restores pictures."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipx import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def ipx_commands(cli: click.Group) -> None:
    """Add ``ipx serve``."""
    from ipx_plugins.web.command import serve

    cli.add_command(serve)
