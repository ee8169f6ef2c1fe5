"""Makes the screenshots under docs/pictures: ``python docs/screenshots.py``.

Needs the extra ``browser`` and Chromium. The reports are of small parts of the bundled photograph.
"""

from __future__ import annotations

import contextlib
import io
import shutil
import sys
import tempfile
from pathlib import Path
from typing import Any

from PIL import Image
from playwright.sync_api import sync_playwright

from ipx.files import images
from ipx_cli.main import cli

FOLDER = Path(__file__).parent / "pictures"
LARGEST = 150_000
FLAGS = [
    "--no-sandbox", "--disable-gpu", "--disable-background-networking",
    "--disable-component-update", "--disable-sync", "--no-first-run",
]  # fmt: skip

SHOTS: dict[str, tuple[str, int, int, str, str]] = {
    "report": ("out/pilot.png-report.html", 1200, 940, "light", "images"),
    "report-fit": ("out/pilot.png-report.html", 1200, 900, "light", "fit"),
    "report-plan": ("out/pilot.png-report.html", 1200, 600, "dark", "plan"),
    "report-phone": ("out/pilot.png-report.html", 375, 800, "dark", "images"),
    "report-index": ("out/index.html", 1200, 700, "light", "runs"),
    "compare": ("compare.html", 1200, 1000, "light", "table"),
}
"""The page, width and height of the window, colours, and the section at its top."""

WINDOWS = {"pilot": (8, 60), "patch": (110, 100), "rocket": (20, 128)}
"""Top and left of the parts of the photograph, 128 x 128 pixels."""


def run(*words: str) -> None:
    """One ipx command."""
    try:
        cli.main(list(words))
    except SystemExit as end:
        if end.code:
            raise


def make(folder: Path) -> None:
    """The runs whose reports are shown."""
    pixels = images.bundled().pixels
    (folder / "clean").mkdir()
    for name, (top, left) in WINDOWS.items():
        part = pixels[:, top : top + 128, left : left + 128]
        images.write(folder / "clean" / f"{name}.png", part)
    blur = ("--op", "blur", "--op.sigma", "1.5")
    with contextlib.chdir(folder):
        run("degrade", "clean", *blur, "-o", "data", "-q")
        run("solve", "data", *blur, "--prior", "tv", "--truth", "clean", "-o", "out",
            "--report", "out", "-q")  # fmt: skip
        run("compare", "data/pilot.png", *blur, "--prior", "tv,wavelet,smooth,none",
            "--truth", "clean/pilot.png", "--report", "compare.html", "-q")  # fmt: skip


def save(page: Any, target: Path) -> None:
    """A screenshot as WebP of at most `LARGEST` bytes."""
    picture = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    for quality in (92, 85, 75, 60):
        picture.save(target, "WEBP", quality=quality, method=6)
        if target.stat().st_size <= LARGEST:
            return
    raise SystemExit(f"{target} is too large")


def shoot(folder: Path) -> None:
    """All screenshots."""
    FOLDER.mkdir(exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=shutil.which("chromium"), args=FLAGS)
        for name, (file, width, height, scheme, section) in SHOTS.items():
            window = {"width": width, "height": height}
            context = browser.new_context(viewport=window, color_scheme=scheme)
            page = context.new_page()
            page.goto((folder / file).as_uri())
            page.evaluate(
                "(name) => document.getElementById(name).scrollIntoView({behavior: 'instant'})",
                section,
            )
            page.wait_for_timeout(100)
            save(page, FOLDER / f"{name}.webp")
            context.close()
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as where:
        make(Path(where) if len(sys.argv) < 2 else Path(sys.argv[1]))
        shoot(Path(where) if len(sys.argv) < 2 else Path(sys.argv[1]))
