"""A server of ``ipx serve`` for tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any


@dataclass
class Server:
    """A server that runs."""

    process: subprocess.Popen[str]
    address: str
    folder: Path

    @property
    def base(self) -> str:
        return self.address.split("/?")[0]

    @contextmanager
    def tab(self) -> Iterator[Any]:
        """A browser tab: a client that has opened the address."""
        headers = {"Origin": self.base}
        import httpx

        with httpx.Client(base_url=self.base, headers=headers, timeout=60) as client:
            assert client.get(self.address).status_code == 200
            yield client


@contextmanager
def serving(where: Path, *options: str, sites: Sequence[Path] = ()) -> Iterator[Server]:
    """A server with its temporary folder in ``where``, and the packages of ``sites``."""
    path = os.pathsep.join(str(p) for p in (*sites, os.environ.get("PYTHONPATH")) if p)
    where.mkdir(exist_ok=True)
    process = subprocess.Popen(
        [sys.executable, "-m", "ipx_cli.main", "serve", *options],
        env={**os.environ, "TMPDIR": str(where), "PYTHONPATH": path},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # the tests may run where it is ignored, as in the background of a shell
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout is not None
    try:
        yield Server(process, process.stdout.readline().strip(), where)
    finally:
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)
