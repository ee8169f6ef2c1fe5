"""The manifest of a batch: one JSON object a line for each of its units. Imports nothing heavy."""

from __future__ import annotations

import datetime
import json
import os
from pathlib import Path
from types import TracebackType
from typing import IO

from ipx.errors import InputError, UsageError
from ipx.files.atomic import check_folder, folder_for, one_line
from ipx.files.record import dumps, record_path
from ipx.jobs.unit import Outcome

NAME = "manifest.jsonl"
"""The name of a manifest in the folder of the outputs."""


def manifest_name(shard: tuple[int, int] | None) -> str:
    """The name of the manifest of a run: shards that write to one folder have one each."""
    return NAME if shard is None else f"manifest-{shard[0]}-of-{shard[1]}.jsonl"


def check_manifest(path: Path, force: bool = False) -> None:
    """Check that a manifest may be written here.

    Raises:
        UsageError: the file is something else, and ``force`` is not given.
    """
    if path.is_dir():
        raise UsageError(f"{path}: is a folder, not a file")
    if path.exists() and not force and not _is_manifest(path):
        raise UsageError(f"{path} exists and is no manifest of ipx; --force replaces it")


def _is_manifest(path: Path) -> bool:
    """True if a file is empty, or its first line is that of a manifest, perhaps of a killed run."""
    try:
        with path.open("rb") as file:
            line = file.readline(1 << 20)
        row = json.loads(line) if line else {"unit": "", "status": ""}
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(row, dict) and {"unit", "status"} <= row.keys()


class Manifest:
    """A manifest that is being written: a run replaces that of the run before.

    A line has ``unit`` (the name in the tree of inputs), ``input``, ``output``, ``record``,
    ``status``, ``skipped``, ``code``, ``error``, ``seed``, ``seconds``, ``time``.

    Args:
        path: the file; None writes nothing.
    """

    def __init__(self, path: Path | None) -> None:
        self.path = path
        self._file: IO[bytes] | None = None

    def __enter__(self) -> Manifest:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._file is not None:
            self._file.close()

    def add(self, outcome: Outcome, status: str, code: int, error: str) -> None:
        """Write the line of a unit.

        Args:
            outcome: what became of it.
            status: of its row.
            code: its exit status.
            error: why it counts as failed; empty if it does not.

        Raises:
            InputError: it cannot be written.
        """
        if self.path is None:
            return
        unit, row = outcome.unit, outcome.row or {}
        line = {
            "unit": unit.name,
            "input": str(unit.source),
            "output": str(unit.target) if outcome.row is not None else None,
            "record": str(record_path(unit.target)) if outcome.row is not None else None,
            "status": status,
            "skipped": outcome.skipped,
            "code": code,
            "error": error or None,
            "seed": unit.seed,
            "seconds": row.get("seconds"),
            "time": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
        }
        try:
            self._opened(self.path).write((dumps(line) + "\n").encode())
        except OSError as e:
            raise InputError(f"{self.path}: cannot be written: {one_line(e)}") from e

    def _opened(self, path: Path) -> IO[bytes]:
        """The file, which is made with its first line; a line is written by one call."""
        if self._file is None:
            with folder_for(path):
                check_folder(path)
                number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_APPEND, 0o666)
                self._file = os.fdopen(number, "wb", buffering=0)
        return self._file
