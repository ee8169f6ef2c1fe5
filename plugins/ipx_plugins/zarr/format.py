"""OME-Zarr through zarr: the finest resolution of the first image of a zip."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ipx import Format, InputError, MissingExtraError, Raster
from ipx.files.axes import as_stored, is_known, raster_of
from ipx.files.format import Array

VERSION = "0.5"
TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
MICRONS = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3, "meter": 1e6}
CHUNK = 256
"""Height and width of a chunk; a plane and a picture have chunks of their own."""


class Zarr(Format):
    """One image; its axes are always told."""

    def decode(self, data: bytes) -> Raster:
        """The picture."""
        return self.stack(data, "")

    def stack(self, data: bytes, axes: str) -> Raster:
        """The stack or volume of these axes, by default those of the metadata."""
        with _opened(data) as group:
            told = _multiscale(group)
            found = "".join(str(axis["name"]).upper() for axis in told["axes"])
            axes = axes or found
            if not is_known(axes):
                raise InputError(f"has the axes {found}; ipx knows T, C, Z, Y and X")
            node = told["datasets"][0]
            raster = raster_of(np.asarray(group[node["path"]][...]), axes)
            spacing = tuple(v for a, v in _sizes(told, node) if a in "zyx")
        spacing = spacing if "Z" in axes else spacing[-2:]
        if not raster.axes:  # one picture, whatever the order of its axes
            raster = replace(raster, order="" if raster.samples.shape[-1] != 2 else raster.order)
        return replace(raster, spacing=spacing)

    def encode(self, raster: Raster) -> bytes:
        """A file with one resolution."""
        array, axes = as_stored(raster, raster.order or _usual_order(raster))
        size = dict(zip("xyz", reversed(raster.spacing), strict=False))
        named = [
            {"name": a, "type": TYPES[a], **({"unit": "micrometer"} if a in size else {})}
            for a in axes.lower()
        ]
        scale = {"type": "scale", "scale": [float(size.get(a, 1.0)) for a in axes.lower()]}
        dataset = {"path": "0", "coordinateTransformations": [scale]}
        told = {"version": VERSION, "multiscales": [{"axes": named, "datasets": [dataset]}]}
        chunks = tuple(min(n, CHUNK) if a in "YX" else 1 for n, a in zip(array.shape, axes,
                                                                        strict=True))  # fmt: skip
        zarr = _zarr()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "image.zip"
            store = zarr.storage.ZipStore(path, mode="w")
            group = zarr.open_group(store, mode="w", attributes={"ome": told})
            group.create_array("0", data=array, chunks=chunks)
            store.close()
            return path.read_bytes()

    def numbers(self, data: bytes) -> Array:
        """The array of the finest resolution, of any shape."""
        with _opened(data) as group:
            return np.asarray(group[_multiscale(group)["datasets"][0]["path"]][...])


def _usual_order(raster: Raster) -> str:
    return raster.axes + ("CYX" if raster.samples.shape[-1] > 1 else "YX")


def _multiscale(group: Any) -> dict[str, Any]:
    """The metadata of the image, of version 0.5 or older.

    Raises:
        InputError: it is not OME-Zarr.
    """
    attributes = dict(group.attrs)
    told = attributes.get("ome", attributes).get("multiscales")
    if not told:
        raise InputError("is a zip, but not of OME-Zarr: it has no multiscales")
    found: dict[str, Any] = told[0]
    return found


def _sizes(told: dict[str, Any], node: dict[str, Any]) -> list[tuple[str, float]]:
    """Axis and length of a step in micrometres, of axes with a known unit."""
    scale = next(
        (t["scale"] for t in node.get("coordinateTransformations", ()) if t["type"] == "scale"), ()
    )
    pairs = zip(told["axes"], scale, strict=False)
    return [
        (str(axis["name"]), float(v) * MICRONS[axis["unit"]])
        for axis, v in pairs
        if axis.get("unit") in MICRONS
    ]


@contextmanager
def _opened(data: bytes) -> Iterator[Any]:
    zarr = _zarr()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.zip"
        path.write_bytes(data)
        store = zarr.storage.ZipStore(path, mode="r")
        try:
            yield zarr.open_group(store, mode="r")
        finally:
            store.close()


def _zarr() -> Any:
    try:
        import zarr
        import zarr.storage
    except ImportError as e:
        raise MissingExtraError("OME-Zarr needs zarr: pip install 'ipx-toolbox[zarr]'") from e
    return zarr
