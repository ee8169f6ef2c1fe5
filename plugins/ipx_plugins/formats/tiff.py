"""TIFF through tifffile."""

from __future__ import annotations

import io
import logging
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np
import tifffile
from tifffile import PHOTOMETRIC

from ipx import Format, InputError, Raster
from ipx.files.axes import HELP
from ipx.files.format import Array, Header, Rows, check_size
from ipx.files.limits import unlimited
from ipx_plugins.formats.common import ORIENTATION, padded_jpeg
from ipx_plugins.formats.tiff_rows import (
    ICC,
    JPEG,
    TILE,
    TIFFRows,
    channels_last,
    rows_alone,
    samples_of_pixel,
    tags,
    tiles,
)
from ipx_plugins.formats.tiff_stacks import encoded, metadata_of, stack_of

TRUNCATED = "is a truncated TIFF; get a whole copy of it"


class TIFF(Format):
    """TIFF and BigTIFF; for stacks see `ipx_plugins.formats.tiff_stacks`."""

    @contextmanager
    def opened(self, path: Path) -> Iterator[Rows | None]:
        """Rows; None for palettes, turned images, stacks, and huge compressed strips."""
        with _quiet(), unlimited(), tifffile.TiffFile(path) as tif:
            page = _full_pages(tif)[0]
            _check(page, path.stat().st_size)
            yield TIFFRows(page) if _page_count(tif) == 1 and rows_alone(page) else None

    def streamed(self, path: Path, header: Header, rows: Iterable[Array]) -> None:
        """A file of tiles, compressed as by `encode`; BigTIFF above 3.9 GB."""
        tifffile.imwrite(
            path,
            tiles(rows, header),
            shape=header.shape if header.shape[2] > 1 else header.shape[:2],
            dtype=header.dtype,
            tile=(TILE, TILE),
            bigtiff=header.size > 3_900_000_000,
            **tags(header),
        )

    def decode(self, data: bytes) -> Raster:
        """The picture; planes, tiles, palettes, white-is-zero and one bit become plain samples."""
        with _quiet(), tifffile.TiffFile(io.BytesIO(data)) as tif:
            return _raster(_only_page(tif), len(data))

    def stack(self, data: bytes, axes: str) -> Raster:
        """The stack or volume, as ImageJ or OME metadata describe it; else the picture."""
        with _quiet(), tifffile.TiffFile(io.BytesIO(data)) as tif:
            if not axes and _page_count(tif) == 1:
                spacing, kept = metadata_of(tif)
                picture = _raster(_only_page(tif), len(data))
                return replace(picture, spacing=spacing[-2:], kept=kept)
            for page in tif.pages:
                _check(page.aspage(), len(data))
            return stack_of(tif, _full_pages(tif), axes)

    def encode(self, raster: Raster) -> bytes:
        """A file; 8- and 16-bit integers are deflated with a predictor, others uncompressed."""
        plain = raster.layout == "L" and raster.icc is None
        if raster.axes or raster.order or (raster.kept and plain):
            return encoded(raster)
        out = io.BytesIO()
        tifffile.imwrite(out, raster.packed, **tags(Header.of(raster)))
        return out.getvalue()

    def numbers(self, data: bytes) -> Array:
        """The array of the one page, ``(H, W)`` or ``(H, W, S)``, or of the pages of a stack."""
        with _quiet(), tifffile.TiffFile(io.BytesIO(data)) as tif:
            if not tif.series:
                raise InputError(TRUNCATED)
            stored = tif.series[0]
            check_size(int(stored.size), 1, stored.dtype.itemsize, len(data))
            if _page_count(tif) > 1:
                whole: Array = stored.asarray()
                return whole.reshape([n for n in whole.shape if n > 1])
            page = _only_page(tif)
            array: Array = page.asarray()
            separate = page.planarconfig == tifffile.PLANARCONFIG.SEPARATE
        return np.moveaxis(array, 0, -1) if separate and page.samplesperpixel > 1 else array


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


def _full_pages(tif: tifffile.TiffFile) -> list[tifffile.TiffPage]:
    """The full-size pages; thumbnails, smaller copies and masks are ignored."""
    pages = [page.aspage() for page in tif.pages]
    full = [page for page in pages if not int(page.subfiletype) & 0b101]
    if not pages:
        raise InputError(TRUNCATED)
    if not full:
        raise InputError(
            "has only a thumbnail at its top level (camera raw?); develop it to .tif first"
        )
    return full


def _page_count(tif: tifffile.TiffFile) -> int:
    """The number of pictures of full size."""
    full = _full_pages(tif)
    depth = int((tif.imagej_metadata or {}).get("images", 1))
    return max(len(full), depth, int(full[0].imagedepth))


def _only_page(tif: tifffile.TiffFile) -> tifffile.TiffPage:
    """The one full-size page."""
    count = _page_count(tif)
    if count > 1:
        raise InputError(f"is a stack of {count} pages; {HELP}")
    return _full_pages(tif)[0]


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
        samples = channels_last(page, samples)
        alpha = samples_of_pixel(page)[1]
    return Raster(
        samples,
        alpha,
        premultiplied=alpha and extra == [1],
        icc=bytes(icc.value) if icc is not None and icc.value else None,
        orientation=int(orientation.value) if orientation is not None else 1,
    )


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
