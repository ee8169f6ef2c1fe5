"""Records beside outputs: strict JSON, written whole or not at all. Imports nothing heavy."""

from __future__ import annotations

import dataclasses
import enum
import hashlib
import json
import math
import os
import platform
import re
import sys
from collections.abc import Mapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from ipx.errors import InputError
from ipx.files.atomic import one_line, write_atomic

PACKAGES = (
    "torch",
    "numpy",
    "scipy",
    "pywavelets",
    "scikit-image",
    "imagecodecs",
    "tifffile",
    "pillow",
)
"""Distributions whose version can change a result."""

_SURROGATE = re.compile("[\ud800-\udfff]")


def plain(value: Any) -> Any:
    """``value`` in the types of strict JSON: NaN and infinities become None, arrays lists.

    Raises:
        TypeError: a value has no such form.
    """
    if isinstance(value, enum.Enum):
        return plain(value.value)
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, set | frozenset):
        return [plain(item) for item in sorted(value)]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return {f.name: plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if hasattr(value, "tolist"):  # NumPy arrays and scalars, tensors
        return plain(value.tolist())
    raise TypeError(f"a record cannot hold {type(value).__name__} {value!r}")


def dumps(value: Any, indent: int | None = None) -> str:
    """``value`` as strict JSON, see `plain`; names of files that are not UTF-8 are escaped."""
    text = json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)
    if text.isascii() or not _SURROGATE.search(text):
        return text
    return json.dumps(plain(value), indent=indent, allow_nan=False)


def record_path(output: str | os.PathLike[str]) -> Path:
    """The path of the record of ``output``: ``a.png.json`` for ``a.png``.

    The extension is kept, so that ``a.png`` and ``a.jpg`` in one folder do not share a record.
    """
    path = Path(output)
    return path.with_name(path.name + ".json")


def write_record(path: str | os.PathLike[str], mapping: Mapping[str, Any]) -> None:
    """Write ``mapping`` as strict JSON to ``path``, whole or not at all.

    Raises:
        InputError: ``path`` cannot be written.
        TypeError: see `plain`.
    """
    write_atomic(path, (dumps(mapping, indent=2) + "\n").encode())


def read_record(path: str | os.PathLike[str]) -> dict[str, Any]:
    """The mapping in the JSON file ``path``.

    Raises:
        InputError: the file is missing, not JSON, or its top level is not an object.
    """
    try:
        value = json.loads(Path(path).read_bytes())
    except OSError as error:
        raise InputError(f"{path}: cannot be read: {one_line(error)}") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{path}: is not JSON: {one_line(error)}") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: is JSON, but not an object, so not a record")
    return value


def sha256(path: str | os.PathLike[str]) -> str:
    """Hexadecimal sha256 of the file's bytes; of a folder, of the names and bytes of its files.

    Raises:
        InputError: it cannot be read.
    """
    try:
        if os.path.isdir(path):
            inside = sorted(p for p in Path(path).rglob("*") if p.is_file())
            told = repr([(p.relative_to(path).as_posix(), sha256(p)) for p in inside])
            return hashlib.sha256(told.encode(errors="surrogateescape")).hexdigest()
        with open(path, "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except (OSError, ValueError) as error:
        raise InputError(f"{path}: cannot be read: {one_line(error)}") from error


def digest(path: str | os.PathLike[str], data: bytes) -> str:
    """`sha256` of what was read already, so that it is of the same bytes; of a folder as there."""
    return sha256(path) if os.path.isdir(path) else hashlib.sha256(data).hexdigest()


def environment() -> dict[str, Any]:
    """What a result depends on besides the options: versions, platform, number of threads.

    ``threads`` is torch's number if torch is imported, else ``OMP_NUM_THREADS`` or the number of
    CPUs.
    """
    torch = sys.modules.get("torch")
    if torch is not None:
        threads = int(torch.get_num_threads())
    else:
        asked = os.environ.get("OMP_NUM_THREADS", "")
        threads = int(asked) if asked.isdigit() else os.cpu_count() or 1
    return {**_versions(), "platform": platform.platform(), "threads": threads}


@cache
def _versions() -> Mapping[str, Any]:
    """Versions from package metadata, read once per process; nothing is imported."""
    from ipx import __version__

    versions: dict[str, Any] = {"ipx": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    return versions
