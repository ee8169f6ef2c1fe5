"""OME-Zarr through zarr: the finest resolution of the first image of a zip or a folder."""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ipx import Format, InputError, MissingExtraError, Raster
from ipx.files.axes import as_stored, is_known, raster_of
from ipx.files.format import Array, Header, Rows, bands, is_image
from ipx.files.limits import check_array

VERSION = "0.5"
TYPES = {"t": "time", "c": "channel", "z": "space", "y": "space", "x": "space"}
MICRONS = {"micrometer": 1.0, "nanometer": 1e-3, "millimeter": 1e3, "meter": 1e6}
CHUNK = 256
"""Height and width of a chunk; a plane and a picture have chunks of their own."""

LARGE_CHUNKS = 64 << 20
"""Bytes of a row of chunks from which on an image is decoded as a whole."""


class ZarrRows(Rows):
    """Rows of one picture, by the chunks that hold them."""

    def __init__(self, array: Any, axes: str, spacing: tuple[float, ...]) -> None:
        self.array, self.axes = array, axes
        size = dict(zip(axes, array.shape, strict=True))
        shape = (size["Y"], size["X"], size.get("C", 1))
        self.header = Header(shape, array.dtype.newbyteorder("=").name, spacing=spacing[-2:])
        self.held = self.header.size // size["Y"] * self.high

    @property
    def high(self) -> int:
        """Rows of a chunk."""
        return int(self.array.chunks[self.axes.index("Y")])

    def read(self, top: int, bottom: int) -> Array:
        """The samples of these rows."""
        whole = {"Y": slice(top, bottom), "X": slice(None), "C": slice(None)}
        rows = np.asarray(self.array[tuple(whole.get(a, 0) for a in self.axes)])
        left = [a for a in self.axes if a in whole]
        rows = rows.transpose([left.index(a) for a in "YXC" if a in left])
        samples = rows if "C" in left else rows[..., None]
        return np.ascontiguousarray(samples, self.header.dtype)


class Zarr(Format):
    """One image; its axes are always told."""

    @contextmanager
    def opened(self, path: Path) -> Iterator[Rows | None]:
        """Rows; None for stacks, volumes, separate channels, and huge chunks."""
        with _group(path) as group:
            told = _multiscale(group)
            axes, spacing = _axes(told), _spacing(told)
            array = group[told["datasets"][0]["path"]]
            size = dict(zip(axes, array.shape, strict=False))
            alone = is_known(axes) and len(axes) == array.ndim and array.dtype != bool
            alone = alone and size.get("T", 1) == size.get("Z", 1) == 1
            rows = ZarrRows(array, axes, spacing) if alone else None
            small = rows is not None and rows.held <= LARGE_CHUNKS
            yield rows if small and is_image(size.get("C", 1)) else None

    def streamed(self, path: Path, header: Header, rows: Iterable[Array]) -> None:
        """A file with one resolution, a row of chunks at a time."""
        axes = "YX" if header.shape[2] == 1 else "CYX"
        shape = tuple(dict(zip("YXC", header.shape, strict=True))[a] for a in axes)
        with _created(path, shape, header.dtype, axes, header.spacing) as array:
            top = 0
            for band in bands(rows, header, CHUNK):
                planes = np.moveaxis(band, -1, 0)
                array[..., top : top + len(band), :] = planes if "C" in axes else planes[0]
                top += len(band)

    def decode(self, data: bytes) -> Raster:
        """The picture."""
        return self.stack(data, "")

    def stack(self, data: bytes, axes: str) -> Raster:
        """The stack or volume of these axes, by default those of the metadata."""
        with _opened(data) as group:
            told = _multiscale(group)
            found = _axes(told)
            axes = axes or found
            if not is_known(axes):
                raise InputError(f"has the axes {found}; ipx knows T, C, Z, Y and X")
            array = group[told["datasets"][0]["path"]]
            check_array(array.shape)
            raster = raster_of(np.asarray(array[...]), axes)
            spacing = _spacing(told)
        spacing = spacing if "Z" in axes else spacing[-2:]
        if not raster.axes:  # one picture, whatever the order of its axes
            raster = replace(raster, order="" if raster.samples.shape[-1] != 2 else raster.order)
        return replace(raster, spacing=spacing)

    def encode(self, raster: Raster) -> bytes:
        """A file with one resolution."""
        array, axes = as_stored(raster, raster.order or _usual_order(raster))
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "image.zip"
            name = array.dtype.name
            with _created(path, array.shape, name, axes, raster.spacing) as stored:
                stored[...] = array
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
        raise InputError("is not OME-Zarr: it has no multiscales")
    found: dict[str, Any] = told[0]
    return found


def _axes(told: dict[str, Any]) -> str:
    """The letters of the axes."""
    return "".join(str(axis["name"]).upper() for axis in told["axes"])


def _spacing(told: dict[str, Any]) -> tuple[float, ...]:
    """The size of a voxel in micrometres, along the axes in space with a known unit."""
    changes = told["datasets"][0].get("coordinateTransformations", ())
    scale = next((t["scale"] for t in changes if t["type"] == "scale"), ())
    return tuple(
        float(v) * MICRONS[axis["unit"]]
        for axis, v in zip(told["axes"], scale, strict=False)
        if axis.get("unit") in MICRONS and str(axis["name"]) in "zyx"
    )


@contextmanager
def _opened(data: bytes) -> Iterator[Any]:
    """The group in a file that is given as its bytes."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "image.zip"
        path.write_bytes(data)
        with _group(path) as group:
            yield group


@contextmanager
def _group(path: Path) -> Iterator[Any]:
    """The group in a file or a folder.

    Raises:
        InputError: it holds an array in its place.
    """
    zarr = _zarr()
    storage = zarr.storage
    store = storage.LocalStore(path) if path.is_dir() else storage.ZipStore(path, mode="r")
    try:
        found = zarr.open(store, mode="r")
        if not isinstance(found, zarr.Group):
            raise InputError("is not OME-Zarr, but a single array of Zarr without axes")
        yield found
    finally:
        store.close()


@contextmanager
def _created(
    path: Path, shape: tuple[int, ...], dtype: str, axes: str, spacing: tuple[float, ...]
) -> Iterator[Any]:
    """The array of a new file with one resolution, to be filled."""
    size = dict(zip("xyz", reversed(spacing), strict=False))
    named = [
        {"name": a, "type": TYPES[a], **({"unit": "micrometer"} if a in size else {})}
        for a in axes.lower()
    ]
    scale = {"type": "scale", "scale": [float(size.get(a, 1.0)) for a in axes.lower()]}
    dataset = {"path": "0", "coordinateTransformations": [scale]}
    told = {"version": VERSION, "multiscales": [{"axes": named, "datasets": [dataset]}]}
    pairs = zip(shape, axes, strict=True)
    chunks = tuple(min(n, CHUNK) if a in "YX" else 1 for n, a in pairs)
    zarr = _zarr()
    store = zarr.storage.ZipStore(path, mode="w")
    try:
        group = zarr.open_group(store, mode="w", attributes={"ome": told})
        yield group.create_array("0", shape=shape, dtype=dtype, chunks=chunks)
    finally:
        store.close()


def _zarr() -> Any:
    try:
        import zarr
        import zarr.storage
    except ImportError as e:
        raise MissingExtraError.of("OME-Zarr", "zarr", extra="zarr") from e
    return zarr
