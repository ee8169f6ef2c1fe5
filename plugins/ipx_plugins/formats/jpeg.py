"""JPEG through Pillow, which ignores the warnings of libjpeg about missing data."""

from __future__ import annotations

import io
from dataclasses import replace

import numpy as np
from PIL import Image

from ipx import Format, InputError, Raster, Storage
from ipx_plugins.formats.common import padded_jpeg, unlimited, with_pillow

BANDS = (range(4, 8), range(2, 4), range(1, 2))
"""Frequencies of the 8 x 8 cosine transform in each octave, the finest first."""


def _errors(table: list[int]) -> tuple[float, ...]:
    """Standard deviation of the rounding of coefficients, q / sqrt(12), in each octave."""
    steps = np.reshape(table, (8, 8))
    highest = np.maximum(*np.indices((8, 8)))
    return tuple(float(np.sqrt((steps[np.isin(highest, band)] ** 2).mean() / 12)) for band in BANDS)


def _storage(data: bytes) -> Storage:
    """The tables of quantisation, and how chroma is thinned.

    Without steps if the colours are not stored as luma and chroma.
    """
    with unlimited(), Image.open(io.BytesIO(data), formats=("JPEG", "MPO")) as image:
        tables: dict[int, list[int]] = image.quantization  # type: ignore[attr-defined]  # of JPEG
        planes: list[tuple[int, int, int, int]] = image.layer  # type: ignore[attr-defined]
        plain = image.info.get("adobe_transform") == 0 and len(planes) == 3
    errors = _errors(tables[0]) if 0 in tables else ()
    named = bytes(plane[0] for plane in planes) == b"RGB"
    if plain or named or any(table not in tables for *_, table in planes):
        return Storage(errors)
    most = tuple(max(plane[axis] for plane in planes) for axis in (2, 1))
    if any(most[0] % tall or most[1] % wide for _, wide, tall, _ in planes):
        return Storage(errors)
    return Storage(
        errors,
        tuple(_rows(tables[table]) for *_, table in planes),
        tuple((most[0] // tall, most[1] // wide) for _, wide, tall, _ in planes),
    )


def _rows(table: list[int]) -> tuple[tuple[float, ...], ...]:
    return tuple(tuple(float(q) for q in table[i : i + 8]) for i in range(0, 64, 8))


class JPEG(Format):
    """JPEG, and the first picture of an MPO."""

    def decode(self, data: bytes) -> Raster:
        """The picture, 8 bits, grey or RGB."""
        raster = with_pillow(data, "JPEG", "MPO", ratio=_densest(data))
        padded = with_pillow(padded_jpeg(data), "JPEG", "MPO")
        if not np.array_equal(raster.samples, padded.samples):
            raise InputError("is a damaged JPEG, data are missing in it; get a whole copy")
        return replace(raster, storage=_storage(data))

    def encode(self, raster: Raster) -> bytes:
        """A file with quality 95 and no chroma subsampling."""
        out = io.BytesIO()
        image = Image.fromarray(raster.packed)
        image.save(out, "JPEG", quality=95, subsampling=0, icc_profile=raster.icc)
        return out.getvalue()


def _densest(data: bytes) -> float | None:
    """The largest number of bytes of pixels in a byte of a file; None for arithmetic coding.

    A Huffman code has at least one bit for each block of 8 x 8 samples of each channel. With
    subsampling there is at least one block for 8 x 8 pixels; they have up to 3 bytes each.
    """
    arithmetic = any(data.find(bytes((0xFF, kind))) >= 0 for kind in (0xC9, 0xCA))
    return None if arithmetic else 8 * 64 * 3
