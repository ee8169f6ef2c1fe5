"""Operators of PyLops in ipx, and ours in PyLops."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import LibrarySpec, hookimpl


@hookimpl
def ipx_components() -> Iterable[LibrarySpec]:
    """Declare the library."""
    return [
        LibrarySpec(
            name="pylops",
            target="ipx_plugins.pylops.library:PyLops",
            modules=("pylops",),
            extra="pylops",
            summary="Linear operators of PyLops.",
            source="Ravasi, Vasconcelos, SoftwareX 11, 2020",
        )
    ]
