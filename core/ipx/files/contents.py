"""The bytes of an image file, and folders that are one image each, such as those of OME-Zarr."""

from __future__ import annotations

import io
import os
import zipfile
from pathlib import Path

from ipx.declare.foreign import IOSpec
from ipx.files.lookup import formats

START = b"PK\x03\x04"
"""The first bytes of a zip."""


def folder_format(path: str | os.PathLike[str]) -> IOSpec | None:
    """The format of a folder that is one image by its ending; None for a file, another folder."""
    ending = Path(path).suffix.lower()
    found = next((spec for spec in formats() if ending in spec.folders), None)
    return found if found is not None and os.path.isdir(path) else None


def is_one(path: Path) -> bool:
    """True if the path is that of one image: a file, or a folder that a format declares."""
    return path.is_file() or folder_format(path) is not None


def is_many(path: Path) -> bool:
    """True for a folder that is not one image."""
    return path.is_dir() and folder_format(path) is None


def output_name(source: Path, name: Path) -> Path:
    """``name`` with the ending of the files that are written like this input.

    It is as it was, but for a folder, of which formats write files only.
    """
    spec = folder_format(source)
    return name if spec is None else name.with_suffix(spec.suffixes[0])


def contents(path: str | os.PathLike[str]) -> bytes:
    """The bytes of a file; of a folder that is one image, a zip of its files.

    Raises:
        OSError: it cannot be read.
    """
    if folder_format(path) is None:
        return Path(path).read_bytes()
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as packed:  # without compression; always the same bytes
        for file in sorted(p for p in Path(path).rglob("*") if p.is_file()):
            name = file.relative_to(path).as_posix()
            packed.writestr(zipfile.ZipInfo(name), file.read_bytes())
    return made.getvalue()


def first_bytes(path: Path, count: int) -> bytes:
    """The first bytes, by which formats are known.

    Raises:
        OSError: it cannot be read.
    """
    if folder_format(path) is not None:
        return START
    with path.open("rb") as file:
        return file.read(count)
