"""Runs whose reports the tests look at, made once for all."""

from __future__ import annotations

import contextlib
from pathlib import Path

from command_line import call
from ipx.files import images


def make(folder: Path) -> Path:
    """Three small runs with reports and an index, and a comparison; the folder."""
    pixels = images.bundled().pixels
    (folder / "clean").mkdir()
    for name, (top, left) in {"a": (20, 80), "b": (120, 100), "c": (60, 10)}.items():
        images.write(folder / "clean" / f"{name}.png", pixels[:, top : top + 48, left : left + 64])
    blur = ("--op", "blur", "--op.sigma", "1.5")
    quick = ("--lam", "0.003", "--iterations", "12")
    with contextlib.chdir(folder):
        done = [
            call("degrade", "clean", *blur, "-o", "data"),
            call("solve", "data", *blur, *quick, "--truth", "clean", "-o", "out",
                 "--report", "out"),
            call("compare", "data/a.png", *blur, *quick, "--prior", "tv,smooth,pca-gaussian",
                 "--truth", "clean/a.png", "--report", "compare.html"),
        ]  # fmt: skip
    for result in done:
        assert result.exit_code == 0, result.output
    return folder
