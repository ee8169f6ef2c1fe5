"""Numbers in files that are no image, such as a PSF or a mask."""

from __future__ import annotations

from pathlib import Path

from ipx.errors import InputError
from ipx.files import codec
from ipx.files.atomic import one_line
from ipx.files.contents import contents, folder_format
from ipx.files.format import Array
from ipx.files.images import read
from ipx.files.lookup import by_suffix, formats, label, listing

ALIKE = 0.02
"""Relative difference of sizes of a pixel up to which they count as equal."""


def spacing_of(path: Path, axes: str | None = None) -> tuple[float, ...]:
    """The size of a pixel in micrometres, see `ipx.Raster`; empty if the file does not tell."""
    try:
        return read(path, axes=axes, stacks=True).spacing
    except InputError:  # such as a stack of unknown axes
        return ()


def read_array(path: Path, what: str) -> Array:
    """The numbers in a file that is not an image, such as a PSF or a mask.

    Args:
        path: a file of a lossless format, determined by its extension.
        what: ``PSF``, ``mask``, ..., for error messages.

    Raises:
        InputError: there is no such file, or it is of another format, damaged, or not numeric.
    """
    spec = by_suffix(path) or folder_format(path)
    if spec is None or not spec.lossless:
        exact = listing((label(s) for s in formats() if s.lossless), "or")
        raise InputError(f"{what} {path} is of no known kind; use {exact}")
    try:
        data = contents(path)
    except FileNotFoundError:
        raise InputError(f"there is no {what} file {path}") from None
    except OSError as e:
        raise InputError(f"{what} {path} cannot be read: {one_line(e)}") from None
    values = codec.numbers(spec, data, f"{what} {path}")
    if values.dtype.kind not in "buif":
        raise InputError(f"{what} {path} holds {values.dtype}; use numbers")
    return values
