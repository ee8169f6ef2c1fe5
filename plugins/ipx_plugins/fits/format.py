"""FITS through astropy."""

from __future__ import annotations

import io
from dataclasses import replace
from typing import Any

import numpy as np

from ipx import Format, InputError, MissingExtraError, Raster
from ipx.files.axes import as_stored, usual
from ipx.files.format import Array

HEADER = "header"


class FITS(Format):
    """The array of the first unit that has one; rows are in the order of the file."""

    def decode(self, data: bytes) -> Raster:
        """The picture."""
        return self.stack(data, "")

    def stack(self, data: bytes, axes: str) -> Raster:
        """The stack, volume or cube of these axes; without axes the picture."""
        array, header = _first(data)
        return replace(usual(array, axes), kept={HEADER: header})

    def encode(self, raster: Raster) -> bytes:
        """A file of one unit, with the header of the input."""
        fits = _fits()
        stacked = bool(raster.axes or raster.order)
        array = as_stored(raster)[0] if stacked else raster.packed
        text = raster.kept.get(HEADER)
        header = None if text is None else fits.Header.fromstring(str(text))
        out = io.BytesIO()
        for name in ("BZERO", "BSCALE", "BLANK", "XTENSION", "PCOUNT", "GCOUNT"):
            if header is not None:
                header.remove(name, ignore_missing=True)
        fits.PrimaryHDU(array, header).writeto(out, output_verify="silentfix")
        return out.getvalue()

    def numbers(self, data: bytes) -> Array:
        """The array, of any shape."""
        return _first(data)[0]


def _first(data: bytes) -> tuple[Array, str]:
    """The first array of two axes or more, in native byte order, and its header."""
    fits = _fits()
    with fits.open(io.BytesIO(data), memmap=False) as units:
        for unit in units:
            size = [unit.header.get(f"NAXIS{i + 1}", 0) for i in range(unit.header["NAXIS"])]
            if len(size) < 2 or not unit.is_image:
                continue
            width = abs(unit.header["BITPIX"]) // 8
            packed = isinstance(unit, fits.CompImageHDU)  # smaller than its pixels
            if not packed and unit.fileinfo()["datLoc"] + width * int(np.prod(size)) > len(data):
                raise InputError("is a truncated FITS; get a whole copy of it")
            array = np.asarray(unit.data)
            while array.ndim > 2 and array.shape[0] == 1:
                array = array[0]
            return array.astype(array.dtype.newbyteorder("=")), unit.header.tostring()
    raise InputError("holds no picture; save one of two axes")


def _fits() -> Any:
    try:
        from astropy.io import fits
    except ImportError as e:
        raise MissingExtraError.of("FITS", "astropy", extra="fits") from e
    return fits
