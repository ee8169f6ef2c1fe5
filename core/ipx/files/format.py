"""The interface of file formats: bytes to `Raster` and back."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt

from ipx.declare.declared import Declared
from ipx.declare.options import NoOptions, Options
from ipx.files.limits import check_size as check_size
from ipx.files.storage import Storage

Array: TypeAlias = npt.NDArray[Any]

FEWEST = 5
"""Bands from which on an image of many bands is neither grey nor colour, with alpha or not."""


@dataclass(frozen=True, eq=False)
class Raster:
    """The samples of an image as a file stores them, neither scaled nor rotated.

    Of one picture, or of a stack or volume, whose further axes come first.

    Attributes:
        samples: ``(H, W, S)``: grey or RGB, then alpha if there is one; or `FEWEST` or more bands.
            Real numbers of at most 64 bits; booleans are black and white. Of a stack of T pictures
            ``(T, H, W, S)``, of a volume ``(Z, H, W, S)``, of T volumes ``(T, Z, H, W, S)``.
        alpha: the last sample is alpha.
        premultiplied: the colours are stored multiplied by alpha.
        icc: the colour profile.
        orientation: EXIF orientation, 1 to 8; other values mean 1, upright.
        storage: what lossy storage tells, in the units of the samples, before rotation.
        axes: the axes before the rows: empty, ``T``, ``Z`` or ``TZ``.
        order: all axes as the file has them, such as ``TZCYX``; see `ipx.files.axes`.
        spacing: height and width of a pixel in micrometres, the depth of a voxel before them;
            empty if the file does not tell.
        kept: what a format wants to write again, such as the names of channels; only the format
            that has read it gets it.
    """

    samples: Array
    alpha: bool = False
    premultiplied: bool = False
    icc: bytes | None = None
    orientation: int = 1
    storage: Storage = Storage()
    axes: str = ""
    order: str = ""
    spacing: tuple[float, ...] = ()
    kept: Mapping[str, Any] = field(default_factory=dict)

    @property
    def layout(self) -> str:
        """As in `IOSpec.layouts`: ``L``, ``RGB``, ``LA``, ``RGBA``, ``La``, ``RGBa``, ``bands``."""
        return layout_of(self.samples.shape[-1] - self.alpha, self.alpha, self.premultiplied)

    @property
    def packed(self) -> Array:
        """The samples as most encoders need them: contiguous, ``(H, W)`` if S is 1."""
        flat = self.samples[..., 0] if self.samples.shape[-1] == 1 else self.samples
        return np.ascontiguousarray(flat)


@dataclass(frozen=True, eq=False)
class Header:
    """What a file holds besides the values of its samples; for images that are read by rows.

    Attributes:
        shape: ``(H, W, S)`` of `Raster.samples`.
        dtype: the name of their type, such as ``uint16``.
        alpha, premultiplied, icc, spacing: as for `Raster`.
    """

    shape: tuple[int, int, int]
    dtype: str
    alpha: bool = False
    premultiplied: bool = False
    icc: bytes | None = None
    spacing: tuple[float, ...] = ()

    @property
    def layout(self) -> str:
        """As for `Raster`."""
        return layout_of(self.shape[2] - self.alpha, self.alpha, self.premultiplied)

    @property
    def size(self) -> int:
        """Bytes of all samples."""
        return math.prod(self.shape) * np.dtype(self.dtype).itemsize

    @classmethod
    def of(cls, raster: Raster) -> Header:
        """That of an image in memory."""
        height, width, count = raster.samples.shape
        return cls(
            (height, width, count),
            raster.samples.dtype.name,
            raster.alpha,
            raster.premultiplied,
            raster.icc,
            raster.spacing,
        )

    def raster(self, samples: Array) -> Raster:
        """The image with these samples."""
        return Raster(samples, self.alpha, self.premultiplied, self.icc, spacing=self.spacing)


class Rows(ABC):
    """An upright image in an open file, read by rows.

    Attributes:
        header: what the file holds.
        held: bytes of memory that reading takes besides the rows that are returned.
        storage: as for `Raster`, of the upright image.
    """

    header: Header
    held: int = 0
    storage: Storage = Storage()

    @abstractmethod
    def read(self, top: int, bottom: int) -> Array:
        """The samples of these rows, ``(bottom - top, W, S)``, in native byte order."""


class WholeRows(Rows):
    """Rows of an image that is in memory."""

    def __init__(self, raster: Raster) -> None:
        self.samples, self.held = raster.samples, raster.samples.nbytes
        self.header = Header.of(raster)
        self.storage = raster.storage.upright(raster.orientation)

    def read(self, top: int, bottom: int) -> Array:
        """A view of the rows."""
        return self.samples[top:bottom]


class Format(Declared):
    """Base class of file formats; a subclass declares itself with an `IOSpec`.

    A format converts bytes to samples and back, and keeps no state. The caller reads and writes
    files, scales samples to [0, 1] and back, rotates images upright, and refuses what the
    declaration does not list before it calls `encode`. A format whose files can be larger than
    memory also defines `opened` and `streamed`.

    Errors: `decode` raises `InputError` with the reason and what works, such as ``"is an
    animation; save one frame of it"``; the caller prefixes the name of the file. Any other
    exception means that the file is damaged. Nothing is printed or logged.
    """

    def __init__(self, options: Options | None = None) -> None:
        self.options = options if options is not None else NoOptions()

    @contextmanager
    def opened(self, path: Path) -> Iterator[Rows | None]:
        """The image in a file, to be read by rows; None, the default, if it has to be decoded.

        Raises:
            InputError: as for `decode`.
        """
        yield None

    def streamed(self, path: Path, header: Header, rows: Iterable[Array]) -> None:
        """Write a file from consecutive rows, each ``(n, W, S)``; by default through `encode`."""
        samples = np.concatenate([*rows])
        path.write_bytes(self.encode(header.raster(samples)))

    def decode(self, data: bytes) -> Raster:
        """The one image in a file, given as its bytes.

        Raises:
            InputError: the file is damaged, or of a variant that cannot be used.
        """
        raise self.undefined("decode")

    def stack(self, data: bytes, axes: str) -> Raster:
        """The stack or volume in a file; only for formats that declare ``stacks``.

        Args:
            data: the file.
            axes: the meaning of its axes, see `ipx.files.axes`, as the user tells; empty for what
                the file tells. `ipx.files.axes.raster_of` brings an array into the right form.

        Raises:
            InputError: as for `decode`; or nobody tells what the axes mean.
        """
        raise self.undefined("stack")

    def encode(self, raster: Raster) -> bytes:
        """A file from which `decode` gives ``raster`` again, exactly if declared lossless.

        A format that cannot store the colour profile omits it. A read-only format does not
        implement this.

        Args:
            raster: upright, in native byte order, of a declared dtype and layout. Formats that
                declare ``stacks`` also get those, see `ipx.files.axes.as_stored`.

        Raises:
            InputError: the image is too large for the format.
        """
        raise self.undefined("encode")

    def numbers(self, data: bytes) -> Array:
        """The array in a file that is not an image (a PSF, a mask), as stored, of any shape.

        Raises:
            InputError: as for `decode`.
        """
        return self.decode(data).packed


def bands(rows: Iterable[Array], header: Header, high: int) -> Iterator[Array]:
    """Consecutive rows of an image, each ``(n, W, S)``, ``high`` at a time; the rest at the end."""
    height, width, samples = header.shape
    kept, source = np.empty((0, width, samples), header.dtype), iter(rows)
    for top in range(0, height, high):
        wanted, parts = min(high, height - top), [kept]
        while sum(map(len, parts)) < wanted:
            parts.append(next(source))
        joined = np.concatenate(parts)
        yield joined[:wanted]
        kept = joined[wanted:].copy()


def layout_of(colours: int, alpha: bool, premultiplied: bool = False) -> str:
    """The layout with this number of colours, see `IOSpec.layouts`."""
    if colours >= FEWEST:
        return "bands"
    return ("L" if colours == 1 else "RGB") + ("a" if alpha and premultiplied else "A" * alpha)


def is_image(channels: int) -> bool:
    """True if images in files may have so many channels: grey, colour, or many bands."""
    return channels in (1, 3) or channels >= FEWEST


def drawable(data: Array) -> bool:
    """True if data are a picture or a volume; a list of measurements, of one row, is neither."""
    return data.ndim == 4 or (data.ndim == 3 and is_image(data.shape[0]) and data.shape[1] > 1)


def wrong_channels(count: int) -> str:
    """The error text for a number of samples per pixel that no image has."""
    return (
        f"{count} channels; an image has 1 (grey) or 3 (RGB), and alpha or not, or {FEWEST} or "
        "more bands"
    )
