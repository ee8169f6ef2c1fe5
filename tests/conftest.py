"""Fixtures of more than one file.

What imports torch is imported by those who need it: the process that hands tests out does not.
"""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image


def pytest_configure() -> None:
    """One thread for each worker of pytest-xdist and for its children, as there is one for a core.

    Two processes of two threads on two cores take several times as long.
    """
    if "PYTEST_XDIST_WORKER" in os.environ and "OMP_NUM_THREADS" not in os.environ:
        os.environ["OMP_NUM_THREADS"] = "1"


def pytest_collection() -> None:
    """Of what collecting makes nothing is garbage: to look for some is a seventh of its time."""
    gc.disable()


def pytest_collection_finish() -> None:
    """Nor later."""
    gc.freeze()
    gc.enable()


@pytest.fixture(scope="session", autouse=True)
def without_flushes() -> Iterator[None]:
    """os.fsync only checks its argument: a flush matters when the power fails, as in no test.

    A command flushes several files and folders, for milliseconds each.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(os, "fsync", os.fstat)
        yield


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve grey pictures of 24 x 32; number i has the level 10 i, but a little texture."""
    where = tmp_path / "pictures"
    where.mkdir()
    for i in range(12):
        texture = np.random.default_rng(i).integers(0, 5, (24, 32))
        Image.fromarray((10 * i + texture).astype(np.uint8)).save(where / f"{i:02d}.png")
    return where


@pytest.fixture
def noise_pictures(tmp_path: Path) -> None:
    """0.png, 1.png, 2.png: 48 x 48, grey, random."""
    rng = np.random.default_rng(0)
    for i in range(3):
        Image.fromarray(rng.integers(0, 255, (48, 48), dtype=np.uint8)).save(tmp_path / f"{i}.png")


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """y.png: 24 x 24, grey, 8 bit, in the present folder."""
    from ipx.files import images

    monkeypatch.chdir(tmp_path)
    images.write("y.png", images.bundled().pixels[1:2, 30:54, 90:114])
    return Path("y.png")


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `report_pages.make`; tests read it only."""
    from report_pages import make

    return make(tmp_path_factory.mktemp("pages"))
