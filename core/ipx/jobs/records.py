"""Outputs and the record beside them: where they go, what the record says, both or none."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from ipx.errors import InputError, UsageError
from ipx.files import images
from ipx.files.format import Array
from ipx.files.images import Picture
from ipx.files.record import environment, read_record, record_path, write_record
from ipx.planning.request import Request, Table

MAIN = "restored"
"""The output that takes the name the user gave."""


def make_record(
    command: str,
    request: Request,
    picture: Picture,
    argv: Sequence[str],
    row: Table,
    config: Mapping[str, Any],
    trace: Iterable[Table] = (),
) -> Table:
    """What is kept beside an output: plain values.

    Args:
        command: ``solve`` or ``degrade``.
        request: as it was made.
        picture: the input.
        argv: the command line.
        row: the result.
        config: what ``--config`` is to read beside the request, or instead of its entries: the
            files, and what was chosen.
        trace: what the tuner tried.
    """
    asked = request.to_mapping(command)
    return {
        "command": command,
        "argv": list(argv),
        "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        "config": {**asked, **config},
        "requested": asked,
        "input": picture.describe(),
        "files": file_hashes(request, command),
        "seed": request.settings.seed,
        "result": row,
        "trace": list(trace),
        "environment": environment(),
    }


def file_hashes(request: Request, command: str) -> dict[str, str]:
    """sha256 of the files that the options of the components name: a PSF, a mask.

    Raises:
        InputError: one of them cannot be read.
    """
    return {str(f.absolute()): images.sha256(f) for f in request.files(command)}


def absolute(path: Path | None) -> str | None:
    """A path as a record keeps it."""
    return None if path is None else str(path.absolute())


def places(output: Path, names: Iterable[str], force: bool = False) -> dict[str, Path]:
    """Where each output goes: ``restored`` to ``output``, any other to STEM-NAME.tif beside it.

    Args:
        output: the file that the user named.
        names: of the outputs.
        force: allow to replace files that no record says were written with ``output``.

    Raises:
        UsageError: such a file is there.
    """
    own = output.with_name
    found = {name: output if name == MAIN else own(f"{output.stem}-{name}.tif") for name in names}
    for name, path in found.items():
        if name != MAIN and path.exists() and not force and path.name not in _listed(output):
            raise UsageError(f"{path} exists and was not written with {output}; move it away")
    return found


def _listed(output: Path) -> set[str]:
    """Names of the files that the record of an output says were written with it."""
    try:
        found = read_record(record_path(output))["result"]["outputs"]
        return {Path(path).name for path in found.values()}
    except (InputError, LookupError, TypeError, AttributeError):
        return set()


def write_outputs(
    pictures: Mapping[str, Array], where: Mapping[str, Path], record: Table, like: Picture
) -> None:
    """Write every output and their record; new files go again when one of them fails.

    Args:
        pictures: ``(C, H, W)`` each, in nominal [0, 1], by name.
        where: the file of each. ``restored`` takes depth, range, alpha and profile of ``like``,
            the others hold float32 in nominal units.
        record: goes beside ``restored``.
        like: the input.

    Raises:
        InputError: a file cannot be written.
    """
    record_at = record_path(where[MAIN])
    with all_or_none([*where.values(), record_at]):
        for name, path in where.items():
            if name == MAIN:
                images.write(path, pictures[name], like)
            else:
                images.write(path, pictures[name], dtype="float32")
        write_record(record_at, record)


@contextmanager
def all_or_none(paths: Iterable[Path]) -> Iterator[None]:
    """When the body fails, remove those of these files that were not there before."""
    fresh = [path for path in paths if not path.exists()]
    try:
        yield
    except BaseException:
        for path in fresh:
            path.unlink(missing_ok=True)
        raise
