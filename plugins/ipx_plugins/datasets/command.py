"""The command: what there is, and a folder of it."""

from __future__ import annotations

import tempfile
from pathlib import Path

import click

from ipx.errors import InputError, UsageError, did_you_mean
from ipx.files.atomic import check_folder, one_line


@click.command(short_help="Fetch pictures to train on.")
@click.argument("name", required=False)
@click.option(
    "-o", "--output", type=click.Path(path_type=Path), help="Folder to make.  [default: NAME]"
)
@click.option("--count", type=click.IntRange(min=1), help="At most so many pictures a class.")
@click.option(
    "--size",
    type=click.IntRange(min=28),
    default=32,
    show_default=True,
    help="Side of grey pictures, which get a black border; 28: as they are.",
)
@click.option(
    "--package",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="A package file that was fetched before.",
)
@click.option("--force", is_flag=True, help="Replace OUTPUT.")
def data(
    name: str | None,
    output: Path | None,
    count: int | None,
    size: int,
    package: Path | None,
    force: bool,
) -> None:
    """Fetch the data set NAME into a folder for ipx train --data; without NAME list all.

    Each class is a sub-folder of PNG files. Packages come from the registries that pip and apt-get
    are set up for, and are not kept.
    """
    from ipx_plugins.datasets.sources import SOURCES

    if name is None:
        for key, source in SOURCES.items():
            click.echo(f"{key:12}{source.about}\n{'':12}{source.package}; {source.licence}")
        return
    if name not in SOURCES:
        raise UsageError(
            f"no data set {name!r}{did_you_mean(name, SOURCES)} (known: {', '.join(SOURCES)})"
        )
    folder = output if output is not None else Path(name)
    if folder.exists() and not (force and folder.is_dir()):
        raise UsageError(f"{folder} exists; --force replaces a folder")
    if folder.exists() and _foreign(folder):
        raise UsageError(f"{folder} holds more than classes of PNG files; name another folder")
    check_folder(folder.with_name(folder.name + ".png"))
    made = _written(name, folder, count, size, package)
    click.echo(f"{folder}: {made} pictures; licence: {SOURCES[name].licence}")


def _foreign(folder: Path) -> bool:
    """True if a folder is none that `data` has made: folders of PNG files, and nothing else."""
    here = Path.cwd().resolve()
    return folder.resolve() in (here, *here.parents) or not all(
        each.is_dir() and not each.is_symlink() and all(f.suffix == ".png" for f in each.iterdir())
        for each in folder.iterdir()
    )


def _written(name: str, folder: Path, count: int | None, size: int, package: Path | None) -> int:
    """Make the folder, whole or not at all; the number of pictures."""
    import numpy as np
    from PIL import Image

    from ipx_plugins.datasets.sources import SOURCES

    pictures, labels, classes = SOURCES[name].load(package)
    if pictures.ndim == 3:
        before = (size - pictures.shape[1]) // 2
        after = size - pictures.shape[1] - before
        pictures = np.pad(pictures, ((0, 0), (before, after), (before, after)))
    total = 0
    try:
        with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".ipx-data-") as part:
            for number, label in enumerate(classes):
                inside = Path(part) / "data" / label
                inside.mkdir(parents=True)
                chosen = pictures[labels == number][:count]
                for i, picture in enumerate(chosen):
                    Image.fromarray(picture).save(inside / f"{i:05d}.png")
                total += len(chosen)
            if folder.is_dir():
                folder.rename(Path(part) / "before")
            (Path(part) / "data").rename(folder)
    except OSError as e:
        raise InputError(f"{folder}: cannot be written: {one_line(e)}") from e
    return total
