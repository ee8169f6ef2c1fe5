"""DICOM through pydicom."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np

from ipx import Format, InputError, MissingExtraError, Raster
from ipx.files.axes import usual
from ipx.files.format import Array, check_size


class DICOM(Format):
    """The stored values of the pixels; no rescaling, no window."""

    def decode(self, data: bytes) -> Raster:
        """The picture."""
        return self.stack(data, "")

    def stack(self, data: bytes, axes: str) -> Raster:
        """The frames, of these axes; without axes the one picture."""
        found = _dataset(data)
        kind = found.PhotometricInterpretation
        if kind not in ("MONOCHROME2", "RGB", "YBR_FULL", "YBR_FULL_422"):
            raise InputError(f"holds {kind} colours; convert it to grey (MONOCHROME2) or RGB")
        frames = int(found.get("NumberOfFrames") or 1)
        check_size(int(found.Columns), int(found.Rows), frames, len(data))
        try:
            array = np.asarray(found.pixel_array)
        except (AttributeError, ValueError, RuntimeError) as e:
            raise InputError(f"has pixels that cannot be decoded ({e})") from None
        return replace(usual(array, axes), spacing=_spacing(found, "Z" in axes))

    def numbers(self, data: bytes) -> Array:
        """The array, of any shape."""
        return np.asarray(_dataset(data).pixel_array)


def _spacing(found: Any, deep: bool) -> tuple[float, ...]:
    """The size of a pixel in micrometres."""
    plane = found.get("PixelSpacing")
    if plane is None:
        return ()
    depth = found.get("SpacingBetweenSlices") or found.get("SliceThickness")
    size = [1000 * float(v) for v in plane]
    return (1000 * float(depth), *size) if deep and depth else tuple(size)


def _dataset(data: bytes) -> Any:
    try:
        import pydicom
    except ImportError as e:
        raise MissingExtraError.of("DICOM", "pydicom", extra="dicom") from e
    found = pydicom.dcmread(io.BytesIO(data))
    if "PixelData" not in found:
        raise InputError("holds no pixels; give the file of an image")
    return found
