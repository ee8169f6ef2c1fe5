"""The inputs of a command: files, folders, patterns and lists. Imports nothing heavy."""

from __future__ import annotations

import glob
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from ipx.declare.options import as_path
from ipx.errors import InputError
from ipx.files.atomic import one_line
from ipx.files.contents import folder_format, is_many
from ipx.files.lookup import suffixes
from ipx.files.record import read_record, record_path

T = TypeVar("T")

LIST = ".txt"
"""The suffix of a file that lists inputs, one path a line."""


@dataclass(frozen=True)
class Input:
    """A file, and where it lies in a tree.

    Attributes:
        path: the file.
        name: its path within the folder it was found in, or its own name; outputs in a folder
            have this path.
    """

    path: Path
    name: Path


@dataclass(frozen=True)
class Inputs:
    """What was given, with folders, patterns and lists replaced by the files they stand for.

    Attributes:
        files: in the order given, those of a folder sorted by name.
        many: True if a folder, a pattern or a list was given, whatever it holds.
    """

    files: list[Input]
    many: bool


def unfolded(
    given: Iterable[Path],
    read: Iterable[Path],
    command: str,
    note: Callable[[str], None],
    leave: Iterable[Path] = (),
) -> Inputs:
    """The files that are given.

    A folder stands for the images in it and in its folders. A pattern (``in/**/*.png``) is one if
    no file has this name. A list (.txt) has a path a line, relative to the present folder.

    Left out of folders are hidden files, files that are read for another purpose, and outputs of
    the same command; a note says how many outputs.

    Args:
        given: files, folders, patterns, lists.
        read: other files that are read, such as a mask.
        command: ``solve`` or ``degrade``.
        note: receives the notes.
        leave: folders to leave out where they lie within another, such as that of the outputs.

    Raises:
        InputError: a folder, pattern or list has no images, or cannot be read.
    """
    others = {path.resolve() for path in read}
    skip = {path.resolve() for path in leave}
    found: list[Input] = []
    many = False
    for path in given:
        if is_many(path):
            files = [f for f in within(path, skip) if f.path.resolve() not in others]
        elif path.suffix.lower() == LIST and path.is_file():
            found, many = found + _listed(path), True
            continue
        elif glob.has_magic(str(path)) and not os.path.lexists(path):
            files = [f for f in _matching(path) if f.path.resolve() not in others]
        else:
            found.append(Input(path, Path(path.name)))
            continue
        many = True
        mine = [f for f in files if not made_by(command, f.path)]
        if not mine:
            what = "is a folder" if path.is_dir() else "is a pattern"
            raise InputError(f"{path}: {what} without images to {command}")
        if len(mine) < len(files):
            count = len(files) - len(mine)
            outputs = "output" if count == 1 else "outputs"
            note(f"{path}: {count} {outputs} of ipx {command} left out")
        found += mine
    return Inputs(found, many)


def within(folder: Path, skip: set[Path]) -> list[Input]:
    """The images in a folder and its folders; links to folders are not followed.

    Args:
        folder: the folder.
        skip: folders in it to leave out, resolved.

    Raises:
        InputError: a folder cannot be read.
    """
    known = suffixes()
    found: list[Input] = []

    def fail(error: OSError) -> None:
        raise InputError(f"{error.filename}: cannot be read: {one_line(error)}") from error

    for top, folders, names in os.walk(folder, onerror=fail):
        here = Path(top)
        seen = [n for n in folders if not n.startswith(".") and (here / n).resolve() not in skip]
        images = [name for name in seen if folder_format(here / name)]
        folders[:] = sorted(set(seen) - set(images))
        images += [
            name
            for name in names
            if Path(name).suffix.lower() in known
            and not name.startswith(".")
            and (here / name).is_file()
        ]
        found += [Input(here / n, (here / n).relative_to(folder)) for n in sorted(images)]
    return found


def _matching(pattern: Path) -> list[Input]:
    """The images that fit a pattern; their names begin behind its part without wildcards."""
    parts = pattern.parts
    fixed = next(i for i, part in enumerate(parts) if glob.has_magic(part))
    base, rest = Path(*parts[:fixed]), [*parts[fixed:]]
    rest += ["*"] if rest[-1] == "**" else []  # else it stands for folders only
    try:
        paths = sorted(set(base.glob(os.path.join(*rest))))
    except (OSError, ValueError, NotImplementedError) as e:
        raise InputError(f"{pattern}: is a pattern that cannot be used: {one_line(e)}") from e
    found = [Input(path, path.relative_to(base)) for path in paths]
    known = suffixes()
    return [
        each
        for each in found
        if ((each.path.suffix.lower() in known and each.path.is_file()) or folder_format(each.path))
        and not any(part.startswith(".") for part in each.name.parts)
    ]


def _listed(path: Path) -> list[Input]:
    """The files in a list; the names of absolute paths begin behind their common folder."""
    try:
        lines = os.fsdecode(path.read_bytes()).splitlines()
    except OSError as e:
        raise InputError(f"{path}: cannot be read: {one_line(e)}") from e
    try:
        files = [as_path(line.strip()) for line in lines if line.strip()]
    except ValueError as e:
        raise InputError(f"{path}: is not a list of files, one a line: {e}") from e
    if not files:
        raise InputError(f"{path}: is a list without files")
    plain = [not file.is_absolute() and ".." not in file.parts for file in files]
    away = [file.absolute() for file, within in zip(files, plain, strict=True) if not within]
    common = os.path.commonpath([file.parent for file in away]) if away else ""
    return [
        Input(file, file if within else file.absolute().relative_to(common))
        for file, within in zip(files, plain, strict=True)
    ]


def made_by(command: str, path: Path) -> bool:
    """True if the record beside the file says that this command wrote it."""
    try:
        return bool(read_record(record_path(path)).get("command") == command)
    except InputError:
        return False


def share(files: Sequence[T], shard: tuple[int, int] | None) -> Sequence[T]:
    """Every n-th of the files, from the i-th on, for the shard (i, n); all without one."""
    first, step = (1, 1) if shard is None else shard
    return files[first - 1 :: step]
