"""File format DICOM, of medicine; it is only read. Extra ``dicom``."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import IOSpec, hookimpl


@hookimpl
def ipx_components() -> Iterable[IOSpec]:
    """Declare the format."""
    return [
        IOSpec(
            name="dicom",
            target="ipx_plugins.dicom.format:DICOM",
            summary="Grey or colour, with several frames; only read.",
            suffixes=(".dcm", ".dicom"),
            magic=rb".{128}DICM",
            viewable=False,
            stacks=True,
            extra="dicom",
            source="NEMA PS3.10, DICOM Media Storage and File Format",
        )
    ]
