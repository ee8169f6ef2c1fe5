"""Records beside outputs: strict JSON, written whole or not at all. Imports nothing heavy."""

from __future__ import annotations

import dataclasses
import enum
import json
import math
import os
import platform
import secrets
import stat
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib import metadata
from pathlib import Path
from typing import Any

from ipx.errors import InputError

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


def one_line(error: BaseException) -> str:
    """The reason of an error in one line."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(reason.split()) or type(error).__name__


def check_folder(path: str | os.PathLike[str]) -> None:
    """Raise `InputError` unless a file can be written at ``path``; nothing is written."""
    target = Path(path)
    folder = target.parent
    if target.is_dir():
        raise InputError(f"{target}: is a folder; name a file in it")
    if not folder.exists():
        raise InputError(f"{target}: folder {folder} does not exist; make it first")
    if not folder.is_dir():
        raise InputError(f"{target}: {folder} is not a folder")
    if not os.access(folder, os.W_OK | os.X_OK):
        raise InputError(f"{target}: folder {folder} is not writable")


@contextmanager
def folder_for(path: Path | None) -> Iterator[None]:
    """Make the folder of a file; if the body fails, remove the folders that were made.

    Raises:
        InputError: it cannot be made.
    """
    made: list[Path] = []
    missing = [] if path is None else [path.absolute().parent, *path.absolute().parent.parents]
    try:
        for folder in reversed([f for f in missing if not f.exists()]):
            try:
                folder.mkdir()
            except OSError as e:
                raise InputError(f"folder {folder} cannot be made: {one_line(e)}") from e
            made.append(folder)
        yield
    except BaseException:
        for folder in reversed(made):
            if not any(folder.iterdir()):
                folder.rmdir()
        raise


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to ``path`` through a temporary file in the same folder.

    A reader sees the old file or the new one, never a part. If writing fails the old file stays
    and the temporary file is removed. Symbolic links are followed, and the permissions of an
    existing file are kept.

    Raises:
        InputError: the folder is missing or not writable, the disk is full, ...
    """
    check_folder(path)
    target = Path(os.path.realpath(path))
    part = target.with_name(f".ipx-{secrets.token_hex(6)}.part")
    try:
        try:
            # open(), not mkstemp(): permissions follow the umask
            with open(part, "xb") as file:
                file.write(data)
            if target.exists():
                part.chmod(stat.S_IMODE(target.stat().st_mode))
            os.replace(part, target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {one_line(error)}") from error


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
    """``value`` as strict JSON, see `plain`."""
    return json.dumps(plain(value), indent=indent, ensure_ascii=False, allow_nan=False)


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
    except ValueError as error:
        raise InputError(f"{path}: is not JSON: {one_line(error)}") from error
    if not isinstance(value, dict):
        raise InputError(f"{path}: is JSON, but not an object, so not a record")
    return value


def environment() -> dict[str, Any]:
    """What a result depends on besides the options: versions, platform, number of threads.

    Versions come from package metadata; nothing is imported. ``threads`` is torch's number if torch
    is imported, else ``OMP_NUM_THREADS`` or the number of CPUs.
    """
    from ipx import __version__

    versions: dict[str, Any] = {"ipx": __version__, "python": platform.python_version()}
    for name in PACKAGES:
        try:
            versions[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            versions[name] = None
    torch = sys.modules.get("torch")
    if torch is not None:
        threads = int(torch.get_num_threads())
    else:
        asked = os.environ.get("OMP_NUM_THREADS", "")
        threads = int(asked) if asked.isdigit() else os.cpu_count() or 1
    return {**versions, "platform": platform.platform(), "threads": threads}


def drew(output: Path, panel: Path) -> bool:
    """True if the record of an output names this panel."""
    try:
        config = read_record(record_path(output)).get("config")
    except InputError:
        return False
    return isinstance(config, dict) and config.get("panel") == str(panel.absolute())
