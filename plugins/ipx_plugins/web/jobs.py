"""Restorations that wait, run or have ended."""

from __future__ import annotations

import asyncio
import json
import secrets
import shutil
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, Literal

from ipx import UsageError
from ipx.files.atomic import one_line
from ipx_plugins.web.asked import Asked
from ipx_plugins.web.bench import Bench, WorkError
from ipx_plugins.web.retell import command, renamed
from ipx_plugins.web.store import GoneError

WAITING = 4
"""Restorations that may wait; a further one is refused."""

KEPT = 24
"""Restorations that are kept; the oldest makes room for a new one."""

POINTS = 1000
"""Points of the curve of the objective that are kept."""

State = Literal["waiting", "running", "done", "failed", "cancelled"]
RECORD = "record"


@dataclass
class Job:
    """A restoration.

    Attributes:
        id: the key that the page knows it by.
        asked: the restoration.
        folder: its files.
        state: where it stands.
        report: the last progress.
        curve: iterations and objectives of the last solve.
        frame: number of its last picture.
        notes: notes for the user.
        row: the result.
        error: why it failed.
    """

    id: str
    asked: Asked
    folder: Path
    state: State = "waiting"
    report: dict[str, Any] = field(default_factory=dict)
    curve: list[tuple[int, float]] = field(default_factory=list)
    frame: int = 0
    notes: list[str] = field(default_factory=list)
    row: dict[str, Any] = field(default_factory=dict)
    error: str = ""
    task: asyncio.Task[None] | None = None

    @property
    def output(self) -> Path:
        """The file of the result."""
        suffix = Path(self.asked.output).suffix
        return self.folder / f"restored{suffix}"

    @property
    def ended(self) -> bool:
        """True if nothing more will happen."""
        return self.state not in ("waiting", "running")

    def files(self) -> dict[str, tuple[Path, str]]:
        """The path and the name to show of each file of the result."""
        stem = Path(self.asked.output).stem
        found = {"restored": (self.output, self.asked.output)}
        for name, path in self.row.get("outputs", {}).items():
            if name != "restored":
                found[name] = (Path(path), f"{stem}-{name}{Path(path).suffix}")
        record = self.output.with_name(f"{self.output.name}.json")
        return {**found, RECORD: (record, f"{self.asked.output}.json")}

    def record(self) -> str:
        """The record, with the names to show in place of the server's."""
        names = {**self.asked.names}
        for path, name in self.files().values():
            names |= {str(path): name, path.name: name}
        read = json.loads(self.files()[RECORD][0].read_text("utf-8"))
        return json.dumps(renamed(read, names), indent=2) + "\n"

    def hear(self, kind: str, value: Any) -> None:
        """Take a message of the worker."""
        if kind == "note":
            self.notes.append(self.plain(value))
        elif kind == "frame":
            self.frame = value
        elif kind == "report":
            if value["iteration"] <= self.report.get("iteration", 0):
                self.curve.clear()  # another solve
            self.report = value
            if value["objective"] is not None:
                self.curve.append((value["iteration"], value["objective"]))
            if len(self.curve) > POINTS:
                self.curve = self.curve[::2]

    def plain(self, text: str) -> str:
        """A text with the names to show in place of the server's paths."""
        for path, name in {**self.asked.names, str(self.output): self.asked.output}.items():
            text = text.replace(path, name)
        return text


class Jobs:
    """All restorations; one runs at a time."""

    def __init__(self, root: Path, bench: Bench, max_pixels: int) -> None:
        self.folder = root / "jobs"
        self.folder.mkdir()
        self.bench, self.max_pixels = bench, max_pixels
        self.jobs: dict[str, Job] = {}
        self.numbers = count(1)
        self.turn = asyncio.Semaphore(1)

    def get(self, key: str) -> Job:
        """The job with this id.

        Raises:
            GoneError: there is none.
        """
        if key not in self.jobs:
            raise GoneError("this restoration is no longer there: start it again")
        return self.jobs[key]

    def before(self, job: Job) -> int:
        """The number of jobs that come before one that waits."""
        unended = [j for j in self.jobs.values() if not j.ended]
        return unended.index(job)

    def add(self, asked: Asked) -> Job:
        """Begin a restoration, or let it wait.

        Raises:
            UsageError: too many wait.
        """
        if sum(job.state == "waiting" for job in self.jobs.values()) >= WAITING:
            raise UsageError(f"{WAITING} restorations are waiting: cancel one, or try again later")
        for old in [job for job in self.jobs.values() if job.ended][: len(self.jobs) - KEPT + 1]:
            del self.jobs[old.id]
            shutil.rmtree(old.folder, ignore_errors=True)
        folder = self.folder / f"job-{next(self.numbers)}"
        folder.mkdir()
        job = Job(secrets.token_urlsafe(12), asked, folder)
        self.jobs[job.id] = job
        for upload in asked.uploads:
            upload.busy += 1
        job.task = asyncio.create_task(self._run(job))
        return job

    async def cancel(self, job: Job) -> None:
        """End a restoration; its worker is killed."""
        if job.task is not None and not job.ended:
            job.task.cancel()
            await asyncio.wait([job.task])

    async def stop(self) -> None:
        """End all restorations."""
        for job in reversed([*self.jobs.values()]):
            await self.cancel(job)

    async def _run(self, job: Job) -> None:
        asked = job.asked
        assert asked.picture is not None
        try:
            async with self.turn:
                job.state = "running"
                task = {
                    **asked.to_task(),
                    "do": "restore",
                    "output": str(job.output),
                    "folder": str(job.folder),
                    "argv": command(asked),
                    "facts": asked.picture.facts,
                    "max_pixels": self.max_pixels,
                }
                job.row = await self.bench.work(task, job.hear)
                job.state = "done"
        except asyncio.CancelledError:
            job.state = "cancelled"
        except WorkError as e:
            job.state, job.error = "failed", job.plain(str(e))
        except Exception as e:  # else the page would wait for ever
            job.state, job.error = "failed", job.plain(one_line(e))
        finally:
            for upload in asked.uploads:
                upload.busy -= 1
