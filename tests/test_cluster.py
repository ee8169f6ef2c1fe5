"""A real scheduler of Dask and two workers on loopback, one of which dies in the middle."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from command_line import call
from ipx.declare.registry import registry

COUNT = 16
FAST = ("--op", "blur", "--prior", "smooth", "--lam", "0.01", "--iterations", "2")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with ``in`` of `COUNT` pictures of 32 x 32, the present one."""
    monkeypatch.chdir(tmp_path)
    Path("in").mkdir()
    rng = np.random.default_rng(0)
    for i in range(COUNT):
        Image.fromarray(rng.integers(0, 255, (32, 32), dtype=np.uint8)).save(f"in/{i:02}.png")
    return tmp_path


def program(name: str, *words: str) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", f"distributed.cli.dask_{name}", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )


@pytest.fixture
def cluster(folder: Path) -> Iterator[tuple[str, list[subprocess.Popen[bytes]]]]:
    """The address of a scheduler, and two workers that have begun."""
    pytest.importorskip("distributed")
    found = folder / "scheduler.json"
    ours = [
        program("scheduler", "--host", "127.0.0.1", "--port", "0", "--dashboard-address", ":0",
                "--scheduler-file", str(found))
    ]  # fmt: skip
    for i in range(2):
        words = ("--scheduler-file", str(found), "--nthreads", "1", "--no-nanny")
        ours.append(program("worker", *words, "--local-directory", str(folder / f"worker{i}")))
    try:
        until = time.monotonic() + 60
        while not found.exists():
            assert time.monotonic() < until
            time.sleep(0.1)
        yield json.loads(found.read_text())["address"], ours[1:]
    finally:
        for each in ours:
            each.kill()
            each.wait()


def images(folder: str) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in Path(folder).glob("*.png")}


@pytest.mark.slow
def test_a_worker_that_is_killed_loses_nothing(
    cluster: tuple[str, list[subprocess.Popen[bytes]]],
) -> None:
    address, (first, _) = cluster
    assert call("solve", "in", "-o", "alone", *FAST, "--jobs", "1").exit_code == 0
    command = [sys.executable, "-m", "ipx_cli.main", "solve", "in", "-o", "out", *FAST]
    with subprocess.Popen(
        [*command, "--cluster", address],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as run:
        assert run.stdout is not None
        assert run.stderr is not None
        assert "-> out/" in run.stdout.readline()
        first.send_signal(signal.SIGKILL)
        run.stdout.read()
        told = run.stderr.read()
        assert run.wait(120) == 0, told
    assert told.startswith("ipx: dashboard: http://127.0.0.1:")
    assert images("out") == images("alone")
    assert len(images("out")) == COUNT
    lines = Path("out/manifest.jsonl").read_text().splitlines()
    assert sorted(json.loads(line)["unit"] for line in lines) == sorted(images("out"))
    assert not list(Path("out").rglob("*.part"))
    # what is done is skipped, also by the worker that is left
    again = call("solve", "in", "-o", "out", *FAST, "--cluster", address)
    assert again.exit_code == 0
    assert again.stderr.count("skipped") == COUNT


def test_what_is_missing_is_said(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    told = call("solve", "in", "-o", "out", *FAST, "--cluster", "local")
    assert told.exit_code == 4
    assert told.stderr == (
        "ipx: error: --cluster needs distributed: pip install distributed, or the extra dask of "
        "ipx-toolbox\n"
    )


def test_no_scheduler_and_no_slurm(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    module = type(registry().create(registry().get("executor", "dask"))).__module__
    monkeypatch.setattr(f"{module}.CONNECT", 0.3)
    told = call("solve", "in", "-o", "out", *FAST, "--cluster", "tcp://127.0.0.1:1")
    assert told.exit_code == 3
    assert "no scheduler of Dask answers at tcp://127.0.0.1:1" in told.stderr
    monkeypatch.setitem(sys.modules, "dask_jobqueue", None)
    told = call("solve", "in", "-o", "out", *FAST, "--cluster", "slurm")
    assert told.exit_code == 4
    assert "--cluster needs dask-jobqueue: pip install dask-jobqueue\n" in told.stderr
