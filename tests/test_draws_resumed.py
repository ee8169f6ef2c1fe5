"""Draws that are interrupted by a kill go on to the same bits."""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Any

import pytest
import torch

import ipx.solving.sample as driver
from ipx_cli.main import cli

OPTIONS = ("--op", "blur", "--noise", "gaussian", "--noise.sigma", "0.05", "--prior", "smooth",
           "--lam", "0.1", "--sampler", "skrock")  # fmt: skip
DRAWS = ("--estimate", "mmse", "--samples", "3", "--draws", "12", "--thin", "2")


def solved(output: str, after: int | None = None) -> tuple[int, int]:
    """Exit status of a run in a process of its own that saves at each draw, and its draws.

    It is killed in the middle of writing checkpoint number ``after``.
    """
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        driver.CHECKPOINT = 0.0
        save, replace = driver.save_state, os.replace

        def counted(path: Any, state: Any) -> None:
            if os.write(writing, b".") and after is not None:
                counted.left -= 1  # type: ignore[attr-defined]
                if counted.left == 0:  # type: ignore[attr-defined]
                    os.replace = lambda *_: os.kill(os.getpid(), signal.SIGKILL)  # type: ignore
            save(path, state)

        counted.left = after  # type: ignore[attr-defined]
        driver.save_state = counted
        os.replace = replace
        try:
            cli(["solve", "y.png", *OPTIONS, *DRAWS, "-o", output])
        except SystemExit as e:
            os._exit(int(e.code or 0))
    os.close(writing)
    with os.fdopen(reading, "rb") as told:
        saved = len(told.read())
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), saved


def outputs(folder: str) -> dict[str, bytes]:
    return {p.name: p.read_bytes() for p in Path(folder).iterdir() if p.suffix != ".json"}


@pytest.mark.usefixtures("source")
def test_killed_run_goes_on() -> None:
    """A run that is killed while it saves goes on from the last checkpoint, to the same files."""
    torch.set_num_threads(1)
    for folder in ("whole", "broken"):
        Path(folder).mkdir()
    status, steps = solved("whole/x.png")
    assert status == 0
    assert solved("broken/x.png", after=5)[0] == -signal.SIGKILL
    assert Path("broken/.x.png.draws").exists()
    assert solved("broken/x.png") == (0, steps - 4)
    assert outputs("broken") == outputs("whole")
    assert {"x.png", "x-sample-1.tif", "x-std.tif"} <= set(outputs("whole"))
