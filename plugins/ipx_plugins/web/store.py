"""Uploaded files: names that the server chose, and the names to show."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any

from ipx import UsageError
from ipx.files.lookup import suffixes

MOST = 24
"""Files that are kept; the oldest makes room for a new one."""

LONGEST = 80
"""Characters of a name that is shown."""


class GoneError(UsageError):
    """An upload or a job is unknown, or was removed."""


@dataclass
class Upload:
    """An uploaded file.

    Attributes:
        id: the key that the page knows it by.
        name: as shown and told in commands; never a path.
        path: where it lies.
        facts: what was found out about a picture: shape, dtype, gain, ...
        busy: number of jobs that need it.
    """

    id: str
    name: str
    path: Path
    facts: dict[str, Any] = field(default_factory=dict)
    busy: int = 0

    @property
    def preview(self) -> Path:
        """The picture as the page shows it."""
        return self.path.with_name(f"{self.path.stem}-preview.png")

    def remove(self) -> None:
        """Delete its files."""
        for path in (self.path, self.preview):
            path.unlink(missing_ok=True)


class Store:
    """The uploads in a folder."""

    def __init__(self, root: Path) -> None:
        self.folder = root / "uploads"
        self.folder.mkdir()
        self.uploads: dict[str, Upload] = {}
        self.numbers = count(1)

    def add(self, name: str) -> Upload:
        """A place for a file of this name, which is to be written there."""
        idle = [u for u in self.uploads.values() if not u.busy]
        for old in idle[: max(len(self.uploads) - MOST + 1, 0)]:
            self.drop(old)
        shown = plain_name(name)
        suffix = Path(shown).suffix.lower()
        known = next((s for s in suffixes() if s == suffix), ".bin")  # of our table, not theirs
        upload = Upload(
            secrets.token_urlsafe(12), shown, self.folder / f"file-{next(self.numbers)}{known}"
        )
        self.uploads[upload.id] = upload
        return upload

    def drop(self, upload: Upload) -> None:
        """Forget an upload and delete its files."""
        self.uploads.pop(upload.id, None)
        upload.remove()

    def get(self, key: str) -> Upload:
        """The upload with this id.

        Raises:
            GoneError: there is none.
        """
        if key not in self.uploads:
            raise GoneError("this file is no longer there: choose it again")
        return self.uploads[key]


def plain_name(name: str) -> str:
    """A name to show: without folders and control characters, of bounded length."""
    last = name.replace("\\", "/").rpartition("/")[2]
    clean = "".join(c for c in last if c.isprintable()).strip().lstrip("-.")
    stem, dot, suffix = clean.rpartition(".")
    if len(clean) > LONGEST:
        clean = stem[: LONGEST - len(suffix) - 1] + dot + suffix if len(suffix) < 9 else ""
    return clean or "picture"
