"""Bytes of an image file to samples: PNG, TIFF, JPEG, NPY; nothing is scaled here."""

from __future__ import annotations

import io
import logging
import struct
import warnings
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, TypeAlias

import imagecodecs
import numpy as np
import numpy.typing as npt
import tifffile
from PIL import Image

from ipx.errors import InputError

Array: TypeAlias = npt.NDArray[Any]

READS = "ipx reads PNG, TIFF, JPEG and NPY"
PNG = b"\x89PNG\r\n\x1a\n"
PNG_PIXELS = {b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"IEND"}
TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")
JPEG = b"\xff\xd8\xff"
NPY = b"\x93NUMPY"
OTHERS = {
    b"GIF8": "GIF",
    b"BM": "BMP",
    b"8BPS": "Photoshop",
    b"%PDF": "PDF",
    b"\x89HDF": "HDF5",
    b"SIMPLE  =": "FITS",
    b"\0\0\0\x0cjP": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"v/1\x01": "OpenEXR",
    b"PK\x03\x04": "zip",
}
MAX_ICC = 1 << 24
MOST, MOST_PER_BYTE = 1 << 26, 10_000  # deflate reaches 1032, times 8 for single bits
ORIENTATION = 274
ICC_TAG = 34675


@dataclass(frozen=True, eq=False)
class Raw:
    """Samples as stored.

    Attributes:
        samples: ``(H, W, S)``; S counts colours (1 or 3) and, last, alpha if there is one.
        alpha: the last sample is alpha.
        format: png, tiff, jpeg or npy.
        icc: the colour profile.
        orientation: EXIF orientation 1 to 8, not applied yet.
        premultiplied: colours are stored multiplied by alpha (TIFF's associated alpha).
    """

    samples: Array
    alpha: bool
    format: str
    icc: bytes | None = None
    orientation: int = 1
    premultiplied: bool = False


class _UnusableError(Exception):
    """Why a file cannot be used; the caller adds its name."""


def decode(data: bytes, name: str) -> Raw:
    """Decode a whole file; what it is is told by its first bytes, not by its name.

    Raises:
        InputError: one line with ``name``, why it cannot be used, and what would work.
    """
    if not data:
        raise InputError(f"{name}: is empty (0 bytes); {READS}")
    try:
        if data.startswith(PNG):
            raw = _png(data)
        elif data.startswith(TIFF):
            raw = _tiff(data)
        elif data.startswith(JPEG):
            raw = _jpeg(data)
        elif data.startswith(NPY):
            raw = _npy(data)
        else:
            raise _UnusableError(_foreign(data))
    except _UnusableError as why:
        raise InputError(f"{name}: {_short(str(why), 200)}") from None
    if raw.samples.size == 0:
        raise InputError(f"{name}: has no pixels, its shape is {raw.samples.shape}")
    if raw.samples.dtype.kind == "f" and not np.isfinite(raw.samples).all():
        count = raw.samples.size - int(np.isfinite(raw.samples).sum())
        raise InputError(
            f"{name}: has {count} values that are NaN or infinite; replace them first "
            "(for unknown pixels use the operator inpaint with a mask)"
        )
    return raw


def _foreign(data: bytes) -> str:
    kind = next((kind for magic, kind in OTHERS.items() if data.startswith(magic)), None)
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        kind = "WebP"
    elif data[4:8] == b"ftyp":
        kind = "HEIC, AVIF or video"
    elif data[128:132] == b"DICM":
        kind = "DICOM"
    if kind:
        return f"is a {kind} file; {READS}: convert it, for instance to .png or .tif"
    return f"is not an image; {READS}"


# --- PNG ----------------------------------------------------------------------------------


def _png_chunks(data: bytes) -> Iterator[tuple[bytes, bytes, bytes]]:
    """Kind, body, and the whole of each chunk."""
    at = len(PNG)
    while at + 12 <= len(data):
        (length,) = struct.unpack(">I", data[at : at + 4])
        if at + 12 + length > len(data):
            break
        kind = data[at + 4 : at + 8]
        yield kind, data[at + 8 : at + 8 + length], data[at : at + 12 + length]
        if kind == b"IEND":
            return
        at += 12 + length
    raise _UnusableError("is a truncated PNG; get a whole copy of it")


def _png(data: bytes) -> Raw:
    """PNG through imagecodecs, as Pillow reads 16-bit colour as 8 bit without a word.

    libpng expands palettes, 1 to 4 bits and transparent colours. It sees only the chunks that
    make the pixels, as it prints to stderr what it thinks of the others.
    """
    icc, orientation, image = None, 1, bytearray(PNG)
    for kind, body, chunk in _png_chunks(data):
        if kind == b"IHDR" and len(body) == 13:
            width, height, bits = struct.unpack(">IIB", body[:9])
            _check_size(width, height, 4 * max(bits // 8, 1), len(data))
        if kind == b"acTL":
            raise _UnusableError("is an animation; save one frame of it")
        if kind == b"iCCP":
            icc = _icc_of(body)
        elif kind == b"eXIf":
            orientation = _exif_orientation(body)
        elif kind in PNG_PIXELS:
            image += chunk
    try:
        samples = imagecodecs.png_decode(bytes(image))
    except MemoryError:
        raise
    except Exception as error:
        raise _UnusableError(_damaged("PNG", error)) from None
    samples = samples.reshape(*samples.shape[:2], -1)
    return Raw(samples, samples.shape[2] in (2, 4), "png", icc, orientation)


def _icc_of(body: bytes) -> bytes | None:
    """Profile in an iCCP chunk: name, 0, method 0, deflated; None if it is damaged."""
    _, _, rest = body.partition(b"\0")
    inflate = zlib.decompressobj()
    try:
        profile = inflate.decompress(rest[1:], MAX_ICC)
    except zlib.error:
        return None
    return profile if profile and inflate.eof else None


def _exif_orientation(exif: bytes) -> int:
    """Orientation in an EXIF block; 1 (upright) if there is none or it cannot be read."""
    try:
        tags = Image.Exif()
        tags.load(exif)
        return _valid(tags.get(ORIENTATION))
    except Exception:  # a damaged block says nothing about the pixels
        return 1


def _valid(orientation: Any) -> int:
    return orientation if isinstance(orientation, int) and 1 <= orientation <= 8 else 1


# --- JPEG ---------------------------------------------------------------------------------


def _jpeg(data: bytes) -> Raw:
    """JPEG through Pillow, which refuses truncated files where libjpeg fills with grey."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            with Image.open(io.BytesIO(data), formats=("JPEG", "MPO")) as image:
                if image.mode not in ("L", "RGB"):
                    raise _UnusableError(f"is a {image.mode} JPEG; convert it to RGB or grey")
                icc = image.info.get("icc_profile")
                try:
                    orientation = _valid(image.getexif().get(ORIENTATION))
                except Exception:  # a damaged block says nothing about the pixels
                    orientation = 1
                samples = np.array(image)
    except (_UnusableError, MemoryError):
        raise
    except Exception as error:
        raise _UnusableError(_damaged("JPEG", error)) from None
    return Raw(samples.reshape(*samples.shape[:2], -1), False, "jpeg", icc or None, orientation)


# --- TIFF ---------------------------------------------------------------------------------


@contextmanager
def _quiet() -> Iterator[None]:
    """tifffile tells of damaged files through logging; here one error line does."""
    log = logging.getLogger("tifffile")
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before


def _tiff(data: bytes) -> Raw:
    try:
        with _quiet(), tifffile.TiffFile(io.BytesIO(data)) as tif:
            return _tiff_page(tif, _only_page(tif), len(data))
    except (_UnusableError, MemoryError):
        raise
    except Exception as error:
        raise _UnusableError(_damaged("TIFF", error)) from None


def _only_page(tif: tifffile.TiffFile) -> tifffile.TiffPage:
    """The one full-size page; thumbnails, smaller copies and masks beside it are passed over."""
    pages = [page.aspage() for page in tif.pages]
    full = [page for page in pages if not int(page.subfiletype) & 0b101]
    if not pages:
        raise _UnusableError("is a truncated TIFF; get a whole copy of it")
    if not full:
        raise _UnusableError(
            "has only a thumbnail at its top level (camera raw?); develop it to .tif first"
        )
    depth = int((tif.imagej_metadata or {}).get("images", 1))
    count = max(len(full), depth, int(full[0].imagedepth))
    if count > 1:
        raise _UnusableError(f"is a stack of {count} pages; save each page as a file of its own")
    return full[0]


def _tiff_page(tif: tifffile.TiffFile, page: tifffile.TiffPage, size: int) -> Raw:
    depth = page.samplesperpixel * max(page.bitspersample // 8, 1)
    _check_size(page.imagewidth, page.imagelength, depth, size)
    segments = zip(page.dataoffsets, page.databytecounts, strict=True)
    if any(count <= 0 or start + count > size for start, count in segments):
        raise _UnusableError("is a truncated TIFF; get a whole copy of it")
    photometric, bits = page.photometric, page.bitspersample
    palette = photometric == tifffile.PHOTOMETRIC.PALETTE
    jpeg = page.compression in (6, 7, 34892)
    known = {
        tifffile.PHOTOMETRIC.MINISBLACK,
        tifffile.PHOTOMETRIC.MINISWHITE,
        tifffile.PHOTOMETRIC.RGB,
        tifffile.PHOTOMETRIC.PALETTE,
    }
    if photometric not in known and not (photometric == tifffile.PHOTOMETRIC.YCBCR and jpeg):
        kind = getattr(photometric, "name", photometric)
        raise _UnusableError(f"holds {kind} colours; convert it to RGB or grey")
    if bits not in (1, 8, 16, 32, 64) and not palette:
        raise _UnusableError(f"has {bits} bits a sample; save it with 8, 16 or 32")

    samples = page.asarray()
    _check_type(samples.dtype)
    if palette:
        if page.colormap is None or samples.ndim != 2:
            raise _UnusableError("is a palette image without a palette; convert it to RGB")
        samples = _colours(np.asarray(page.colormap))[samples]
        return Raw(samples, False, "tiff", _tag(page, ICC_TAG), _orientation(page))
    if samples.dtype == bool:
        samples = samples.astype(np.uint8) * np.uint8(255)
    if page.samplesperpixel == 1:
        samples = samples.reshape(*samples.shape[:2], 1)
    elif page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
        samples = np.moveaxis(samples, 0, -1)
    if photometric == tifffile.PHOTOMETRIC.MINISWHITE:
        if samples.dtype.kind != "u" or samples.shape[2] > 1:
            raise _UnusableError(
                "is white-is-zero but not plain unsigned grey; save it as black-is-zero"
            )
        samples = np.iinfo(samples.dtype).max - samples

    extra = [int(kind) for kind in page.extrasamples]
    colours = 1 if photometric in (0, 1) else 3
    # A fourth sample of unstated kind beside RGB is alpha in practice; a second beside grey
    # could be anything.
    alpha = samples.shape[2] == colours + 1 and (
        extra in ([1], [2]) or (colours == 3 and extra in ([], [0]))
    )
    if samples.shape[2] != colours + alpha:
        raise _UnusableError(_channels(samples.shape[2]))
    return Raw(
        samples, alpha, "tiff", _tag(page, ICC_TAG), _orientation(page), alpha and extra == [1]
    )


def _colours(table: Array) -> Array:
    """Palette ``(3, N)`` of 16-bit values as ``(N, 3)``, 8 bit when that loses nothing."""
    if (table % 257 == 0).all():
        table = table // 257
    if table.max() < 256:  # also the older files that never scaled theirs to 16 bits
        table = table.astype(np.uint8)
    return np.ascontiguousarray(table.T)


def _tag(page: tifffile.TiffPage, code: int) -> bytes | None:
    tag = page.tags.get(code)
    return bytes(tag.value) if tag is not None and tag.value else None


def _orientation(page: tifffile.TiffPage) -> int:
    tag = page.tags.get(ORIENTATION)
    return _valid(int(tag.value)) if tag is not None else 1


# --- NPY ----------------------------------------------------------------------------------


def _npy(data: bytes) -> Raw:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            samples = np.load(io.BytesIO(data), allow_pickle=False)
    except MemoryError:
        raise
    except Exception as error:
        if "Object arrays" in str(error):
            raise _UnusableError("holds Python objects; save an array of numbers") from None
        raise _UnusableError(_damaged("NPY", error)) from None
    _check_type(samples.dtype)
    if samples.ndim not in (2, 3):
        raise _UnusableError(
            f"has shape {samples.shape}; an image is (H, W), (H, W, 1), (H, W, 3) or (H, W, 4)"
        )
    if samples.ndim == 3 and samples.shape[2] not in (1, 3, 4) and samples.size:
        hint = "; move the channels last" if samples.shape[0] in (1, 3, 4) else ""
        raise _UnusableError(f"has shape {samples.shape}: {_channels(samples.shape[2])}{hint}")
    if samples.dtype == bool:
        samples = samples.astype(np.uint8) * np.uint8(255)
    samples = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    samples = samples.reshape(*samples.shape[:2], -1) if samples.size else samples
    return Raw(samples, samples.ndim == 3 and samples.shape[2] == 4, "npy")


def _check_size(width: int, height: int, depth: int, size: int) -> None:
    """Refuse an empty picture, or more pixels (of ``depth`` bytes) than ``size`` bytes can hold."""
    if not width or not height:
        raise _UnusableError("has no pixels, its width or height is 0")
    if width * height * depth > MOST + MOST_PER_BYTE * size:
        raise _UnusableError(
            f"claims {width} x {height} pixels in {size} bytes, so it is damaged; get a whole copy"
        )


def _check_type(dtype: np.dtype[Any]) -> None:
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise _UnusableError(f"holds {dtype} values; save real numbers of at most 64 bits")


def _channels(count: int) -> str:
    return f"{count} channels; an image has 1 (grey) or 3 (RGB), and alpha or not"


def _damaged(kind: str, error: Exception) -> str:
    reason = _short(" ".join(str(error).split()) or type(error).__name__, 100)
    return f"cannot be decoded as {kind} ({reason}); get a whole copy, or save it again"


def _short(text: str, most: int) -> str:
    """Damaged tags can be of any length; an error is one readable line."""
    return text if len(text) <= most else text[: most - 3] + "..."
