"""NumPy arrays in NPY files."""

from __future__ import annotations

import io
import math

import numpy as np

from ipx import Format, InputError, Raster
from ipx.files.format import Array, wrong_channels


class NPY(Format):
    """One array per file, ``(H, W)`` or ``(H, W, C)``, without colour profile."""

    def decode(self, data: bytes) -> Raster:
        """The picture; four channels are RGB and alpha."""
        samples = self.numbers(data)
        if samples.ndim not in (2, 3):
            raise InputError(
                f"has shape {samples.shape}; an image is (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"
            )
        if samples.ndim == 3 and samples.shape[2] not in (1, 3, 4) and samples.size:
            first = samples.shape[0] in (1, 3, 4)
            hint = "; move the channels last" if first else "; save each image of a stack alone"
            raise InputError(f"has shape {samples.shape}: {wrong_channels(samples.shape[2])}{hint}")
        samples = samples.reshape(*samples.shape[:2], -1) if samples.size else samples
        return Raster(samples, alpha=samples.ndim == 3 and samples.shape[2] == 4)

    def encode(self, raster: Raster) -> bytes:
        """A file with one array, ``(H, W)`` if grey."""
        out = io.BytesIO()
        np.save(out, raster.packed, allow_pickle=False)
        return out.getvalue()

    def numbers(self, data: bytes) -> Array:
        """The array, of any shape."""
        _check(data)
        try:
            array = np.load(io.BytesIO(data), allow_pickle=False)
        except ValueError as error:
            if "Object arrays" in str(error):
                raise InputError("holds Python objects; save an array of numbers") from None
            raise
        if not isinstance(array, np.ndarray):
            raise InputError("holds several arrays; save one")
        return array


def _check(data: bytes) -> None:
    """Raise ValueError if the header claims more numbers than there are, before they are loaded."""
    file = io.BytesIO(data)
    version = np.lib.format.read_magic(file)
    if version == (3, 0):  # names of fields in Unicode: no numbers
        return
    read = np.lib.format
    header = read.read_array_header_1_0 if version == (1, 0) else read.read_array_header_2_0
    shape, _, dtype = header(file)
    if math.prod(shape) * dtype.itemsize > len(data) - file.tell() and not dtype.hasobject:
        raise ValueError(f"its header claims the shape {shape}, for which data are missing")
