"""The command: options, files, records. What is computed is in coder.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ipx.errors import InputError, UsageError
from ipx.files.record import check_folder, environment, record_path, write_record

if TYPE_CHECKING:
    from torch import Tensor

    from ipx_plugins.latent.coder import Coder

FILE = click.Path(path_type=Path)


@click.group()
def latent() -> None:
    """Codes of a generative model: encode, decode, sample, interpolate, ...

    The models are glow, realnvp, vae, gan and whatever generative model a plugin brings. Grids
    are PNG; a record FILE.json lies beside each.
    """


def _numbers(kind: Callable[[str], Any]) -> Callable[[Any, Any, str | None], list[Any] | None]:
    def parse(ctx: object, parameter: object, value: str | None) -> list[Any] | None:
        if value is None:
            return None
        try:
            found = [kind(part) for part in value.split(",")]
        except ValueError:
            raise click.BadParameter("give numbers with commas between them") from None
        return [_finite(ctx, parameter, number) for number in found]

    return parse


def _finite(ctx: object, parameter: object, value: float) -> float:
    if isinstance(value, float) and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not finite")
    return value


SIZE = click.option(
    "--size",
    type=click.IntRange(min=1),
    help="Side of the pictures: the middle square of what is read, resized; of what is made.",
)
COLUMNS = click.option(
    "--columns", type=click.IntRange(min=1), default=8, show_default=True, help="Of the grid."
)


def _action(suffix: str) -> Callable[[Callable[..., Any]], click.Command]:
    """A subcommand with what all have: model, weights, output, record.

    The function gets the coder and its own options, returns a function that writes the output
    and what the record is told.
    """

    def decorate(function: Callable[..., tuple[Callable[[Path], None], dict[str, Any]]]) -> Any:
        @latent.command(function.__name__)
        @click.option("--model", default="glow", show_default=True, help="The generative model.")
        @click.option(
            "--weights", default="auto", show_default=True, help="A shipped name, or a file."
        )
        @click.option("-o", "--output", type=FILE, required=True, help=f"A file *{suffix}.")
        @click.option("--force", is_flag=True, help="Replace OUTPUT.")
        @click.option("--device", default="cpu", show_default=True, help="cpu, cuda, ...")
        @wraps(function)
        def run(
            model: str, weights: str, output: Path, force: bool, device: str, **given: Any
        ) -> None:
            if output.suffix.lower() != suffix:
                raise UsageError(f"{output}: latent {function.__name__} writes a file *{suffix}")
            if output.exists() and not force:
                raise UsageError(f"{output} exists; --force replaces it")
            check_folder(output)

            from ipx_plugins.latent.coder import coder

            coded = coder(model, weights, device)
            save, told = function(coded, **given)
            save(output)
            record = {
                "command": f"latent {function.__name__}",
                "model": model,
                "weights": {"name": weights, "sha256": coded.sha256},
                "options": given,
                **told,
                "environment": environment(),
            }
            write_record(record_path(output), record)
            click.echo(f"{output}: {told['says']}")

        return run

    return decorate


Done = tuple[Callable[[Path], None], dict[str, Any]]


def _grid(batch: Tensor, columns: int, says: str) -> Done:
    from ipx_plugins.latent.files import grid

    return lambda path: grid(path, batch, columns), {"says": says}


def _picture(coded: Coder, path: Path, size: int | None) -> tuple[Tensor, tuple[int, ...]]:
    """The code ``(n,)`` of one picture, and its shape."""
    from ipx_plugins.latent.files import pictures

    x, _ = pictures([path], coded.model.colors, size)
    if len(x) != 1:
        raise UsageError(f"{path}: give one picture, not a folder of {len(x)}")
    return coded.encode(x)[0], tuple(x.shape[1:])


@_action(".npz")
@click.argument("inputs", nargs=-1, required=True, type=FILE)
@SIZE
def encode(coded: Coder, inputs: tuple[Path, ...], size: int | None) -> Done:
    """Codes of INPUTS (pictures, folders) to an NPZ file: z, shape, model, sha256, names."""
    from ipx_plugins.latent.files import Codes, pictures

    x, names = pictures(inputs, coded.model.colors, size)
    z = coded.encode(x)
    codes = Codes(z, tuple(x.shape[1:]), coded.name, coded.sha256, names)
    per_number = (z.square().mean(1).sqrt()).tolist()
    return codes.save, {
        "says": f"{len(z)} code(s) of {z.shape[1]} numbers",
        "radius": per_number,  # |z| / sqrt(n): about 1 for what the model knows
    }


@_action(".png")
@click.argument("codes", type=FILE)
@COLUMNS
def decode(coded: Coder, codes: Path, columns: int) -> Done:
    """Pictures of the codes in the file CODES, as a grid."""
    from ipx_plugins.latent.files import load_codes

    found = load_codes(codes)
    if found.model != coded.name or found.sha256 != coded.sha256:
        raise InputError(
            f"{codes}: holds codes of {found.model} with other weights (sha256 "
            f"{found.sha256[:12]}...) than {coded.name} has (sha256 {coded.sha256[:12]}...)"
        )
    x = coded.decode(found.z, found.shape)
    return _grid(x, columns, f"{len(x)} picture(s)")


@_action(".png")
@click.option("--count", type=click.IntRange(min=1), default=16, show_default=True, help="Samples.")
@click.option(
    "--temperature",
    type=click.FloatRange(min=0),
    callback=_finite,
    default=0.7,
    show_default=True,
    help="Deviation of the codes; 1 draws from the model, less gives tamer pictures.",
)
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Of the codes."
)
@SIZE
@COLUMNS
def sample(
    coded: Coder, count: int, temperature: float, seed: int, size: int | None, columns: int
) -> Done:
    """Pictures that the model makes up."""
    import torch

    shape = coded.shape(size)
    rng = torch.Generator().manual_seed(seed)
    z = temperature * torch.randn(count, coded.model.latent_size(shape), generator=rng)
    return _grid(coded.decode(z, shape), columns, f"{count} samples at temperature {temperature:g}")


@_action(".png")
@click.argument("first", type=FILE)
@click.argument("second", type=FILE)
@click.option("--steps", type=click.IntRange(min=2), default=8, show_default=True, help="Pictures.")
@click.option(
    "--spherical", is_flag=True, help="On the sphere that codes lie on; else a straight line."
)
@SIZE
def interpolate(
    coded: Coder, first: Path, second: Path, steps: int, spherical: bool, size: int | None
) -> Done:
    """A strip of pictures from FIRST to SECOND."""
    import torch

    from ipx_plugins.latent import coder

    a, shape = _picture(coded, first, size)
    b, other = _picture(coded, second, size)
    if shape != other:
        raise InputError(f"{second}: is not of the size of {first}; --size brings both to one")
    way = coder.spherical if spherical else coder.linear
    z = way(a, b, torch.linspace(0, 1, steps))
    return _grid(coded.decode(z, shape), steps, f"{steps} steps")


@_action(".png")
@click.argument("picture", type=FILE)
@click.option("--with", "having", type=FILE, required=True, help="Folder of pictures that have it.")
@click.option("--without", type=FILE, required=True, help="Folder of pictures that have it not.")
@click.option(
    "--multiples",
    default="-2,-1,0,1,2",
    show_default=True,
    callback=_numbers(float),
    help="Of the direction, added to the code.",
)
@SIZE
def attribute(
    coded: Coder,
    picture: Path,
    having: Path,
    without: Path,
    multiples: list[float],
    size: int | None,
) -> Done:
    """More and less of what one folder of pictures has and the other has not.

    The direction is the difference of the means of their codes (Kingma and Dhariwal 2018).
    """
    import torch

    from ipx_plugins.latent.files import pictures

    z, shape = _picture(coded, picture, size)
    means = []
    for folder in (having, without):
        x, _ = pictures([folder], coded.model.colors, size)
        if tuple(x.shape[1:]) != shape:
            raise InputError(f"{folder}: pictures are not of the size of {picture}; use --size")
        means.append(coded.encode(x).mean(0))
    direction = means[0] - means[1]
    moved = z + torch.tensor(multiples)[:, None] * direction
    save, told = _grid(coded.decode(moved, shape), len(multiples), f"{len(multiples)} multiples")
    return save, {**told, "direction": {"norm": float(direction.norm())}}


@_action(".png")
@click.option(
    "--dims",
    default="0,1,2,3",
    show_default=True,
    callback=_numbers(int),
    help="Which numbers of the code, from 0.",
)
@click.option(
    "--reach",
    type=click.FloatRange(min=0),
    callback=_finite,
    default=3.0,
    show_default=True,
    help="How far.",
)
@click.option(
    "--steps", type=click.IntRange(min=2), default=7, show_default=True, help="Pictures a row."
)
@click.option("--start", type=FILE, help="A picture whose code to start from, instead of 0.")
@SIZE
def traverse(
    coded: Coder, dims: list[int], reach: float, steps: int, start: Path | None, size: int | None
) -> Done:
    """A row for each of DIMS: that number of the code goes from -REACH to REACH."""
    import torch

    if start is None:
        shape: tuple[int, ...] = coded.shape(size)
        base = torch.zeros(coded.model.latent_size(shape))
    else:
        base, shape = _picture(coded, start, size)
    for d in dims:
        if not 0 <= d < len(base):
            raise UsageError(f"dims: the code has numbers 0 to {len(base) - 1}, {d} is none")
    z = base.repeat(len(dims) * steps, 1)
    values = torch.linspace(-reach, reach, steps)
    for row, d in enumerate(dims):
        z[row * steps : (row + 1) * steps, d] = values
    return _grid(coded.decode(z, shape), steps, f"{len(dims)} dimensions, {steps} steps")
