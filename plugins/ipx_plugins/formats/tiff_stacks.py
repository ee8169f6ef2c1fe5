"""Stacks and volumes in TIFF: ImageJ hyperstacks, OME-TIFF, and pages of one shape.

Axes, pixel size and the names of channels are read by tifffile and written again in the same
dialect. Files without either dialect are written for ImageJ where that has the type of the samples,
else as OME-TIFF.
"""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import tifffile
from tifffile import xml2dict

from ipx import InputError, Raster
from ipx.files.axes import HELP, as_stored, is_known, raster_of

MICRONS = {
    "micron": 1.0, "microns": 1.0, "um": 1.0, "\u00b5m": 1.0, "\u03bcm": 1.0, "\\u00b5m": 1.0,
    "nm": 1e-3, "mm": 1e3, "cm": 1e4, "m": 1e6, "inch": 25400.0, "pm": 1e-6, "\u00c5": 1e-4,
}  # fmt: skip
"""Micrometres in a unit of length."""

IMAGEJ_TYPES = ("uint8", "uint16", "float32")
IMAGEJ_KEPT = (
    "Info", "Labels", "Ranges", "LUTs", "unit", "finterval", "fps", "mode", "min", "max",
)  # fmt: skip
"""What ImageJ stores besides the axes, and tifffile writes again."""


def stack_of(tif: tifffile.TiffFile, pages: list[tifffile.TiffPage], told: str) -> Raster:
    """The stack or volume in a file; ``told``: its axes, empty for what it tells itself.

    Args:
        tif: the file.
        pages: those of full size.
        told: the axes, empty for what the file tells.

    Raises:
        InputError: nobody tells the meaning of its axes, or the pages differ.
    """
    series = tif.series[0]
    axes, shape = series.axes, series.shape
    single = len(pages) > 1 and series.size == pages[0].size  # each page is a series
    if single:
        if len({(page.shape, page.dtype) for page in pages}) > 1:
            raise InputError(f"has {len(pages)} pages of different shapes; save each as a file")
        axes, shape = f"I{axes}", (len(pages), *shape)
    if not told:
        kept = [(a, n) for a, n in zip(axes, shape, strict=True) if n > 1 or a in "YX"]
        axes, shape = "".join(a for a, _ in kept), tuple(n for _, n in kept)
        if not is_known(axes):
            raise InputError(f"is a stack of {len(pages)} pages; {HELP}")
    array = np.stack([page.asarray() for page in pages]) if single else series.asarray()
    if not told:
        array = array.reshape(shape)
    spacing, kept_values = metadata_of(tif)
    depth = bool({"Z"} & set(told or axes))
    spacing = spacing[-3:] if depth else spacing[-2:]
    return raster_of(array, told or axes, spacing=spacing, kept=kept_values)


def metadata_of(tif: tifffile.TiffFile) -> tuple[tuple[float, ...], dict[str, Any]]:
    """The size of a pixel in micrometres, and what is written again."""
    if tif.is_ome and tif.ome_metadata:
        return _ome(tif.ome_metadata)
    if tif.is_imagej:
        return _imagej(tif)
    return (), {}


def _imagej(tif: tifffile.TiffFile) -> tuple[tuple[float, ...], dict[str, Any]]:
    told = dict(tif.imagej_metadata or {})
    kept = {name: told[name] for name in IMAGEJ_KEPT if name in told}
    micron = MICRONS.get(str(told.get("unit", "")))
    if micron is None:
        return (), {"imagej": kept}
    across = [_per_unit(tif, name) for name in ("YResolution", "XResolution")]
    if not all(across):
        return (), {"imagej": kept}
    size = [micron / v for v in across if v]
    depth = [micron * float(told["spacing"])] if told.get("spacing") else []
    return (*depth, *size), {"imagej": kept}


def _per_unit(tif: tifffile.TiffFile, name: str) -> float | None:
    """Pixels in a unit of length."""
    tag = tif.pages.first.tags.get(name)
    if tag is None:
        return None
    above, below = tag.value
    return above / below if above and below else None


def _ome(text: str) -> tuple[tuple[float, ...], dict[str, Any]]:
    image = xml2dict(text)["OME"]["Image"]
    image = image[0] if isinstance(image, list) else image
    pixels = image["Pixels"]
    size = []
    for axis in "ZYX":
        told = pixels.get(f"PhysicalSize{axis}")
        micron = MICRONS.get(pixels.get(f"PhysicalSize{axis}Unit", "um"))
        size += [] if told is None or micron is None else [float(told) * micron]
    channels = pixels.get("Channel", [])
    channels = channels if isinstance(channels, list) else [channels]
    names = [str(c["Name"]) for c in channels if "Name" in c]
    kept: dict[str, Any] = {"Channel": {"Name": names}} if len(names) == len(channels) > 0 else {}
    for name in ("TimeIncrement", "TimeIncrementUnit"):
        kept |= {name: pixels[name]} if name in pixels else {}
    kept |= {"Name": image["Name"]} if "Name" in image else {}
    return (tuple(size) if len(size) > 1 else ()), {"ome": kept}


def encoded(raster: Raster) -> bytes:
    """A file with the stack or volume."""
    dtype = raster.samples.dtype.name
    dialect = next(iter(raster.kept), "")
    if (dialect or "imagej") == "imagej" and dtype in IMAGEJ_TYPES:
        return _as_imagej(raster)
    return _as_ome(raster)


def _as_imagej(raster: Raster) -> bytes:
    colour = "S" in raster.order and raster.samples.shape[-1] in (3, 4)
    if colour and raster.samples.dtype != "uint8":
        return _as_ome(raster)
    order = [a for a in "TZ" if a in raster.axes]
    many = raster.samples.shape[-1] > 1 or bool({"C", "S"} & set(raster.order))
    array, axes = as_stored(raster, "".join([*order, *("C" if many and not colour else ""), "YX"])
                            + ("S" if colour else ""))  # fmt: skip
    metadata = {"axes": axes[:-1] + "S" if colour else axes, **raster.kept.get("imagej", {})}
    resolution = None
    if raster.spacing:
        micron = MICRONS.get(str(metadata.get("unit", "")))
        metadata["unit"] = metadata["unit"] if micron else "um"
        *depth, height, width = (v / (micron or 1.0) for v in raster.spacing)
        resolution = (1 / width, 1 / height)
        metadata |= {"spacing": depth[0]} if depth else {}
    out = io.BytesIO()
    tifffile.imwrite(
        out, array, imagej=True, metadata=metadata, resolution=resolution, software="ipx",
        photometric="rgb" if colour else "minisblack",
    )  # fmt: skip
    return out.getvalue()


def _as_ome(raster: Raster) -> bytes:
    array, axes = as_stored(raster)
    colour = "S" in raster.order and raster.samples.shape[-1] in (3, 4)
    metadata: dict[str, Any] = dict(raster.kept.get("ome", {}))
    metadata["axes"] = axes[:-1] + "S" if colour and axes[-1] == "C" else axes
    for axis, size in zip("XYZ", reversed(raster.spacing), strict=False):
        metadata |= {f"PhysicalSize{axis}": size, f"PhysicalSize{axis}Unit": "\u00b5m"}
    out = io.BytesIO()
    tifffile.imwrite(
        out, array, ome=True, metadata=metadata, software="ipx",
        photometric="rgb" if metadata["axes"].endswith("S") else "minisblack",
    )  # fmt: skip
    return out.getvalue()
