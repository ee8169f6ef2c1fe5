"""TIFF through tifffile."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import tifffile
from tifffile import PHOTOMETRIC

from ipx import Format, InputError, Raster
from ipx.files.format import FEWEST, Array, Header, Rows, check_size, wrong_channels
from ipx.files.limits import unlimited
from ipx_plugins.formats.common import ORIENTATION, padded_jpeg

ICC = 34675
JPEG = (6, 7, 34892)
"""Numbers of JPEG compression."""

TRUNCATED = "is a truncated TIFF; get a whole copy of it"


TILE = 256
"""Side of the tiles of files that are written by rows."""

LARGE_SEGMENT = 64 << 20
"""Bytes of a compressed strip from which on an image is decoded as a whole."""


class TIFF(Format):
    """TIFF and BigTIFF; stacks of pages are rejected."""

    streams = True

    @contextmanager
    def opened(self, path: Path) -> Iterator[Rows | None]:
        """Rows of plain samples; None for palettes, turned images, and huge compressed strips."""
        with _quiet(), unlimited(), tifffile.TiffFile(path) as tif:
            page = _only_page(tif)
            _check(page, path.stat().st_size)
            yield TIFFRows(page) if _by_rows(page) else None

    def streamed(self, path: Path, header: Header, rows: Iterable[Array]) -> None:
        """A file of tiles, compressed as by `encode`; BigTIFF above 3.9 GB."""
        tifffile.imwrite(
            path,
            _tiles(rows, header),
            shape=header.shape if header.shape[2] > 1 else header.shape[:2],
            dtype=header.dtype,
            tile=(TILE, TILE),
            bigtiff=header.size > 3_900_000_000,
            **_tags(header),
        )

    def decode(self, data: bytes) -> Raster:
        """The picture; planes, tiles, palettes, white-is-zero and one bit become plain samples."""
        with _quiet(), tifffile.TiffFile(io.BytesIO(data)) as tif:
            return _raster(_only_page(tif), len(data))

    def encode(self, raster: Raster) -> bytes:
        """A file; 8- and 16-bit integers are deflated with a predictor, others uncompressed."""
        out = io.BytesIO()
        tifffile.imwrite(out, raster.packed, **_tags(Header.of(raster)))
        return out.getvalue()

    def numbers(self, data: bytes) -> Array:
        """The array of the one page, ``(H, W)`` or ``(H, W, S)``."""
        with _quiet(), tifffile.TiffFile(io.BytesIO(data)) as tif:
            if not tif.series:
                raise InputError(TRUNCATED)
            page = _only_page(tif)
            stored = tif.series[0]
            check_size(int(stored.size), 1, stored.dtype.itemsize, len(data))
            array: Array = page.asarray()
            separate = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE
        return np.moveaxis(array, 0, -1) if separate and page.samplesperpixel > 1 else array


class TIFFRows(Rows):
    """Rows of a page: mapped from the file if it is not compressed, else decoded by segments."""

    def __init__(self, page: tifffile.TiffPage) -> None:
        self.page = page
        samples, alpha = _samples(page)
        shape = (page.imagelength, page.imagewidth, samples)
        icc, extra = page.tags.get(ICC), [int(kind) for kind in page.extrasamples]
        assert page.dtype is not None
        self.header = Header(
            shape,
            page.dtype.newbyteorder("=").name,
            alpha,
            alpha and extra == [1],
            bytes(icc.value) if icc is not None and icc.value else None,
        )
        self.separate = samples > 1 and page.planarconfig == tifffile.PLANARCONFIG.SEPARATE

    def read(self, top: int, bottom: int) -> Array:
        """The samples of these rows."""
        if self.page.is_memmappable:
            mapped = self._mapped()  # while it is read: a map counts as memory in use
            planes = mapped[:, top:bottom] if self.separate else mapped[top:bottom]
        else:
            planes = self._decoded(top, bottom)
        rows = _channels_last(self.page, np.array(planes, dtype=self.header.dtype))
        return np.ascontiguousarray(rows)

    def _mapped(self) -> Array:
        page, file = self.page, self.page.parent.filehandle
        assert page.dtype is not None
        stored = page.dtype.newbyteorder(page.parent.byteorder)
        mapped: Array = file.memmap_array(stored, page.shape, page.dataoffsets[0])
        return mapped

    def _decoded(self, top: int, bottom: int) -> Array:
        """The rows of a compressed page, in its own order of axes."""
        page, (_, width, samples) = self.page, self.header.shape
        high = page.tilelength if page.is_tiled else page.rowsperstrip
        across = -(-width // page.tilewidth) if page.is_tiled else 1
        down = -(-page.imagelength // high)
        first, last = top // high, -(-bottom // high)
        planes, each = (samples, 1) if self.separate else (1, samples)
        out = np.empty((planes, (last - first) * high, width, each), self.header.dtype)
        file = page.parent.filehandle
        for plane in range(planes):
            for row in range(first, last):
                for column in range(across):
                    index = (plane * down + row) * across + column
                    file.seek(page.dataoffsets[index])
                    coded = file.read(page.databytecounts[index])
                    tile = np.asarray(page.decode(coded, index)[0])[0]
                    at = (row - first) * high
                    left = column * (page.tilewidth if page.is_tiled else width)
                    tile = tile[:, : width - left]
                    out[plane, at : at + len(tile), left : left + tile.shape[1]] = tile
        rows = out[:, top - first * high : bottom - first * high]
        return rows[..., 0] if self.separate else rows[0] if samples > 1 else rows[0, ..., 0]


def _by_rows(page: tifffile.TiffPage) -> bool:
    """True if rows of a page can be read without the others."""
    orientation = page.tags.get(ORIENTATION)
    turned = orientation is not None and int(orientation.value) in range(2, 9)
    plain = page.photometric not in (PHOTOMETRIC.PALETTE, PHOTOMETRIC.YCBCR)
    if turned or not plain or page.bitspersample % 8 or page.compression in JPEG:
        return False
    if page.is_memmappable:
        return True
    high = page.tilelength if page.is_tiled else page.rowsperstrip
    line = page.imagewidth * page.samplesperpixel * page.bitspersample // 8
    return high * line <= LARGE_SEGMENT


def _tiles(rows: Iterable[Array], header: Header) -> Iterator[Array]:
    """The tiles of a file in its order, of consecutive rows."""
    height, width, samples = header.shape
    empty = np.empty((0, width, samples), header.dtype)
    kept, source = empty, iter(rows)
    for top in range(0, height, TILE):
        wanted, parts = min(TILE, height - top), [kept]
        while sum(map(len, parts)) < wanted:
            parts.append(next(source))
        joined = np.concatenate(parts)
        band, kept = joined[:wanted], joined[wanted:].copy()
        for left in range(0, width, TILE):
            tile = np.zeros((TILE, TILE, samples), header.dtype)
            piece = band[:, left : left + TILE]
            tile[: piece.shape[0], : piece.shape[1]] = piece
            yield tile if samples > 1 else tile[..., 0]


def _tags(header: Header) -> dict[str, Any]:
    """How an image is stored: 8 and 16 bits deflated with a predictor, others uncompressed."""
    dtype = np.dtype(header.dtype)
    deflated = dtype.kind in "ui" and dtype.itemsize <= 2
    extra = ("assocalpha" if header.premultiplied else "unassalpha",)
    return {
        "photometric": "rgb" if header.layout.startswith("RGB") else "minisblack",
        "planarconfig": "contig" if header.shape[2] > 1 else None,
        "extrasamples": extra if header.alpha else None,
        "compression": "zlib" if deflated else None,
        "predictor": deflated,
        "iccprofile": header.icc,
        "software": "ipx",
        "metadata": None,
    }


@contextmanager
def _quiet() -> Iterator[None]:
    """Silence tifffile's log messages about damaged files; an exception follows anyway."""
    log = logging.getLogger("tifffile")
    before = log.disabled
    log.disabled = True
    try:
        yield
    finally:
        log.disabled = before


def _only_page(tif: tifffile.TiffFile) -> tifffile.TiffPage:
    """The one full-size page; thumbnails, smaller copies and masks are ignored."""
    pages = [page.aspage() for page in tif.pages]
    full = [page for page in pages if not int(page.subfiletype) & 0b101]
    if not pages:
        raise InputError(TRUNCATED)
    if not full:
        raise InputError(
            "has only a thumbnail at its top level (camera raw?); develop it to .tif first"
        )
    depth = int((tif.imagej_metadata or {}).get("images", 1))
    count = max(len(full), depth, int(full[0].imagedepth))
    if count > 1:
        raise InputError(f"is a stack of {count} pages; save each page as a file of its own")
    return full[0]


def _raster(page: tifffile.TiffPage, size: int) -> Raster:
    """The samples of a page; ``size`` is the length of the file in bytes."""
    _check(page, size)
    _check_jpeg(page)
    icc, orientation = page.tags.get(ICC), page.tags.get(ORIENTATION)
    samples = page.asarray()
    alpha, extra = False, [int(kind) for kind in page.extrasamples]
    if page.photometric == PHOTOMETRIC.PALETTE:
        samples = _from_palette(page, samples)
    else:
        samples = _channels_last(page, samples)
        alpha = _samples(page)[1]
    return Raster(
        samples,
        alpha,
        premultiplied=alpha and extra == [1],
        icc=bytes(icc.value) if icc is not None and icc.value else None,
        orientation=int(orientation.value) if orientation is not None else 1,
    )


def _samples(page: tifffile.TiffPage) -> tuple[int, bool]:
    """The samples of a pixel, and whether the last is alpha; not of palettes.

    Raises:
        InputError: neither grey nor colour.
    """
    count, extra = page.samplesperpixel, [int(kind) for kind in page.extrasamples]
    colours = 1 if page.photometric in (0, 1) else 3
    # A fourth sample of unspecified kind with RGB is alpha in practice; a second with grey
    # could be anything.
    alpha = count == colours + 1 and (extra in ([1], [2]) or (colours == 3 and extra in ([], [0])))
    bands = colours == 1 and count >= FEWEST
    if not bands and count != colours + alpha:
        raise InputError(wrong_channels(count))
    return count, alpha


def _check(page: tifffile.TiffPage, size: int) -> None:
    """Raise InputError if a page is truncated or neither grey nor RGB."""
    depth = page.samplesperpixel * max(page.bitspersample // 8, 1)
    check_size(page.imagewidth, page.imagelength, depth, size)
    segments = zip(page.dataoffsets, page.databytecounts, strict=True)
    if any(count <= 0 or start + count > size for start, count in segments):
        raise InputError(TRUNCATED)
    known = {
        PHOTOMETRIC.MINISBLACK,
        PHOTOMETRIC.MINISWHITE,
        PHOTOMETRIC.RGB,
        PHOTOMETRIC.PALETTE,
    }
    if page.compression in JPEG:  # decoded to RGB
        known.add(PHOTOMETRIC.YCBCR)
    if page.photometric not in known:
        kind = getattr(page.photometric, "name", page.photometric)
        raise InputError(f"holds {kind} colours; convert it to RGB or grey")
    palette = page.photometric == PHOTOMETRIC.PALETTE
    if page.bitspersample not in (1, 8, 16, 32, 64) and not palette:
        raise InputError(f"has {page.bitspersample} bits per sample; save it with 8, 16 or 32")


def _check_jpeg(page: tifffile.TiffPage) -> None:
    """Raise InputError if data are missing in a JPEG segment; the decoder fills them with grey."""
    if page.compression not in JPEG:
        return
    file = page.parent.filehandle
    tables = {"jpegtables": page.jpegtables, "jpegheader": page.jpegheader}
    for index, (start, count) in enumerate(zip(page.dataoffsets, page.databytecounts, strict=True)):
        file.seek(start)
        data = file.read(count)
        one, other = (
            np.asarray(page.decode(d, index, **tables)[0]) for d in (data, padded_jpeg(data))
        )
        if not np.array_equal(one, other):
            raise InputError("is a damaged TIFF, data are missing in it; get a whole copy")


def _channels_last(page: tifffile.TiffPage, samples: Array) -> Array:
    """The samples as ``(H, W, S)``, with black at zero."""
    if page.samplesperpixel == 1:
        samples = samples.reshape(*samples.shape[:2], 1)
    elif page.planarconfig == tifffile.PLANARCONFIG.SEPARATE:
        samples = np.moveaxis(samples, 0, -1)
    if page.photometric == PHOTOMETRIC.MINISWHITE:
        if samples.dtype.kind not in "bu" or samples.shape[2] > 1:
            raise InputError(
                "is white-is-zero but not plain unsigned grey; save it as black-is-zero"
            )
        samples = ~samples
    return samples


def _from_palette(page: tifffile.TiffPage, samples: Array) -> Array:
    """The palette colours of the samples, ``(H, W, 3)``; 8 bits where that is lossless."""
    if page.colormap is None or samples.ndim != 2:
        raise InputError("is a palette image without a palette; convert it to RGB")
    table: Array = np.asarray(page.colormap)  # (3, N) of 16 bits
    if (table % 257 == 0).all():
        table = table // 257
    if table.max() < 256:  # also older files with palettes not scaled to 16 bits
        table = table.astype(np.uint8)
    return np.ascontiguousarray(table.T)[samples]
