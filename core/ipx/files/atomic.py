"""Files written whole or not at all, also when the process is killed or the power fails.

A file is written as a *part* beside its place and then moved there. The process that writes a part
holds a lock on it, so that parts left by dead processes can be recognised. Imports nothing heavy.
"""

from __future__ import annotations

import os
import platform
import re
import secrets
import stat
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ipx.errors import InputError

try:
    import fcntl
except ImportError:  # no locks on Windows: only the age of a part counts there
    fcntl = None  # type: ignore[assignment]

DAY = 86400.0
"""Parts without usable lock are removed after this time in seconds; a living one takes seconds."""

_PART = re.compile(r"\.ipx-(?:(?P<host>.+)-)?[0-9a-f]{12}\.part")
_swept: set[str] = set()


def one_line(error: BaseException) -> str:
    """The reason of an error in one line."""
    reason = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(reason.split()) or type(error).__name__


def check_folder(path: str | os.PathLike[str]) -> None:
    """Raise `InputError` unless a file can be written at ``path``; nothing is written."""
    target = Path(path)
    folder = target.parent
    try:
        if target.is_dir():
            raise InputError(f"{target}: is a folder; name a file in it")
        if not folder.exists():
            raise InputError(f"{target}: folder {folder} does not exist; make it first")
        if not folder.is_dir():
            raise InputError(f"{target}: {folder} is not a folder")
        if not os.access(folder, os.W_OK | os.X_OK):
            raise InputError(f"{target}: folder {folder} is not writable")
    except OSError as error:  # a name that is too long
        raise InputError(f"{target}: cannot be written: {one_line(error)}") from error


@contextmanager
def folder_for(path: Path | None) -> Iterator[None]:
    """Make the folder of a file; if the body fails, remove the folders that were made.

    Raises:
        InputError: it cannot be made.
    """
    made: list[Path] = []
    missing = [] if path is None else [path.absolute().parent, *path.absolute().parent.parents]
    try:
        for folder in reversed(missing):
            try:
                if folder.exists():
                    continue
                folder.mkdir()
            except FileExistsError:
                continue  # another process has made it, or it is a file, which is told later
            except OSError as e:
                raise InputError(f"folder {folder} cannot be made: {one_line(e)}") from e
            made.append(folder)
        yield
    except BaseException:
        for folder in reversed(made):
            with suppress(OSError):  # it has files
                folder.rmdir()
        raise


@dataclass(frozen=True)
class Part:
    """A file that is made beside its place.

    Attributes:
        path: the place, as given.
        target: the place, with links resolved.
        file: the part, open and locked.
    """

    path: Path
    target: Path
    file: IO[bytes]

    def fill(self, write: Callable[[Path], None]) -> None:
        """Complete the part with what ``write`` puts into the file of this name.

        Raises:
            InputError: it cannot be written.
        """
        with _told(self.path):
            write(Path(self.file.name))
            self.complete()

    def complete(self) -> None:
        """Make it durable, with the permissions of the file in the place."""
        self.file.flush()
        os.fsync(self.file.fileno())
        if self.target.exists():
            os.chmod(self.file.name, stat.S_IMODE(self.target.stat().st_mode))

    def move(self) -> None:
        """Replace the file in the place; a reader sees the old one or the new one."""
        os.replace(self.file.name, self.target)


@contextmanager
def staged(files: Iterable[tuple[str | os.PathLike[str], bytes]]) -> Iterator[list[Part]]:
    """Write parts; those that the body does not move are removed.

    Symbolic links are followed, and the permissions of an existing file are kept.

    Args:
        files: place and content of each.

    Raises:
        InputError: a folder is missing or not writable, the disk is full, ...
    """
    parts: list[Part] = []
    with ExitStack() as after:
        for path, data in files:
            part = after.enter_context(part_of(path))
            with _told(path):
                rest = memoryview(data)
                while rest:
                    rest = rest[part.file.write(rest) :]
            parts.append(part)
        for part in parts:  # the first of these calls often does the work of the others
            with _told(part.path):
                part.complete()
        yield parts


@contextmanager
def part_of(path: str | os.PathLike[str]) -> Iterator[Part]:
    """An empty part, to be filled, completed and moved; else it is removed.

    Raises:
        InputError: as for `staged`.
    """
    check_folder(path)
    target = Path(os.path.realpath(path))
    sweep(target.parent)
    with ExitStack() as after:
        with _told(path):
            file = after.enter_context(_locked(target.parent))
        yield Part(Path(path), target, file)


def move(parts: Iterable[Part]) -> None:
    """Move parts to their places and make this durable.

    Raises:
        InputError: a place cannot be written.
    """
    folders = {}
    for part in parts:
        with _told(part.path):
            part.move()
        folders[part.target.parent] = True
    for folder in folders:
        with suppress(OSError):  # a file system without this call
            opened = os.open(folder, os.O_RDONLY)
            try:
                os.fsync(opened)
            finally:
                os.close(opened)


def write_atomic(path: str | os.PathLike[str], data: bytes) -> None:
    """Write ``data`` to ``path`` through a part in the same folder.

    A reader sees the old file or the new one. If writing fails the old file stays. Symbolic links
    are followed, and the permissions of an existing file are kept.

    Raises:
        InputError: the folder is missing or not writable, the disk is full, ...
    """
    with staged([(path, data)]) as parts:
        move(parts)


def sweep(folder: Path, again: bool = False) -> None:
    """Remove the parts that dead processes left in a folder; once per process and folder.

    A part of this host is dead if nobody holds its lock. Locks of other hosts may not be visible
    here, so their parts are removed after a day.

    Args:
        folder: may be missing.
        again: although this process has done it before, as processes may have died since.
    """
    key = os.path.realpath(folder)
    if key in _swept and not again:
        return
    _swept.add(key)
    with suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            named = _PART.fullmatch(entry.name)
            if named and entry.is_file(follow_symlinks=False):
                with suppress(OSError):
                    _remove_dead(entry.path, named["host"] == _host())


def _remove_dead(path: str, ours: bool) -> None:
    """Remove a part of a dead process; OSError if its process lives."""
    old = time.time() - os.stat(path).st_mtime > DAY
    if not (old or (ours and fcntl is not None)):
        return
    with open(path, "rb") as file:
        _lock(file)
        os.unlink(path)


def _host() -> str:
    return re.sub(r"[^A-Za-z0-9.]", "_", platform.node())[:40]


@contextmanager
def _locked(folder: Path) -> Iterator[IO[bytes]]:
    """A new part in a folder, open for writing and locked while it is open; then removed."""
    while True:
        part = folder / f".ipx-{_host()}-{secrets.token_hex(6)}.part"
        try:  # before the part is there: a signal may come at any moment
            # open(), not mkstemp(): permissions follow the umask. No buffer: what could not be
            # written would be tried again when the file is closed, and fail once more
            with open(part, "xb", buffering=0) as file:
                with suppress(OSError):  # a file system without locks
                    _lock(file)
                if not part.exists():  # another process removed it before it was locked
                    continue
                yield file
                return
        finally:
            _discard(part)


def _lock(file: IO[bytes]) -> None:
    """Lock an open file; OSError if another process has."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def _discard(part: Path) -> None:
    with suppress(OSError):
        os.unlink(part)


@contextmanager
def _told(path: str | os.PathLike[str]) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise InputError(f"{path}: cannot be written: {one_line(error)}") from error
