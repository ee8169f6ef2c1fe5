"""The files that come to a folder, each when it is complete. Imports nothing heavy."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

from ipx.jobs.inputs import Input, within

Stamp = tuple[int, int]


class Arrivals:
    """The images in a folder that are new or have changed, and are complete.

    A file is complete when size and time are those of the look before, and it is not empty. It is
    told of once, and again when it has changed.

    Args:
        folder: with the folders in it.
        skip: folders in it to leave out, resolved.
        ours: True for a file that is an output itself; asked once for each state of a file.
    """

    def __init__(self, folder: Path, skip: set[Path], ours: Callable[[Path], bool]) -> None:
        self.folder, self.skip, self.ours = folder, skip, ours
        self._before: dict[Path, Stamp] = {}
        self._told: dict[Path, Stamp] = {}

    def look(self) -> tuple[list[Input], set[Path]]:
        """All images now, and the paths of those that have become complete since the last look.

        Raises:
            InputError: the folder cannot be read.
        """
        files = within(self.folder, self.skip)
        now = {f.path: stamp for f in files if (stamp := _stamp(f.path)) is not None}
        ready = set()
        for path, stamp in now.items():
            if stamp == self._before.get(path) and stamp != self._told.get(path):
                self._told[path] = stamp
                if not self.ours(path):
                    ready.add(path)
        self._before = now
        self._told = {path: stamp for path, stamp in self._told.items() if path in now}
        return files, ready


def _stamp(path: Path) -> Stamp | None:
    """Size and time of a file; None if it is empty, or gone."""
    try:
        found = os.stat(path)
    except OSError:
        return None
    return (found.st_size, found.st_mtime_ns) if found.st_size else None
