"""Samples to the bytes of an image file: PNG, TIFF, JPEG, NPY."""

from __future__ import annotations

import io
import struct
import zlib
from typing import Any, TypeAlias

import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

Array: TypeAlias = npt.NDArray[Any]

IHDR_END = 33
"""Bytes of PNG signature and IHDR chunk; the profile must come after them, before the pixels."""


def encode(
    kind: str, samples: Array, colours: int, icc: bytes | None, premultiplied: bool = False
) -> bytes:
    """A whole file of this format, its samples bit for bit (JPEG: quality 95, no subsampling).

    Args:
        kind: png, tiff, jpeg or npy.
        samples: ``(H, W, S)`` of a type that the format holds.
        colours: 1 or 3; one sample more than that is alpha.
        icc: colour profile; NPY has no place for it.
        premultiplied: the alpha is TIFF's associated alpha.
    """
    alpha = samples.shape[2] > colours
    samples = np.ascontiguousarray(samples[..., 0] if samples.shape[2] == 1 else samples)
    if kind == "png":
        return _png(samples, icc)
    if kind == "jpeg":
        return _jpeg(samples, icc)
    if kind == "tiff":
        return _tiff(samples, colours, alpha, icc, premultiplied)
    out = io.BytesIO()
    np.save(out, samples, allow_pickle=False)
    return out.getvalue()


def _png(samples: Array, icc: bytes | None) -> bytes:
    data = bytes(imagecodecs.png_encode(samples, level=6))
    if icc is None:
        return data
    body = b"iCCPICC profile\0\0" + zlib.compress(icc)
    chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
    return data[:IHDR_END] + chunk + data[IHDR_END:]


def _jpeg(samples: Array, icc: bytes | None) -> bytes:
    out = io.BytesIO()
    Image.fromarray(samples).save(out, "JPEG", quality=95, subsampling=0, icc_profile=icc)
    return out.getvalue()


def _tiff(
    samples: Array, colours: int, alpha: bool, icc: bytes | None, premultiplied: bool
) -> bytes:
    """Integers are deflated with a predictor, lossless; floats stay plain, every reader's case."""
    packed = samples.dtype.kind in "ui" and samples.dtype.itemsize <= 2
    out = io.BytesIO()
    tifffile.imwrite(
        out,
        samples,
        photometric="rgb" if colours == 3 else "minisblack",
        planarconfig="contig" if samples.ndim == 3 else None,
        extrasamples=(("assocalpha" if premultiplied else "unassalpha",) if alpha else None),
        compression="zlib" if packed else None,
        predictor=packed,
        iccprofile=icc,
        software="ipx",
        metadata=None,
    )
    return out.getvalue()
