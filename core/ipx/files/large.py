"""Image files that are read and written by rows, with the values of `ipx.files.images`."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

import numpy as np

from ipx.declare.foreign import IOSpec
from ipx.errors import InputError
from ipx.files import codec
from ipx.files.affine import affine_of
from ipx.files.contents import first_bytes
from ipx.files.format import Array, Header, Rows
from ipx.files.images import Picture, output_type, reading
from ipx.files.lookup import by_content, by_suffix
from ipx.files.record import sha256
from ipx.files.samples import map_of, samples_of

FIRST = 1 << 16
"""Bytes at the beginning of a file that tell its format."""

ROWS = 256
"""Rows that are converted at once."""


class LargePicture:
    """An image file that is read by rows.

    Attributes:
        picture: what `ipx.files.images.read` tells of the file; its ``pixels`` are zeros that take
            no memory, and so is ``alpha``.
        rows: the samples.
    """

    def __init__(self, path: Path, rows: Rows, picture: Picture, spec: IOSpec) -> None:
        self.path, self.rows, self.picture, self.spec = path, rows, picture, spec

    @property
    def held(self) -> int:
        """Bytes of memory that reading takes."""
        return self.rows.held

    @property
    def row_bytes(self) -> int:
        """Bytes of the samples of a row."""
        return self.rows.header.size // self.rows.header.shape[0]

    def samples(self, top: int, bottom: int) -> Array:
        """The samples of these rows as in the file, with alpha, ``(n, W, S)``.

        Raises:
            InputError: the file is damaged, or holds values that are no numbers.
        """
        with reading(str(self.path)):
            return codec.rows_of(self.spec, self.rows, top, bottom, self.path)

    def pixels(self, samples: Array) -> Array:
        """The colours of samples, mapped to nominal [0, 1], ``(C, n, w)``."""
        picture, work = self.picture, self.picture.pixels.dtype
        values = samples[..., : picture.shape[0]]
        planes: Array = np.moveaxis(values, -1, 0)
        planes = planes.astype(np.float64 if values.dtype.itemsize > 2 else np.float32)
        return np.ascontiguousarray((planes - picture.offset) / picture.scale, dtype=work)


@contextmanager
def opened(path: Path, absolute: bool = False) -> Iterator[LargePicture | None]:
    """An image file, to be read by rows; its values are looked at once, for their range.

    None for a stack or a volume.

    Args:
        path: the file.
        absolute: as for `ipx.files.images.read`.

    Raises:
        InputError: as for `ipx.files.images.read`.
    """
    with reading(str(path)):
        spec = by_content(first_bytes(path, FIRST), path)
        with codec.opened(spec, path) as rows:
            if rows is None:
                yield None
                return
            header = rows.header
            height, width, count = header.shape
            colours, dtype = count - header.alpha, np.dtype(header.dtype)
            low, high = _ends(spec, rows, path)
            scale, offset = affine_of(dtype, low, high, None, str(path), absolute)
            wide = dtype.itemsize > 4 or dtype in (np.int32, np.uint32)
            work = np.float64 if wide else np.float32
            storage = rows.storage
            if not storage.errors and dtype.kind in "ui":
                storage = replace(storage, errors=(12**-0.5,))
            picture = Picture(
                pixels=np.broadcast_to(work(0), (colours, height, width)),
                alpha=np.broadcast_to(dtype.type(0), (height, width)) if header.alpha else None,
                dtype=dtype.name,
                scale=scale,
                offset=offset,
                icc=header.icc,
                format=spec.name,
                sha256=sha256(path),
                path=path,
                premultiplied=header.premultiplied,
                storage=storage.divided(scale),
                spacing=header.spacing,
            )
            yield LargePicture(path, rows, picture, spec)


def _ends(spec: IOSpec, rows: Rows, path: Path) -> tuple[float, float]:
    """The smallest and the largest value of the colours; 0 and 0 where nobody asks for them."""
    header = rows.header
    if header.dtype in ("uint8", "uint16"):
        return 0.0, 0.0
    low, high = np.inf, -np.inf
    for top in range(0, header.shape[0], ROWS):
        bottom = min(top + ROWS, header.shape[0])
        values = codec.rows_of(spec, rows, top, bottom, path)[..., : header.shape[2] - header.alpha]
        low, high = min(low, float(values.min())), max(high, float(values.max()))
    return low, high


def write_rows(
    at: Path,
    path: Path,
    rows: Iterable[Array],
    shape: tuple[int, int, int],
    like: LargePicture,
    dtype: str | None = None,
) -> None:
    """Write an image by rows, with depth, range, alpha and profile of the input.

    Args:
        at: the file that is written, such as a part.
        path: the name that it will have, whose extension determines the format.
        rows: ``(C, n, W)`` each, in nominal [0, 1].
        shape: ``(C, H, W)`` of all.
        like: the input.
        dtype: type of the samples in place of that of ``like``.

    Raises:
        InputError: the format cannot hold the image, or it has values that are not finite.
    """
    told = like.picture
    name, spec = output_type(path, told, dtype)[1], by_suffix(path)
    assert spec is not None
    channels, height, width = shape
    alpha = told.alpha is not None and told.shape[1:] == (height, width)
    if told.alpha is not None and not alpha:
        raise InputError(
            f"{path}: alpha is not enlarged in tiles; remove it, or leave out --tile and "
            "--max-memory"
        )
    header = Header(
        (height, width, channels + alpha),
        name,
        alpha,
        told.premultiplied,
        told.icc if told.shape[0] == channels else None,
        told.spacing if told.format == spec.name else (),
    )
    scale, offset = map_of((told.scale, told.offset), dtype, name)

    def converted() -> Iterator[Array]:
        row = 0
        for band in rows:
            for first in range(0, band.shape[1], ROWS):
                part = band[:, first : first + ROWS]
                samples = samples_of(path, part, scale, offset, name)
                if alpha:
                    source = like.samples(row, row + part.shape[1])[..., -1:]
                    samples = np.concatenate([samples, source.astype(name)], axis=-1)
                row += part.shape[1]
                yield samples

    codec.streamed(spec, at, header, converted())
