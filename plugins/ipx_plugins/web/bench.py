"""Workers: processes that do one task at a time, and a warm one in reserve."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from asyncio.subprocess import PIPE, Process
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from ipx import IpxError

LONGEST = 1 << 22
"""Bytes of a message."""


class WorkError(IpxError):
    """A task failed; the message is for the user."""


class Bench:
    """Starts workers in a folder, and kills them.

    Args:
        root: the folder of the server.
    """

    def __init__(self, root: Path) -> None:
        self.root = root
        self.reserve: Process | None = None
        self.living: set[Process] = set()
        self.ending = False

    async def start(self) -> None:
        """Have a warm worker."""
        if self.reserve is None:
            fresh = await self._spawn()
            if self.reserve is None:
                self.reserve = fresh
            else:  # another task has put its process back meanwhile
                await self._kill(fresh)

    async def stop(self) -> None:
        """Kill all workers."""
        self.ending = True
        for process in [*self.living]:
            await self._kill(process)

    async def work(
        self, task: dict[str, Any], heard: Callable[[str, Any], None] = lambda kind, value: None
    ) -> Any:
        """Do a task in a process; a cancelled task kills the process.

        A restoration has a process of its own. After another task the process is in reserve.

        Args:
            task: plain values.
            heard: receives the messages on the way.

        Raises:
            WorkError: the task failed.
        """
        process, self.reserve = self.reserve, None
        if process is None:
            process = await self._spawn()
        again = False
        assert process.stdin is not None
        assert process.stdout is not None
        try:
            with suppress(ConnectionError):  # it has died: the end of its messages tells
                process.stdin.write(json.dumps(task).encode() + b"\n")
                await process.stdin.drain()
            async for line in process.stdout:
                kind, value = json.loads(line)
                again = kind in ("done", "refused") and task["do"] != "restore"
                if kind == "done":
                    return value
                if kind in ("refused", "failed"):
                    raise WorkError(value)
                heard(kind, value)
            code = await process.wait()
            why = "perhaps for want of memory" if code == -9 else f"status {code}"
            raise WorkError(f"the worker ended unexpectedly, {why}")
        finally:
            if again and self.reserve is None:
                self.reserve = process
            else:
                await asyncio.shield(self._renew(process))

    async def _renew(self, process: Process) -> None:
        """Another worker in the place of this one."""
        await self._kill(process)
        if not self.ending:
            await self.start()

    async def _spawn(self) -> Process:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-P", "-m", "ipx_plugins.web.worker", str(self.root)),
            stdin=PIPE,
            stdout=PIPE,
            cwd=self.root,
            limit=LONGEST,
            start_new_session=True,  # Ctrl-C is for the server, which then kills them
        )
        self.living.add(process)
        return process

    async def _kill(self, process: Process) -> None:
        """End a process with its children."""
        self.living.discard(process)
        if process.returncode is None:
            with suppress(ProcessLookupError):
                if os.name == "posix":
                    os.killpg(process.pid, signal.SIGKILL)
                else:
                    process.kill()
        await process.wait()
