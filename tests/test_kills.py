"""A batch that is killed at any moment goes on with --resume, and nothing is lost or replaced."""

from __future__ import annotations

import os
import random
import shutil
import signal
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import torch

import ipx.jobs.solve
from ipx.files import atomic, images
from ipx_cli.main import cli

COUNT = 3
MOVES = 4
"""Of each image: the pending record, the image, the panel, the record."""

MINE = "mine.png.json"
"""A file of the user among the outputs."""

OPTIONS = ("--op", "blur", "--prior", "smooth", "--lam", "0.01", "-o", "out/", "--panel", "sheets/")


def batch(*more: str, replace: Callable[[str, str], None] | None = None) -> int:
    """A process that restores the images; its number."""
    child = os.fork()
    if child == 0:
        for stream in (1, 2):
            os.dup2(os.open(os.devnull, os.O_WRONLY), stream)
        atomic._swept.clear()
        if replace is not None:
            os.replace = replace  # type: ignore[assignment]  # as this test calls it
        try:
            cli(["solve", *(f"{i}.png" for i in range(COUNT)), *OPTIONS, *more])
        except SystemExit as e:
            os._exit(int(e.code or 0))
    return child


def ended(child: int) -> int:
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def files() -> dict[str, bytes]:
    """All files except records, whose times differ."""
    every = {str(p): p for p in Path().rglob("*") if p.is_file()}
    own = [name for name in every if name.startswith("out/") and name.endswith(".json")]
    return {k: p.read_bytes() for k, p in every.items() if k not in own or p.name == MINE}


@pytest.fixture
def whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """The files of an undisturbed run, which are removed again; the present folder has images."""
    torch.set_num_threads(1)
    monkeypatch.chdir(tmp_path)
    for i in range(COUNT):
        at = 20 + 20 * i
        images.write(f"{i}.png", images.bundled().pixels[1:2, at : at + 24, at : at + 24])
    Path("out").mkdir()
    shutil.copy("0.png", "out/mine.png")
    (Path("out") / MINE).write_text("{}")
    assert ipx.jobs.solve is not None
    assert ended(batch()) == 0
    found = files()
    assert len(found) == 3 * COUNT + 2
    clear()
    return found


def clear() -> None:
    shutil.rmtree("sheets", ignore_errors=True)
    for path in Path("out").iterdir() if Path("out").is_dir() else ():
        if not path.name.startswith("mine"):
            path.unlink()


def check(whole: dict[str, bytes]) -> None:
    """Resume, and compare with the undisturbed run."""
    left = {k: v for k, v in files().items() if not k.endswith(".part")}
    assert left.items() <= whole.items()  # each file is whole
    assert ended(batch("--resume")) == 0
    assert files() == whole
    assert not list(Path().rglob("*.part"))
    records = [p for p in Path("out").glob("*.json") if p.name != MINE]
    assert len(records) == COUNT


@pytest.mark.slow
def test_killed_at_each_move(whole: dict[str, bytes]) -> None:
    real = os.replace
    for moved in range(COUNT * MOVES):
        left = moved

        def replace(old: str, new: str) -> None:
            nonlocal left
            if left == 0:
                os.kill(os.getpid(), signal.SIGKILL)
            left -= 1
            real(old, new)

        assert ended(batch(replace=replace)) == -signal.SIGKILL
        assert list(Path().rglob("*.part"))
        check(whole)
        clear()


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_killed_at_random_moments(whole: dict[str, bytes], seed: int) -> None:
    rng = random.Random(seed)
    began = time.monotonic()
    assert ended(batch()) == 0
    usual = time.monotonic() - began
    clear()
    for more in ((), ("--resume",), ("--resume",)):
        child = batch(*more)
        time.sleep(usual * rng.random())
        os.kill(child, signal.SIGKILL)
        ended(child)
    check(whole)
