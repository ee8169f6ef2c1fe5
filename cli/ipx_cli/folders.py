"""Folders as inputs: all images in them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path

from ipx.errors import InputError
from ipx.files.atomic import one_line
from ipx.files.lookup import pictures_in
from ipx.files.record import read_record, record_path


def unfolded(
    inputs: Iterable[Path], read: Iterable[Path], command: str, note: Callable[[str], None]
) -> list[Path]:
    """The inputs with each folder replaced by the images in it, sorted by name.

    Left out are files that are read for another purpose, and outputs of the same command, which
    lie beside its inputs by default; a note says how many.

    Args:
        inputs: files and folders.
        read: other files that are read, such as a mask.
        command: ``solve`` or ``degrade``.
        note: receives the notes.

    Raises:
        InputError: a folder has no images, or cannot be read.
    """
    others = {path.resolve() for path in read}
    found: list[Path] = []
    for given in inputs:
        if not given.is_dir():
            found.append(given)
            continue
        try:
            files = [path for path in pictures_in(given) if path.resolve() not in others]
        except OSError as e:
            raise InputError(f"{given}: cannot be read: {one_line(e)}") from e
        mine = [path for path in files if not _made_by(command, path)]
        if not mine:
            raise InputError(f"{given}: is a folder without images to {command}")
        if len(mine) < len(files):
            count = len(files) - len(mine)
            outputs = "output" if count == 1 else "outputs"
            note(f"{given}: {count} {outputs} of ipx {command} left out")
        found += mine
    return found


def _made_by(command: str, path: Path) -> bool:
    """True if the record beside the file says that this command wrote it."""
    try:
        return bool(read_record(record_path(path)).get("command") == command)
    except InputError:
        return False
