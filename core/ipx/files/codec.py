"""Bytes to `Raster` and back by the formats of plugins; every error is one line."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ipx.declare.foreign import IOSpec
from ipx.declare.registry import registry
from ipx.errors import InputError, IpxError
from ipx.files.axes import checked
from ipx.files.contents import contents
from ipx.files.format import (
    Array,
    Format,
    Header,
    Raster,
    Rows,
    WholeRows,
    is_image,
    wrong_channels,
)
from ipx.files.limits import check_pixels
from ipx.files.lookup import formats, label, listing
from ipx.files.samples import upright


def decode(
    spec: IOSpec, data: bytes, path: str | os.PathLike[str], axes: str | None = None
) -> Raster:
    """The image in a file of this format, checked; booleans become 0 and 255.

    Args:
        spec: the format.
        data: the file.
        path: its name.
        axes: the meaning of its axes, as the user tells; see `ipx.files.axes`.

    Raises:
        InputError: why it cannot be used, and what works; the line starts with ``path``.
        OptionError: there are no such axes.
    """
    told = "" if axes is None else checked(axes)
    with _one_line(f"{path}: ", f"cannot be decoded as {label(spec)}"):
        if told and not spec.stacks:
            able = listing((label(s) for s in formats() if s.stacks), "or")
            raise InputError(f"{label(spec)} holds one picture; axes are those of {able} files")
        made = _format(spec)
        raster = made.stack(data, told) if spec.stacks else made.decode(data)
        return replace(raster, samples=_checked(raster))


def encode(spec: IOSpec, raster: Raster, path: str | os.PathLike[str]) -> bytes:
    """A file of this format.

    Raises:
        InputError: the format cannot hold the image; the line starts with ``path``.
    """
    with _one_line(f"{path}: ", f"cannot be written as {label(spec)}", "try another format"):
        return _format(spec).encode(raster)


@contextmanager
def opened(spec: IOSpec, path: Path) -> Iterator[Rows | None]:
    """The image in a file of this format, to be read by rows.

    An image of which no rows can be read alone is decoded, and held in memory. None for a stack or
    a volume.

    Raises:
        InputError: as for `decode`.
    """
    start, failure = f"{path}: ", f"cannot be decoded as {label(spec)}"
    with ExitStack() as after:
        with _one_line(start, failure):
            rows = after.enter_context(_format(spec).opened(path))
            if rows is None:
                raster = decode(spec, contents(path), path)
                if raster.axes or raster.order:
                    yield None
                    return
                samples = np.ascontiguousarray(upright(raster.samples, raster.orientation))
                rows = WholeRows(replace(raster, samples=samples))
            _check_kind(np.dtype(rows.header.dtype), rows.header.shape[2] - rows.header.alpha)
        yield rows


def rows_of(spec: IOSpec, rows: Rows, top: int, bottom: int, path: Path) -> Array:
    """The samples of these rows, checked.

    Raises:
        InputError: as for `decode`.
    """
    with _one_line(f"{path}: ", f"cannot be decoded as {label(spec)}"):
        samples = rows.read(top, bottom)
        if samples.dtype.kind == "f" and not np.isfinite(samples).all():
            raise InputError("has " + _unknown(samples))
    return samples


def streamed(spec: IOSpec, path: Path, header: Header, rows: Iterable[Array]) -> None:
    """Write a file of this format by rows.

    Raises:
        InputError: as for `encode`.
    """
    _format(spec).streamed(path, header, rows)


def numbers(spec: IOSpec, data: bytes, what: str) -> Array:
    """The array in a file of this format, as stored.

    Raises:
        InputError: it cannot be read; the line starts with ``what``.
    """
    with _one_line(f"{what} cannot be read: ", f"cannot be decoded as {label(spec)}"):
        return _format(spec).numbers(data)


def _format(spec: IOSpec) -> Format:
    made: Format = registry().create(spec)
    return made


def _checked(raster: Raster) -> Array:
    """The samples in native byte order, if they are those of an image."""
    samples = raster.samples
    if samples.size == 0:
        raise InputError(f"has no pixels, its shape is {samples.shape}")
    named = "C" in raster.order
    _check_kind(samples.dtype, 1 if named else samples.shape[-1] - raster.alpha)
    check_pixels(samples.shape[-2], samples.shape[-3])
    if samples.dtype == bool:
        return samples.astype(np.uint8) * np.uint8(255)
    samples = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        raise InputError("has " + _unknown(samples))
    return samples


def _unknown(samples: Array) -> str:
    """What is said of samples that are not finite."""
    count = samples.size - int(np.isfinite(samples).sum())
    return (
        f"{count} values that are NaN or infinite; replace them first "
        "(for unknown pixels use the operator inpaint with a mask)"
    )


def _check_kind(dtype: np.dtype[Any], colours: int) -> None:
    """Raise InputError unless samples of this type, so many a pixel, are an image."""
    if dtype.kind not in "buif" or dtype.itemsize > 8:
        raise InputError(f"holds {dtype} values; save real numbers of at most 64 bits")
    if not is_image(colours):
        raise InputError(f"has {wrong_channels(colours)}")


@contextmanager
def _one_line(
    start: str, failure: str, advice: str = "get a whole copy, or save it again"
) -> Iterator[None]:
    """Turn every error of a format into an `InputError` of one line; suppress warnings.

    Args:
        start: begins the line.
        failure: the meaning of any other exception of a decoder or encoder.
        advice: what to do then.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    except InputError as why:
        raise InputError(start + _short(str(why), 200)) from None
    except (IpxError, MemoryError):
        raise
    except Exception as error:
        reason = _short(" ".join(str(error).split()) or type(error).__name__, 100)
        raise InputError(f"{start}{failure} ({reason}); {advice}") from None


def _short(text: str, most: int) -> str:
    """At most so many characters: texts from damaged files can have any length."""
    return text if len(text) <= most else text[: most - 3] + "..."
