"""Fixtures of more than one file."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from ipx.files import images
from report_pages import make


def pytest_configure() -> None:
    """One thread for each worker of pytest-xdist and for its children, as there is one for a core.

    Two processes of two threads on two cores take several times as long.
    """
    if "PYTEST_XDIST_WORKER" in os.environ and "OMP_NUM_THREADS" not in os.environ:
        os.environ["OMP_NUM_THREADS"] = "1"
        torch.set_num_threads(1)


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
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """y.png: 24 x 24, grey, 8 bit, in the present folder."""
    monkeypatch.chdir(tmp_path)
    images.write("y.png", images.bundled().pixels[1:2, 30:54, 90:114])
    return Path("y.png")


@pytest.fixture(scope="session")
def pages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of `report_pages.make`; tests read it only."""
    return make(tmp_path_factory.mktemp("pages"))
