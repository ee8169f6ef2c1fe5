"""File format OME-Zarr, in one file (zip) or a folder. Extra ``zarr``."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import IOSpec, hookimpl


@hookimpl
def ipx_components() -> Iterable[IOSpec]:
    """Declare the format."""
    return [
        IOSpec(
            name="zarr",
            target="ipx_plugins.zarr.format:Zarr",
            summary="OME-Zarr with axes and the size of a voxel; folders are read, files written.",
            suffixes=(".ozx",),
            folders=(".zarr",),
            dtypes=(
                *("float32", "float16", "float64", "uint8", "uint16", "uint32", "uint64"),
                *("int8", "int16", "int32", "int64"),
            ),
            layouts=("L", "RGB", "bands"),
            magic=rb"PK\x03\x04",
            viewable=False,
            stacks=True,
            extra="zarr",
            source="OME-NGFF 0.5; RFC 9 (single file)",
        )
    ]
