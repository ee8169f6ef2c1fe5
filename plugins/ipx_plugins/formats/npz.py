"""NumPy arrays in NPZ files: one array, and with a stack or a volume the meaning of its axes."""

from __future__ import annotations

import io
import zipfile
from dataclasses import replace
from typing import IO, Any

import numpy as np

from ipx import Format, InputError, Raster
from ipx.files.axes import as_stored, raster_of
from ipx.files.format import Array
from ipx.files.limits import check_array
from ipx_plugins.formats.npy import NPY

IMAGE, AXES, SPACING = "image", "axes", "spacing"
"""The names of the arrays: samples, a text such as ``ZYX``, the size of a pixel in micrometres."""


class NPZ(NPY):
    """The array named ``image``, or the only one of numbers."""

    # it is deflated as a whole
    opened = Format.opened
    streamed = Format.streamed

    def stack(self, data: bytes, axes: str) -> Raster:
        """The stack or volume of these axes, or those that the file tells; else the picture."""
        found = _arrays(data)
        axes = axes or str(found.get(AXES, ""))
        raster = raster_of(_image(found), axes) if axes else self.decode(data)
        return replace(raster, spacing=tuple(np.ravel(found.get(SPACING, ())).tolist()))

    def encode(self, raster: Raster) -> bytes:
        """A deflated file; stacks and volumes with their axes and the size of a pixel."""
        stored: dict[str, Any] = {IMAGE: raster.packed}
        if raster.axes or raster.order:
            stored[IMAGE], stored[AXES] = as_stored(raster)
        if raster.spacing:
            stored[SPACING] = np.asarray(raster.spacing)
        out = io.BytesIO()
        np.savez_compressed(out, **stored)
        return out.getvalue()

    def numbers(self, data: bytes) -> Array:
        """The array, of any shape."""
        return _image(_arrays(data))


def _arrays(data: bytes) -> dict[str, Array]:
    with zipfile.ZipFile(io.BytesIO(data)) as packed:
        for member in packed.namelist():  # NumPy unpacks a whole array at once
            with packed.open(member) as header:
                check_array(_shape(header))
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        return {name: file[name] for name in file.files}


def _shape(header: IO[bytes]) -> tuple[int, ...]:
    """The shape of an array, from the beginning of its file."""
    version = np.lib.format.read_magic(header)
    read = np.lib.format.read_array_header_1_0
    if version != (1, 0):
        read = np.lib.format.read_array_header_2_0
    return tuple(read(header)[0])


def _image(found: dict[str, Array]) -> Array:
    """The array of the image.

    Raises:
        InputError: there are several, or none.
    """
    if IMAGE in found:
        return found[IMAGE]
    others = [v for k, v in found.items() if k not in (AXES, SPACING)]
    if len(others) != 1:
        raise InputError(f"holds {len(others)} arrays, none named {IMAGE}; save one of that name")
    return others[0]
