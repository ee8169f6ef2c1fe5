"""Outputs and their record as one: written together, and recognised later.

The record of an output lists the sha256 of each file written with it. First come the new record,
marked pending, then the files, then the record marked done. After a kill at any moment each file is
the old one or the new one, and the record knows both.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Mapping, Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from ipx.errors import InputError
from ipx.files.atomic import Part, move, staged
from ipx.files.record import dumps, read_record, record_path, sha256

COMMANDS = ("solve", "degrade")
"""The commands whose outputs have records."""

DEMO = ("truth.png", "degraded.tif", "panel.png")
"""Files beside the output of a run without inputs, in records that list no hashes."""


Content = bytes | Callable[[], bytes]
"""The content of a file, or what makes it: the same each time."""


def commit(
    output: Path,
    files: Mapping[Path, Content],
    record: Mapping[str, Any],
    parts: Sequence[Part] = (),
) -> None:
    """Write files and the record of ``output``; if this fails, new files are removed.

    Args:
        output: the main output, one of ``files`` or of ``parts``.
        files: the content of each file; one that is made is in memory alone, and made twice.
        record: without the entries ``state`` and ``written``, which are added.
        parts: complete files that are larger than memory; they are moved.

    Raises:
        InputError: a file cannot be written.
    """
    at = record_path(output)
    new = {
        _key(output, path): hashlib.sha256(_made(data)).hexdigest() for path, data in files.items()
    }
    new |= {_key(output, part.path): sha256(part.file.name) for part in parts}
    paths = [*files, *(part.path for part in parts)]
    replaced = {_key(output, path): sha256(path) for path in paths if path.is_file()}
    pending = {**record, "state": "pending", "written": new, "replaced": replaced}
    done = {**record, "state": "done", "written": new}
    each = ((path, _made(data)) for path, data in files.items())
    contents = chain([(at, _text(pending))], each, [(at, _text(done))])
    fresh = [path for path in (*paths, at) if not os.path.lexists(path)]
    with staged(contents) as (first, *pictures, last):
        try:
            # each step is durable before the next begins
            move([first])
            move([*pictures, *parts])
            move([last])
        except BaseException:
            for path in fresh:
                path.unlink(missing_ok=True)
            raise


def _made(content: Content) -> bytes:
    return content if isinstance(content, bytes) else content()


def _text(record: Mapping[str, Any]) -> bytes:
    return (dumps(record, indent=2) + "\n").encode()


def _key(output: Path, path: Path) -> str:
    """The name of a file in the record: so that a folder can be moved, only its name within it."""
    beside = path.absolute().parent == output.absolute().parent
    return path.name if beside else str(path.absolute())


def unchanged(record: Mapping[str, Any], output: Path, paths: Iterable[Path]) -> bool:
    """True if these files are as the run that wrote the record of ``output`` left them.

    False for a run that was interrupted, and for records that list no hashes.
    """
    known = record.get("written")
    if record.get("state") != "done" or not isinstance(known, dict):
        return False
    return all(path.is_file() and known.get(_key(output, path)) == sha256(path) for path in paths)


def wrote(output: Path, path: Path) -> bool:
    """True if ipx wrote ``path`` with ``output``, according to its record, as it is now.

    Args:
        output: the output that the record is of.
        path: a file written with it, or the record itself.

    Raises:
        InputError: ``path`` cannot be read.
    """
    try:
        record = read_record(record_path(output))
    except InputError:
        return False
    parts = [record.get(name) for name in ("config", "requested", "result", "input")]
    if record.get("command") not in COMMANDS or not all(isinstance(p, dict) for p in parts):
        return False
    known = record.get("written")
    if not isinstance(known, dict):
        return path.absolute() in _listed(record, output)
    if output.name not in known:
        return False
    before = record.get("replaced")
    hashes = [m.get(_key(output, path)) for m in (known, before) if isinstance(m, dict)]
    return path == record_path(output) or sha256(path) in hashes


def _listed(record: Mapping[str, Any], output: Path) -> set[Path]:
    """The files that a record without hashes lists, if it is of ``output``.

    A link is not believed: the record does not say what it led to.
    """
    where, config = output.absolute(), record["config"]
    demo = config.get("output") == str(where.parent) and output.name == "restored.png"
    if output.is_symlink() or not (demo or config.get("output") == str(where)):
        return set()
    others = record["result"].get("outputs")
    names = [Path(str(name)).name for name in others.values()] if isinstance(others, dict) else []
    beside = {where.parent / name for name in (*names, *(DEMO if demo else ()))}
    panel = config.get("panel")
    own = {where, record_path(where), *beside}
    return own | ({Path(panel)} if isinstance(panel, str) else set())
