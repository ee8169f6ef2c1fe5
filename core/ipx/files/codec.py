"""Bytes to `Raster` and back by the formats of plugins; every error is one line."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

import numpy as np

from ipx.declare.foreign import IOSpec
from ipx.declare.registry import registry
from ipx.errors import InputError, IpxError
from ipx.files.axes import checked
from ipx.files.format import Array, Format, Raster, is_image, wrong_channels
from ipx.files.limits import check_pixels
from ipx.files.lookup import formats, label, listing


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
    if samples.dtype.kind not in "buif" or samples.dtype.itemsize > 8:
        raise InputError(f"holds {samples.dtype} values; save real numbers of at most 64 bits")
    channels = samples.shape[-1]
    if not (is_image(channels - raster.alpha) or "C" in raster.order):  # channels by name
        raise InputError(f"has {wrong_channels(channels)}")
    check_pixels(samples.shape[-2], samples.shape[-3])
    if samples.dtype == bool:
        return samples.astype(np.uint8) * np.uint8(255)
    samples = samples.astype(samples.dtype.newbyteorder("="), copy=False)
    if samples.dtype.kind == "f" and not np.isfinite(samples).all():
        count = samples.size - int(np.isfinite(samples).sum())
        raise InputError(
            f"has {count} values that are NaN or infinite; replace them first "
            "(for unknown pixels use the operator inpaint with a mask)"
        )
    return samples


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
