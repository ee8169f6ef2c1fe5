"""``ipx classifier``: labels of pictures, and what the units of the network see."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ipx.errors import InputError, UsageError
from ipx.files.atomic import check_folder
from ipx.files.lookup import pictures_of
from ipx.files.record import environment, record_path, write_record
from ipx_cli.options import SCALE
from ipx_plugins.classifier import LAYERS

if TYPE_CHECKING:
    from torch import Tensor

FILE = click.Path(path_type=Path)
LAYER = click.Choice(LAYERS)
WEIGHTS_OPTION = click.option(
    "--model.weights", "weights", default="auto", show_default=True, help="Shipped name, or a file."
)
OUTPUT = click.option("-o", "--output", type=FILE, required=True, help="Output file *.png.")
FORCE = click.option("--force", is_flag=True, help="Replace OUTPUT if it exists.")


@click.group(short_help="Label pictures, and show what a network sees.")
def classifier() -> None:
    """A small network that tells classes of pictures: use it, and see what it sees."""


@classifier.command()
@click.argument("inputs", nargs=-1, required=True, type=FILE)
@WEIGHTS_OPTION
def label(inputs: tuple[Path, ...], weights: str) -> None:
    """Print the likeliest class of each of INPUTS (pictures, folders), and its probability."""
    import torch

    model, net, names, _ = _loaded(weights)
    x, files = _pictures(inputs, model.only_shape)
    with torch.no_grad():
        p = torch.cat([model.probabilities(net, part) for part in torch.split(x, 128)])
    for file, share, number in zip(files, *p.max(1), strict=True):
        click.echo(f"{file}\t{names[int(number)]}\t{float(share):.3f}")


@classifier.command()
@click.argument("inputs", nargs=-1, required=True, type=FILE)
@WEIGHTS_OPTION
@click.option("--layer", type=LAYER, default="second", show_default=True, help="The filters.")
@click.option("--count", type=click.IntRange(min=1), default=9, show_default=True, help="A filter.")
@SCALE
@OUTPUT
@FORCE
def patches(
    inputs: tuple[Path, ...],
    weights: str,
    layer: str,
    count: int,
    scale: int | None,
    output: Path,
    force: bool,
) -> None:
    """Show the patches of INPUTS that excite each filter of a layer most, a row for a filter."""
    import torch

    from ipx_plugins.classifier.look import top_patches

    _writable(output, force)
    model, net, _, sha256 = _loaded(weights)
    x, _ = _pictures(inputs, model.only_shape)
    found = top_patches(net, x, layer, count)
    sheet = torch.cat([top.patches for top in found])
    strongest = [top.activations.tolist() for top in found]
    told = {"activations": strongest, "layer": layer, "scale": scale}
    _save(output, sheet, len(found[0].patches), "patches", sha256, told)
    click.echo(f"{output}: {len(found)} filters of the {layer} layer")


@classifier.command()
@WEIGHTS_OPTION
@click.option(
    "--layer",
    type=click.Choice([*LAYERS, "classes"]),
    default="classes",
    show_default=True,
    help="Filters of a layer, or the classes.",
)
@click.option("--steps", type=click.IntRange(min=1), default=200, show_default=True, help="Ascent.")
@SCALE
@OUTPUT
@FORCE
def maximise(
    weights: str, layer: str, steps: int, scale: int | None, output: Path, force: bool
) -> None:
    """Make a picture for each unit of a layer that it answers to most."""
    from ipx_plugins.classifier.look import maximised

    _writable(output, force)
    model, net, _, sha256 = _loaded(weights)
    made = maximised(model, net, layer, steps)
    told = {"layer": layer, "steps": steps, "scale": scale}
    _save(output, made, 10, "maximise", sha256, told)
    click.echo(f"{output}: {len(made)} pictures")


def _writable(output: Path, force: bool) -> None:
    if output.suffix.lower() != ".png":
        raise UsageError(f"{output}: write a file *.png")
    if output.exists() and not force:
        raise UsageError(f"{output} exists; --force replaces it")
    check_folder(output)


def _loaded(weights: str) -> tuple[Any, Any, list[str], str]:
    """Model, network, names of the classes, hash of the weights."""
    from ipx import load_weights

    loaded: Any = load_weights(weights, "classifier")
    numbers = [str(i) for i in range(loaded.model.classes)]
    names = loaded.card.get("classes") or numbers
    return loaded.model, loaded.network(), names, str(loaded.card["sha256"])


def _pictures(paths: tuple[Path, ...], shape: tuple[int, ...]) -> tuple[Tensor, list[str]]:
    """Pictures of files and folders ``(N, C, H, W)``, and their paths."""
    import torch

    from ipx.files.picture import picture

    files = pictures_of(paths)
    batch = [torch.from_numpy(picture(file, shape[0])) for file in files]
    for file, x in zip(files, batch, strict=True):
        if tuple(x.shape) != shape:
            raise InputError(f"{file}: has shape {tuple(x.shape)}, these weights are for {shape}")
    return torch.stack(batch), [str(file) for file in files]


def _save(
    path: Path, batch: Tensor, columns: int, action: str, sha256: str, told: dict[str, Any]
) -> None:
    """Write a sheet of pictures, enlarged as ``told`` says, and its record."""
    from ipx.files.images import write
    from ipx.files.sheets import sheet

    write(path, sheet(list(batch.numpy()), columns, told["scale"]), dtype="uint8")
    record = {
        "command": f"classifier {action}",
        "weights": {"sha256": sha256},
        **told,
        "environment": environment(),
    }
    write_record(record_path(path), record)
