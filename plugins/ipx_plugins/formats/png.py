"""PNG through imagecodecs; Pillow silently reads 16-bit colour as 8 bits."""

from __future__ import annotations

import struct
import zlib
from collections.abc import Iterator

import imagecodecs
from PIL import Image

from ipx import Format, InputError, Raster
from ipx.files.format import check_size
from ipx_plugins.formats.common import orientation_of

SIGNATURE = b"\x89PNG\r\n\x1a\n"
PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
"""The chunks that determine the pixels."""

IHDR_END = 33
"""Bytes of signature and IHDR chunk; the profile follows them, before the pixels."""

MAX_ICC = 1 << 24


class PNG(Format):
    """Portable Network Graphics."""

    def decode(self, data: bytes) -> Raster:
        """The picture; palettes, 1 to 4 bits and transparent colours are expanded.

        libpng gets only the chunks that determine the pixels, since it prints warnings about
        others to stderr.
        """
        icc, orientation, image = None, 1, bytearray(SIGNATURE)
        for kind, body, chunk in _chunks(data):
            if kind == b"IHDR" and len(body) == 13:
                width, height, bits = struct.unpack(">IIB", body[:9])
                check_size(width, height, 4 * max(bits // 8, 1), len(data))
            if kind == b"acTL":
                raise InputError("is an animation; save one frame of it")
            if kind == b"iCCP":
                icc = _icc(body)
            elif kind == b"eXIf":
                orientation = _orientation(body)
            elif kind in PIXELS:
                image += chunk
        samples = imagecodecs.png_decode(bytes(image))
        samples = samples.reshape(*samples.shape[:2], -1)
        alpha = samples.shape[2] in (2, 4)
        return Raster(samples, alpha, icc=icc, orientation=orientation)

    def encode(self, raster: Raster) -> bytes:
        """A file deflated at level 6."""
        data = bytes(imagecodecs.png_encode(raster.packed, level=6))
        if raster.icc is None:
            return data
        body = b"iCCPICC profile\0\0" + zlib.compress(raster.icc)
        chunk = struct.pack(">I", len(body) - 4) + body + struct.pack(">I", zlib.crc32(body))
        return data[:IHDR_END] + chunk + data[IHDR_END:]


def _chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Type, body and all bytes of each chunk."""
    at = len(SIGNATURE)
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if at + 12 + length > len(data):
            break
        kind = data[at + 4 : at + 8]
        yield kind, data[at + 8 : at + 8 + length], data[at : at + 12 + length]
        if kind == b"IEND":
            return
        at += 12 + length
    raise InputError("is a truncated PNG; get a whole copy of it")


def _icc(body: bytes) -> bytes | None:
    """The profile in an iCCP chunk (name, 0, method 0, deflated); None if it is damaged."""
    _, _, rest = body.partition(b"\0")
    inflate = zlib.decompressobj()
    try:
        profile = inflate.decompress(rest[1:], MAX_ICC)
    except zlib.error:
        return None
    return profile if profile and inflate.eof else None


def _orientation(exif: bytes) -> int:
    """The orientation in an EXIF block; 1 if it cannot be read."""
    try:
        tags = Image.Exif()
        tags.load(exif)
        return orientation_of(tags)
    except Exception:  # damaged EXIF does not affect the pixels
        return 1
