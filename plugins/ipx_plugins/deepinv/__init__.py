"""Physics, denoisers and priors of deepinv in ipx, and operators, priors and restorations in it."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import LibrarySpec, hookimpl


@hookimpl
def ipx_components() -> Iterable[LibrarySpec]:
    """Declare the library."""
    return [
        LibrarySpec(
            name="deepinv",
            target="ipx_plugins.deepinv.library:DeepInverse",
            modules=("deepinv",),
            extra="deepinv",
            summary="Physics, denoisers, priors and reconstructors of deepinv.",
            source="Tachella et al., DeepInverse, 2025",
        )
    ]
