"""More actions of ``ipx latent``: what codes look like together, and which picture is unusual."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ipx.errors import InputError, UsageError
from ipx_plugins.latent.command import (
    COLUMNS,
    FILE,
    SEED,
    SIZE,
    Done,
    action,
    as_grid,
    at_least,
    numbers,
    one_picture,
    reals,
)

if TYPE_CHECKING:
    from torch import Tensor

    from ipx_plugins.latent.coder import Coder, Plane

DIMS = click.option(
    "--dims",
    help="Two components of the code as axes, such as 0,1, or their names.  [default: the first "
    "two principal components of the pictures' codes]",
)


@action(".png", grid=True)
@click.argument("picture", type=FILE)
@click.option(
    "--with", "having", type=FILE, required=True, multiple=True, help="Folder with the attribute."
)
@click.option("--without", type=FILE, required=True, multiple=True, help="Folder without it.")
@click.option(
    "--multiples",
    default="-2,-1,0,1,2",
    show_default=True,
    callback=numbers,
    help="Multiples of the direction that are added to the code.",
)
@SIZE
def attribute(
    coded: Coder,
    picture: Path,
    having: tuple[Path, ...],
    without: tuple[Path, ...],
    multiples: list[float],
    size: int | None,
) -> Done:
    """Change attributes of PICTURE, each given by a folder with it and one without it.

    The direction is the difference of the mean codes of the folders (Kingma and Dhariwal 2018).
    Each pair --with, --without makes a row; for several pairs the last row has all at once.
    """
    import torch

    if len(having) != len(without):
        raise UsageError(
            f"give as many --without as --with: there are {len(without)} and {len(having)}"
        )
    z, shape = one_picture(coded, picture, size)
    directions = [
        _mean(coded, a, shape, size, picture) - _mean(coded, b, shape, size, picture)
        for a, b in zip(having, without, strict=True)
    ]
    norms = [float(d.norm()) for d in directions]
    if len(directions) > 1:
        directions.append(torch.stack(directions).sum(0))
    steps = torch.tensor(multiples)[:, None]
    moved = torch.cat([z + steps * direction for direction in directions])
    says = f"{len(norms)} attribute(s), {len(multiples)} multiples"
    save, told = as_grid(coded.decode(moved, shape), len(multiples), says)
    return save, {**told, "directions": {"norms": norms}}


def _mean(
    coded: Coder, folder: Path, shape: tuple[int, ...], size: int | None, like: Path
) -> Tensor:
    """The mean code of the pictures in a folder."""
    from ipx_plugins.latent.files import pictures

    x, _ = pictures([folder], coded.model.colors, size)
    if tuple(x.shape[1:]) != shape:
        raise InputError(f"{folder}: pictures differ in size from {like}; use --size")
    return coded.encode(x).mean(0)


@action(".png", grid=True)
@click.argument("inputs", nargs=-1, type=FILE)
@DIMS
@reals(
    "--reach",
    2.0,
    "Largest coordinate; 1 is a component of 1, or one standard deviation of the inputs.",
)
@at_least(2, "--steps", 9, "Pictures per side.")
@SIZE
def sheet(
    coded: Coder,
    inputs: tuple[Path, ...],
    dims: str | None,
    reach: float,
    steps: int,
    size: int | None,
) -> Done:
    """Decode a square of codes: two components (--dims), or the plane of the codes of INPUTS.

    The first coordinate grows to the right, the second upwards. The other components are 0, or
    those of the mean code of INPUTS.
    """
    import torch

    if not inputs and dims is None:
        dims = "0,1"
    plane, shape, _, _ = _plane(coded, inputs, dims, size)
    line = torch.linspace(-reach, reach, steps)
    up, right = torch.meshgrid(line.flip(0), line, indexing="ij")
    z = plane.codes(torch.stack([right.flatten(), up.flatten()], 1))
    save, told = as_grid(coded.decode(z, shape), steps, f"{steps} x {steps} codes")
    return save, {**told, "axes": plane.names}


@action(".png")
@click.argument("inputs", nargs=-1, required=True, type=FILE)
@DIMS
@SIZE
def scatter(coded: Coder, inputs: tuple[Path, ...], dims: str | None, size: int | None) -> Done:
    """Plot the codes of INPUTS as dots in two dimensions, with a colour for each folder.

    Ellipses are two standard deviations of the codes of a folder.
    """
    from ipx_plugins.latent import plots

    plane, _, z, labels = _plane(coded, inputs, dims, size)
    drawn = plots.scatter(plane.places(z).numpy(), labels, plane.names)
    says = f"{len(z)} codes of {len(set(labels))} folder(s)"
    return _written(drawn), {"says": says, "axes": plane.names}


@action(".png")
@click.argument("inputs", nargs=-1, required=True, type=FILE)
@DIMS
@click.option(
    "--side",
    type=click.IntRange(min=200, max=8000),
    default=900,
    show_default=True,
    help="Side of the plot in pixels.",
)
@SIZE
def population(
    coded: Coder, inputs: tuple[Path, ...], dims: str | None, side: int, size: int | None
) -> Done:
    """Show INPUTS themselves at the places of their codes in two dimensions.

    Where several would overlap, the first is shown.
    """
    from ipx_plugins.latent import plots
    from ipx_plugins.latent.files import pictures

    plane, _, z, _ = _plane(coded, inputs, dims, size)
    x, _ = pictures(inputs, coded.model.colors, size)
    drawn, shown = plots.population(plane.places(z).numpy(), x.numpy(), plane.names, side)
    return _written(drawn), {"says": f"{shown} of {len(x)} pictures", "axes": plane.names}


@action(".png", grid=True)
@click.argument("picture", type=FILE)
@reals("--spread", 0.5, "Standard deviation of what is added to each component of the code.")
@at_least(1, "--count", 15, "Number.")
@SEED
@SIZE
@COLUMNS
def around(
    coded: Coder,
    picture: Path,
    spread: float,
    count: int,
    seed: int,
    size: int | None,
    columns: int,
) -> Done:
    """Sample codes near that of PICTURE; the first picture of the grid is the decoded code."""
    import torch

    z, shape = one_picture(coded, picture, size)
    rng = torch.Generator().manual_seed(seed)
    near = z + spread * torch.randn(count, len(z), generator=rng)
    x = coded.decode(torch.cat([z[None], near]), shape)
    return as_grid(x, columns, f"{count} codes within {spread:g} of {picture.name}")


@action(".png")
@click.argument("inputs", nargs=-1, required=True, type=FILE)
@click.option(
    "--normal", type=FILE, required=True, help="Folder of usual pictures to compare with."
)
@SIZE
def anomaly(coded: Coder, inputs: tuple[Path, ...], normal: Path, size: int | None) -> Done:
    """Score how unusual INPUTS are, with histograms beside those of usual pictures.

    Two scores: the length of the code, |z| / sqrt(n), and the residual, the root mean square of
    x - D(E(x)). The record has both for each picture, and the share of usual pictures with less.
    """
    import torch

    from ipx_plugins.latent import plots
    from ipx_plugins.latent.files import pictures

    def scores(paths: tuple[Path, ...]) -> tuple[Tensor, list[str]]:
        x, names = pictures(paths, coded.model.colors, size)
        z = coded.encode(x)
        away = coded.decode(z, tuple(x.shape[1:])) - x
        return torch.stack([z.square().mean(1).sqrt(), away.square().mean((1, 2, 3)).sqrt()]), names

    asked, names = scores(inputs)
    usual, _ = scores((normal,))
    titles = ("code length |z| / sqrt(n)", "residual |x - D(E(x))|")
    drawn = plots.histograms(usual.numpy(), asked.numpy(), titles)
    below = (usual[:, None] < asked[:, :, None]).float().mean(2)
    rows = [
        {"name": n, "length": ln, "residual": r, "below": {"length": bl, "residual": br}}
        for n, ln, r, bl, br in zip(names, *asked.tolist(), *below.tolist(), strict=True)
    ]
    odd = int((below.amax(0) > 0.99).sum())
    says = f"{odd} of {len(names)} beyond 99 % of {usual.shape[1]} usual pictures"
    return _written(drawn), {"says": says, "scores": rows}


def _plane(
    coded: Coder, inputs: tuple[Path, ...], dims: str | None, size: int | None
) -> tuple[Plane, tuple[int, ...], Tensor, list[str]]:
    """The plane that options ask for, the shape of pictures, and codes and labels of inputs."""
    import torch

    from ipx_plugins.latent.coder import Plane
    from ipx_plugins.latent.files import labelled, pictures

    if not inputs:
        shape: tuple[int, ...] = coded.shape(size)
        base = torch.zeros(coded.model.latent_size(shape))
        assert dims is not None
        return Plane.of_dims(coded, base, dims), shape, base[None], []
    files, labels = labelled(inputs)
    x, _ = pictures(files, coded.model.colors, size)
    z = coded.encode(x)
    plane = Plane.principal(z) if dims is None else Plane.of_dims(coded, z.mean(0), dims)
    return plane, tuple(x.shape[1:]), z, labels


def _written(drawn: Any) -> Callable[[Path], None]:
    """A function that writes ``(3, H, W)``."""
    from ipx.files.images import write

    return lambda path: write(path, drawn, dtype="uint8")
