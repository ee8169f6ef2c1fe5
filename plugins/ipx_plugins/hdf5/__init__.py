"""File format HDF5: one dataset, its axes and the size of a pixel. Extra ``hdf5``."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import IOSpec, hookimpl


@hookimpl
def ipx_components() -> Iterable[IOSpec]:
    """Declare the format."""
    return [
        IOSpec(
            name="hdf5",
            target="ipx_plugins.hdf5.format:HDF5",
            summary="A dataset named image, or the only one; attributes axes and spacing.",
            suffixes=(".h5", ".hdf5"),
            dtypes=(
                *("float32", "float16", "float64", "uint8", "uint16", "uint32", "uint64"),
                *("int8", "int16", "int32", "int64"),
            ),
            magic=rb"\x89HDF\r\n\x1a\n",
            viewable=False,
            stacks=True,
            extra="hdf5",
            source="The HDF Group, HDF5 File Format Specification",
        )
    ]
