"""The format of a file, from the declarations of kind ``io``. Imports nothing heavy."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from pathlib import Path

from ipx.declare.foreign import IOSpec
from ipx.declare.registry import registry
from ipx.errors import InputError

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
    b"....ftyp": "HEIC, AVIF or video",
    b".{128}DICM": "DICOM",
}
"""Regular expressions of first bytes to names of formats, for errors if no plugin reads them."""


def formats() -> list[IOSpec]:
    """The formats in the order of their declarations, built-in ones first, then those of extras."""
    found = [spec for spec in registry().specs["io"].values() if isinstance(spec, IOSpec)]
    return sorted(found, key=lambda spec: bool(spec.extra))


def label(spec: IOSpec) -> str:
    """The name of a format in messages, such as ``PNG``."""
    return spec.name.upper()


def listing(names: Iterable[str], word: str) -> str:
    """``a, b or c`` for the ``word`` ``or``."""
    *most, last = [*names] or ["nothing"]
    return f"{', '.join(most)} {word} {last}" if most else last


def suffixes() -> dict[str, IOSpec]:
    """Suffix (lower case, with the dot) to format; the first that declares a suffix keeps it."""
    table: dict[str, IOSpec] = {}
    for spec in formats():
        for suffix in spec.suffixes:
            table.setdefault(suffix, spec)
    return table


def by_suffix(path: str | os.PathLike[str]) -> IOSpec | None:
    """The format of a file by its suffix; None if it is unknown."""
    return suffixes().get(Path(path).suffix.lower())


def complex_formats() -> list[IOSpec]:
    """The formats that hold complex numbers."""
    return [spec for spec in formats() if spec.complex]


def others(dtype: str = "", layout: str = "") -> str:
    """The suffixes of the first two formats that hold these samples, in words."""
    fitting = [
        spec.suffixes[0]
        for spec in formats()
        if (dtype in spec.dtypes if dtype else spec.dtypes)
        and (not layout or layout in spec.layouts)
    ]
    return listing(fitting[:2], "or")


def by_content(data: bytes, path: str | os.PathLike[str]) -> IOSpec:
    """The format of a file by its first bytes.

    The suffix decides between formats with the same first bytes, and for formats that have no
    characteristic first bytes.

    Raises:
        InputError: no plugin reads it.
    """
    suffix = Path(path).suffix.lower()
    fitting = [
        spec
        for spec in formats()
        if (re.match(spec.magic, data, re.DOTALL) if spec.magic else suffix in spec.suffixes)
    ]
    if not data or not fitting:
        raise InputError(f"{path}: {_foreign(data)}")
    return min(fitting, key=lambda s: (not s.magic, suffix not in (*s.suffixes, *s.folders)))


def _foreign(data: bytes) -> str:
    """The error text for a file of unknown format."""
    reads = f"ipx reads {listing(map(label, formats()), 'and')}"
    if not data:
        return f"is empty (0 bytes); {reads}"
    kind = next((kind for magic, kind in OTHERS.items() if re.match(magic, data, re.DOTALL)), None)
    if kind is None:
        return f"is not an image; {reads}"
    writes = (spec.suffixes[0] for spec in formats() if spec.dtypes)
    return f"is a {kind} file; {reads}: convert it, for instance to {listing([*writes][:2], 'or')}"


def pictures_in(folder: Path) -> list[Path]:
    """The files in a folder with the suffix of a format, sorted by name."""
    known = suffixes()
    return sorted(p for p in folder.iterdir() if p.suffix.lower() in known and p.is_file())


def pictures_below(folder: Path) -> list[Path]:
    """The pictures in a folder; where it has none, those in its sub-folders, in order."""
    inside = pictures_in(folder)
    folders = [] if inside else sorted(p for p in folder.iterdir() if p.is_dir())
    return inside + [file for each in folders for file in pictures_in(each)]


def pictures_of(paths: Iterable[Path]) -> list[Path]:
    """Files, and the pictures in folders by `pictures_below`.

    Raises:
        InputError: a folder has none.
    """
    found: list[Path] = []
    for path in paths:
        files = pictures_below(path) if path.is_dir() else [path]
        if not files:
            raise InputError(f"{path}: has no pictures that ipx reads (ipx list io)")
        found += files
    return found
