"""``ipx latent``: work with the codes of a generative model."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ipx import hookimpl

if TYPE_CHECKING:
    import click


@hookimpl
def ipx_commands(cli: click.Group) -> None:
    """Add ``ipx latent``."""
    from ipx_plugins.latent import views  # noqa: F401 - adds its actions to the group
    from ipx_plugins.latent.command import latent

    cli.add_command(latent)
