"""NumPy arrays in NPY files."""

from __future__ import annotations

import io
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np

from ipx import Format, InputError, Raster
from ipx.files.axes import HELP, as_stored, raster_of
from ipx.files.format import Array, Header, Rows, is_image


class NPY(Format):
    """One array per file, ``(H, W)`` or ``(H, W, C)``, without colour profile."""

    @contextmanager
    def opened(self, path: Path) -> Iterator[Rows | None]:
        """Rows mapped from the file; None for booleans."""
        found = NPYRows(path)
        yield None if found.header.dtype == "bool" else found

    def streamed(self, path: Path, header: Header, rows: Iterable[Array]) -> None:
        """A file filled row by row."""
        shape = header.shape if header.shape[2] > 1 else header.shape[:2]
        descr = np.lib.format.dtype_to_descr(np.dtype(header.dtype))
        told = {"descr": descr, "fortran_order": False, "shape": shape}
        with open(path, "wb") as file:
            np.lib.format.write_array_header_1_0(file, told)
            for band in rows:
                file.write(np.ascontiguousarray(band).data)

    def stack(self, data: bytes, axes: str) -> Raster:
        """The stack or volume of these axes; without axes the picture."""
        return raster_of(self.numbers(data), axes) if axes else self.decode(data)

    def decode(self, data: bytes) -> Raster:
        """The picture; four channels are RGB and alpha."""
        samples = _arranged(self.numbers(data))
        return Raster(samples, alpha=_has_alpha(samples))

    def encode(self, raster: Raster) -> bytes:
        """A file with one array, ``(H, W)`` if grey."""
        out = io.BytesIO()
        stacked = bool(raster.axes or raster.order)
        array = as_stored(raster)[0] if stacked else raster.packed
        np.save(out, array, allow_pickle=False)
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


class NPYRows(Rows):
    """Rows of an array in a file, mapped while they are read: a map counts as memory in use."""

    def __init__(self, path: Path) -> None:
        self.path = path
        samples = self._mapped()
        height, width, count = samples.shape
        name = samples.dtype.newbyteorder("=").name
        self.header = Header((height, width, count), name, _has_alpha(samples))

    def read(self, top: int, bottom: int) -> Array:
        """A copy of the rows."""
        return np.array(self._mapped()[top:bottom], dtype=self.header.dtype)

    def _mapped(self) -> Array:
        return _arranged(np.load(self.path, mmap_mode="r", allow_pickle=False))


def _has_alpha(samples: Array) -> bool:
    return samples.ndim == 3 and samples.shape[2] == 4


def _arranged(samples: Array) -> Array:
    """The samples as ``(H, W, S)``.

    Raises:
        InputError: they are no image.
    """
    if samples.ndim not in (2, 3):
        raise InputError(
            f"has shape {samples.shape}; an image is (H, W), (H, W, 1), (H, W, 3) or "
            f"(H, W, 4); else {HELP}"
        )
    if samples.ndim == 3 and samples.size and not _channels_last(*samples.shape):
        first = is_image(samples.shape[0]) or samples.shape[0] == 4
        hint = "move the channels last, or " if first else ""
        raise InputError(
            f"has shape {samples.shape}, and {samples.shape[2]} channels in the last axis are "
            f"no image: {hint}{HELP}"
        )
    return samples.reshape(*samples.shape[:2], -1) if samples.size else samples


def _channels_last(height: int, width: int, channels: int) -> bool:
    """True for ``(H, W, C)``: of many bands where H and W are more alike than W and C.

    Otherwise it is a stack of images, or has the bands first.
    """
    if channels in (1, 3, 4) or not is_image(channels):
        return channels in (1, 3, 4)
    lines = min(height, width) == 1
    return lines or abs(math.log(height / width)) <= abs(math.log(width / channels))


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
