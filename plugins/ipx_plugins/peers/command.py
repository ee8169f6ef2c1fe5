"""The command: options and defaults; computations are in measure.py."""

from __future__ import annotations

import json
from dataclasses import asdict
from pathlib import Path
from typing import Any

import click

from ipx import UsageError, did_you_mean

ALL = "all"


@click.command()
@click.argument("picture", required=False, type=click.Path(path_type=Path))
@click.option("--task", default=ALL, show_default=True, help="Tasks, separated by commas, or all.")
@click.option("--library", default=ALL, show_default=True, help="Libraries, likewise.")
@click.option(
    "--size", type=click.IntRange(min=48), default=256, show_default=True, help="Side of a picture."
)
@click.option(
    "--count", type=click.IntRange(min=1), default=7, show_default=True, help="Timed runs of each."
)
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
@click.option("-q", "--quiet", is_flag=True, help="The table only.")
def peers(
    picture: Path | None,
    task: str,
    library: str,
    size: int,
    count: int,
    seed: int,
    as_json: bool,
    quiet: bool,
) -> None:
    """Compare speed with other libraries: same data, same weight, same objective, in turn.

    \b
    ipx bench peers
    ipx bench peers photo.png --task denoise,bm3d --library scikit-image,bm3d

    Total variation stops at the first step from which a method stays within 0.05 dB of where it
    ends. A library that is not installed is named and left out. Without PICTURE the camera man of
    scikit-image is taken.
    """
    from ipx_plugins.peers.measure import HEAD, LIBRARIES, compare, versions
    from ipx_plugins.peers.problem import TASKS, pose

    tasks = _named(task, list(TASKS), "task")
    libraries = _named(library, list(LIBRARIES), "library")
    if "ipx" not in libraries:
        libraries = ["ipx", *libraries]
    truth = _truth(picture, size)

    def note(text: str) -> None:
        if not quiet:
            click.echo(f"ipx: {text}", err=True)

    rows = []
    for name in tasks:
        rows += compare(pose(TASKS[name], truth, seed), libraries, count, note)
    if as_json:
        found = {"versions": versions(libraries), "rows": [asdict(row) for row in rows]}
        click.echo(json.dumps(found))
        return
    for line in (HEAD, ("---",) * len(HEAD), *(row.cells() for row in rows)):
        click.echo(f"| {' | '.join(line)} |")


def _named(text: str, known: list[str], what: str) -> list[str]:
    """The names in a list with commas, in the order of ``known``."""
    if text == ALL:
        return known
    asked = [name.strip() for name in text.split(",")]
    for name in asked:
        if name not in known:
            raise UsageError(
                f"no such {what}: {name}{did_you_mean(name, known)}; there are {', '.join(known)}"
            )
    return [name for name in known if name in asked]


def _truth(picture: Path | None, size: int) -> Any:
    """Grey, its middle square, shrunk to this size; ``(size, size)`` in [0, 1]."""
    import skimage

    from ipx import InputError
    from ipx.files.images import read

    ski: Any = skimage  # without types
    if picture is None:
        image = ski.data.camera() / 255.0
    else:
        pixels = read(picture).pixels
        image = ski.color.rgb2gray(pixels.transpose(1, 2, 0)) if len(pixels) == 3 else pixels[0]
    side = min(image.shape)
    if side < size:
        raise InputError(
            f"a picture of {image.shape[1]} x {image.shape[0]} pixels is below {size}; "
            f"--size {side} would do"
        )
    top, left = ((n - side) // 2 for n in image.shape)
    square = image[top : top + side, left : left + side]
    return ski.transform.resize(square, (size, size), anti_aliasing=True)
