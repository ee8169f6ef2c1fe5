"""File format FITS, of astronomy; its header is kept. Extra ``fits``."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import IOSpec, hookimpl


@hookimpl
def ipx_components() -> Iterable[IOSpec]:
    """Declare the format."""
    return [
        IOSpec(
            name="fits",
            target="ipx_plugins.fits.format:FITS",
            summary="The first array of two axes or more; the header is written again.",
            suffixes=(".fits", ".fit", ".fts"),
            dtypes=("float32", "float64", "uint8", "uint16", "int16", "int32", "int64"),
            layouts=("L",),
            magic=rb"SIMPLE  =",
            viewable=False,
            stacks=True,
            extra="fits",
            source="Pence et al., Astron. Astrophys. 524, A42, 2010 (FITS 3.0)",
        )
    ]
