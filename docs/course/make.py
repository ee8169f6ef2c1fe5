"""Makes the pictures of the course pages, and checks the figures that their texts quote.

``python docs/course/make.py [PAGE ...] [--work FOLDER] [--inputs]``.

The pages hold the commands. Each console block of a page is run in one folder, in the order of the
page, and a picture ``pictures/NAME.webp`` of the page is made of NAME.png, which a command wrote.
What stands in the folder already is not made again, so an interrupted run goes on. What the
commands said is kept there, too: a number with two decimals in a text that no command of its page
said is told as out of date.
"""

from __future__ import annotations

import argparse
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path

import numpy as np
import skimage.data
from PIL import Image

from ipx.files.sheets import GAP

HERE = Path(__file__).parent
WIDE, NARROW = 900, 380
"""Pictures are made smaller than the first, and enlarged to about the second, in pixels."""

BETWEEN = 24
"""White pixels between the columns of a tall sheet."""

BLOCK = re.compile(r"^```console\n(.*?)^```$", re.MULTILINE | re.DOTALL)
PICTURE = re.compile(r"\]\(pictures/([\w-]+)\.webp\)")

FIGURE = re.compile(r"(?<![\w.])\d+\.\d\d(?![\w.]*\d)")
"""A number with two decimals."""

PAGES = ("restoration", "analysis", "autoencoders", "vae", "image_generation")
"""In the order of the seeds."""


def commands(page: Path) -> list[list[str]]:
    """The words of each command of a page, without ``$``."""
    lines = [line for text in BLOCK.findall(page.read_text("utf-8")) for line in text.splitlines()]
    return [shlex.split(line[2:], comments=True) for line in lines if line.startswith("$ ")]


def pictures(page: Path) -> list[str]:
    """Names of the pictures of a page."""
    return PICTURE.findall(page.read_text("utf-8"))


def outputs(words: Sequence[str]) -> list[str]:
    """The files and folders that a command writes; none if it only prints."""
    return [b for a, b in pairwise(words) if a in ("-o", "--panel", "--std")]


def inputs() -> Iterator[tuple[str, np.ndarray]]:
    """File name and values of the pictures that the commands read, all of scikit-image."""
    yield "camera.png", skimage.data.camera()[60:188, 170:298]
    yield "cat.png", skimage.data.chelsea()[20:276:2, 110:366:2]
    yield "cat64.png", skimage.data.chelsea()[20:276:4, 110:366:4]
    face = skimage.data.astronaut()[6:198, 128:320].reshape(64, 3, 64, 3, 3).mean((1, 3))
    yield "portrait.png", face.round().astype(np.uint8)
    yield "photo.png", skimage.data.astronaut()[:256, 96:352]
    yield "brick.png", skimage.data.brick()[:256:2, :256:2]
    yield "gravel.png", skimage.data.gravel()[:128, :128]
    yield "grass.png", skimage.data.grass()[:128, :128]
    yield "tissue.png", skimage.data.immunohistochemistry()[:384:2, :384:2]
    yield "others/brick.png", skimage.data.brick()[:384, :384]
    yield "others/grass.png", skimage.data.grass()[:384, :384]
    yield "others/coffee.png", skimage.data.coffee()[:384, :384].mean(2).astype(np.uint8)
    yield "colours/astronaut.png", skimage.data.astronaut()[::2, ::2]
    yield "colours/cat.png", skimage.data.chelsea()[::2, ::2]
    yield "colours/coffee.png", skimage.data.coffee()[::2, ::2]
    yield "colours/rocket.png", skimage.data.rocket()[::2, ::2]


def prepare(work: Path) -> None:
    """Write what the commands read."""
    for name, values in inputs():
        (work / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.ascontiguousarray(values)).save(work / name)


def call(words: Sequence[str], work: Path) -> tuple[int, str]:
    """Run ``ipx`` with these words in a folder: its exit status, and what it said."""
    command = [sys.executable, "-m", "ipx_cli.main", *words]
    done = subprocess.run(command, cwd=work, capture_output=True, text=True)
    return done.returncode, (done.stdout + done.stderr).strip()


def stale(page: Path, said: str) -> list[str]:
    """The figures in the text of a page that are not in what its commands said."""
    told = set(FIGURE.findall(said))
    return [f for f in FIGURE.findall(BLOCK.sub("", page.read_text("utf-8"))) if f not in told]


def run(page: Path, work: Path, kept: Path) -> int:
    """Run the commands of a page that have not been run yet; the number of those that failed.

    What they say is added to ``kept``.
    """
    failed = 0
    for words in commands(page):
        made = outputs(words)
        if made and all((work / name).exists() for name in made):
            continue
        began = time.perf_counter()
        code, said = call(words[1:], work)
        seconds = time.perf_counter() - began
        print(f"{seconds:5.0f} s  {shlex.join(words)}", flush=True)
        failed += code not in (0, 2)  # a refusal, with its reason, is a lesson
        with kept.open("a", encoding="utf-8") as file:
            file.write(f"$ {shlex.join(words)}\n{said}\n")
        if said and (code or not made):
            print("         " + said.replace("\n", "\n         "), flush=True)
    return failed


def folded(image: Image.Image) -> Image.Image:
    """A tall sheet of pictures in columns side by side, about as wide as tall.

    It is cut in the white gaps between its pictures; without a gap at each cut it stays as it is.
    """
    w, h = image.size
    columns = round((h / w) ** 0.5)
    if columns < 2 or (h + GAP) % columns:
        return image
    step = (h + GAP) // columns
    gaps = [image.crop((0, i * step - GAP, w, i * step)) for i in range(1, columns)]
    if any(low < 255 for gap in gaps for low, _ in gap.getextrema()):
        return image
    whole = Image.new("RGB", (columns * (w + BETWEEN) - BETWEEN, step - GAP), "white")
    for i in range(columns):
        part = image.crop((0, i * step, w, (i + 1) * step - GAP))
        whole.paste(part, (i * (w + BETWEEN), 0))
    return whole


def shrunk(source: Path, target: Path) -> None:
    """A picture in the size of the page: enlarged with pixels repeated, or made smaller."""
    image = folded(Image.open(source).convert("RGB"))
    if image.width < NARROW:
        times = min(-(-NARROW // image.width), max(1, WIDE // image.height))
        image = image.resize((image.width * times, image.height * times), Image.Resampling.NEAREST)
    if image.width > WIDE:
        size = (WIDE, round(image.height * WIDE / image.width))
        image = image.resize(size, Image.Resampling.LANCZOS)
    target.parent.mkdir(exist_ok=True)
    image.save(target, quality=78, method=6)


def main() -> int:
    """Run the pages, and make their pictures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("pages", nargs="*", choices=[*PAGES, []])
    parser.add_argument("--work", type=Path, help="folder to work in; a new one by default")
    parser.add_argument("--inputs", action="store_true", help="only write what commands read")
    given = parser.parse_args()
    work = given.work or Path(tempfile.mkdtemp(prefix="ipx-course-"))
    work.mkdir(parents=True, exist_ok=True)
    prepare(work)
    if given.inputs:
        print(f"the pictures that the commands read are in {work}")
        return 0
    failed = 0
    for name in given.pages or PAGES:
        page = HERE / f"{name}.md"
        kept = work / f"{name}.txt"
        failed += run(page, work, kept)
        if old := stale(page, kept.read_text("utf-8") if kept.exists() else ""):
            print(f"{page.name}: no command said {', '.join(old)}", flush=True)
            failed += 1
        for picture in pictures(page):
            source = work / f"{picture}.png"
            if source.exists():
                shrunk(source, HERE / "pictures" / f"{picture}.webp")
            else:
                print(f"no {source.name} for {page.name}", flush=True)
                failed += 1
    print(f"pictures from {work}")
    return min(failed, 1)


if __name__ == "__main__":
    sys.exit(main())
