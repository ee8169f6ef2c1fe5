"""Rows of TIFF pages: read without the others, and written one after the other."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

import numpy as np
import tifffile
from tifffile import PHOTOMETRIC

from ipx import InputError
from ipx.files.format import FEWEST, Array, Header, Rows, bands, wrong_channels
from ipx_plugins.formats.common import ORIENTATION

ICC = 34675
JPEG = (6, 7, 34892)
"""Numbers of JPEG compression."""

TILE = 256
"""Side of the tiles of files that are written by rows."""

LARGE_SEGMENT = 64 << 20
"""Bytes of a compressed strip from which on an image is decoded as a whole."""


class TIFFRows(Rows):
    """Rows of a page: mapped from the file if it is not compressed, else decoded by segments."""

    def __init__(self, page: tifffile.TiffPage) -> None:
        self.page = page
        samples, alpha = samples_of_pixel(page)
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
        rows = channels_last(self.page, np.array(planes, dtype=self.header.dtype))
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


def rows_alone(page: tifffile.TiffPage) -> bool:
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


def tiles(rows: Iterable[Array], header: Header) -> Iterator[Array]:
    """The tiles of a file in its order, of consecutive rows."""
    _, width, samples = header.shape
    for band in bands(rows, header, TILE):
        for left in range(0, width, TILE):
            tile = np.zeros((TILE, TILE, samples), header.dtype)
            piece = band[:, left : left + TILE]
            tile[: piece.shape[0], : piece.shape[1]] = piece
            yield tile if samples > 1 else tile[..., 0]


def tags(header: Header) -> dict[str, Any]:
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


def samples_of_pixel(page: tifffile.TiffPage) -> tuple[int, bool]:
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


def channels_last(page: tifffile.TiffPage, samples: Array) -> Array:
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
