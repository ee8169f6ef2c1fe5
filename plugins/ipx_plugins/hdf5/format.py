"""HDF5 through h5py."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np

from ipx import Format, InputError, MissingExtraError, Raster
from ipx.files.axes import as_stored, usual
from ipx.files.format import Array
from ipx.files.limits import check_array

IMAGE, AXES, SPACING = "image", "axes", "spacing"


class HDF5(Format):
    """A dataset with the attributes ``axes``, such as ``ZYX``, and ``spacing`` in micrometres."""

    def decode(self, data: bytes) -> Raster:
        """The picture."""
        return self.stack(data, "")

    def stack(self, data: bytes, axes: str) -> Raster:
        """The stack or volume of these axes, or those that the file tells; else the picture."""
        with _h5py().File(io.BytesIO(data), "r") as file:
            dataset = _dataset(file)
            axes = axes or str(dataset.attrs.get(AXES, ""))
            spacing = tuple(float(v) for v in np.ravel(dataset.attrs.get(SPACING, ())))
            check_array(dataset.shape)
            return replace(usual(dataset[()], axes), spacing=spacing)

    def encode(self, raster: Raster) -> bytes:
        """A file with one dataset, deflated."""
        stacked = bool(raster.axes or raster.order)
        array, axes = as_stored(raster) if stacked else (raster.packed, "")
        out = io.BytesIO()
        with _h5py().File(out, "w") as file:
            made = file.create_dataset(IMAGE, data=array, compression="gzip", compression_opts=4)
            if axes:
                made.attrs[AXES] = axes
            if raster.spacing:
                made.attrs[SPACING] = raster.spacing
        return out.getvalue()

    def numbers(self, data: bytes) -> Array:
        """The dataset, of any shape."""
        with _h5py().File(io.BytesIO(data), "r") as file:
            array: Array = _dataset(file)[()]
            return array


def _dataset(file: Any) -> Any:
    """The dataset of the image.

    Raises:
        InputError: there are several, or none.
    """
    found: dict[str, Any] = {}

    def look(name: str, node: Any) -> None:
        if hasattr(node, "dtype") and node.dtype.kind in "buif" and node.ndim > 1:
            found[name] = node

    file.visititems(look)
    if IMAGE not in found and len(found) != 1:
        names = ", ".join(found) or "none"
        raise InputError(f"has the datasets {names}, and one named {IMAGE} is read; save that")
    return found.get(IMAGE, next(iter(found.values())))


def _h5py() -> Any:
    try:
        import h5py
    except ImportError as e:
        raise MissingExtraError.of("HDF5", "h5py", extra="hdf5") from e
    return h5py
