"""The two hooks a plugin may implement, and the entry-point group they are found in."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

import pluggy

if TYPE_CHECKING:
    import click

    from ipx.declare.specs import Spec

GROUP = "ipx.v1"  # the version of this interface is the name of the group

hookspec = pluggy.HookspecMarker("ipx")
hookimpl = pluggy.HookimplMarker("ipx")


@hookspec
def ipx_components() -> Iterable[Spec]:  # type: ignore[empty-body]  # a specification
    """Return the declarations of the plugin's components."""


@hookspec
def ipx_commands(cli: click.Group) -> None:
    """Add commands to the command line."""
