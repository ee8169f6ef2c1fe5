"""The command: options, files, records; computations are in coder.py, more actions in views.py."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ipx.errors import InputError, UsageError
from ipx.files.atomic import check_folder
from ipx.files.record import environment, record_path, write_record
from ipx_cli.options import SCALE

if TYPE_CHECKING:
    from torch import Tensor

    from ipx_plugins.latent.coder import Coder

FILE = click.Path(path_type=Path)


@click.group(short_help="Look into the codes of a generative model.")
def latent() -> None:
    """Codes of a generative model: encode, decode, sample, interpolate, ...

    The models are glow, realnvp, vae, gan, ae, vq-vae and others that generate. Grids are PNG
    files; a record FILE.json is written with each output.
    """


def numbers(ctx: object, parameter: object, value: str | None) -> list[float] | None:
    """A callback of click that reads numbers with commas between them."""
    if value is None:
        return None
    try:
        found = [float(part) for part in value.split(",")]
    except ValueError:
        raise click.BadParameter("give numbers with commas between them") from None
    return [finite(ctx, parameter, number) for number in found]


def finite(ctx: object, parameter: object, value: float) -> float:
    """A callback of click that refuses infinity and NaN."""
    if isinstance(value, float) and not math.isfinite(value):
        raise click.BadParameter(f"{value} is not finite")
    return value


SIZE = click.option(
    "--size",
    type=click.IntRange(min=1),
    help="Side of the pictures in pixels; inputs are cropped to the central square and resized.",
)
COLUMNS = click.option(
    "--columns", type=click.IntRange(min=1), default=8, show_default=True, help="Of the grid."
)
SEED = click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed."
)


def at_least(least: int, name: str, default: int, says: str) -> Callable[[Any], Any]:
    """An option for a whole number, ``least`` or more."""
    kind = click.IntRange(min=least)
    return click.option(name, type=kind, default=default, show_default=True, help=says)


def reals(name: str, default: float, says: str) -> Callable[[Any], Any]:
    """An option for a finite number that is not negative."""
    kind = click.FloatRange(min=0)
    return click.option(
        name, type=kind, callback=finite, default=default, show_default=True, help=says
    )


def action(suffix: str, grid: bool = False) -> Callable[[Callable[..., Any]], click.Command]:
    """Decorator of a subcommand: adds the options for model, weights and output, and the record.

    The function gets the coder and its own options. It returns a function that writes the output,
    and entries of the record. The option ``--scale`` of a grid goes to the former.
    """

    def decorate(function: Callable[..., tuple[Callable[..., None], dict[str, Any]]]) -> Any:
        @latent.command(function.__name__)
        @click.option("--model", default="glow", show_default=True, help="The generative model.")
        @click.option(
            "--model.weights",
            "weights",
            default="auto",
            show_default=True,
            help="Shipped name, or a file.",
        )
        @click.option("-o", "--output", type=FILE, required=True, help=f"Output file *{suffix}.")
        @click.option("--force", is_flag=True, help="Replace OUTPUT if it exists.")
        @click.option("--device", default="cpu", show_default=True, help="cpu, cuda, ...")
        @wraps(function)
        def run(
            model: str, weights: str, output: Path, force: bool, device: str, **given: Any
        ) -> None:
            if output.suffix.lower() != suffix:
                raise UsageError(f"{output}: latent {function.__name__} writes a file *{suffix}")
            for path in (output, record_path(output)):
                if path.exists() and not force:
                    raise UsageError(f"{path} exists; --force replaces it")
            check_folder(output)

            from ipx_plugins.latent.coder import coder

            coded = coder(model, weights, device)
            asked = dict(given)
            scale = [given.pop("scale")] if grid else []
            save, told = function(coded, **given)
            save(output, *scale)
            record = {
                "command": f"latent {function.__name__}",
                "model": model,
                "weights": {"name": weights, "sha256": coded.sha256},
                "options": asked,
                **told,
                "environment": environment(),
            }
            write_record(record_path(output), record)
            click.echo(f"{output}: {told['says']}")

        return SCALE(run) if grid else run

    return decorate


Done = tuple[Callable[..., None], dict[str, Any]]


def as_grid(batch: Tensor, columns: int, says: str) -> Done:
    """What an action returns for a grid of pictures."""
    from ipx_plugins.latent.files import grid

    return lambda path, scale: grid(path, batch, columns, scale), {"says": says}


def one_picture(coded: Coder, path: Path, size: int | None) -> tuple[Tensor, tuple[int, ...]]:
    """The code ``(n,)`` of one picture, and its shape."""
    from ipx_plugins.latent.files import pictures

    x, _ = pictures([path], coded.model.colors, size)
    if len(x) != 1:
        raise UsageError(f"{path}: give one picture, not a folder of {len(x)}")
    return coded.encode(x)[0], tuple(x.shape[1:])


@action(".npz")
@click.argument("inputs", nargs=-1, required=True, type=FILE)
@SIZE
def encode(coded: Coder, inputs: tuple[Path, ...], size: int | None) -> Done:
    """Encode INPUTS (pictures, folders) to an NPZ file: z, shape, model, sha256, names."""
    from ipx_plugins.latent.files import Codes, pictures

    x, names = pictures(inputs, coded.model.colors, size)
    z = coded.encode(x)
    codes = Codes(z, tuple(x.shape[1:]), coded.name, coded.sha256, names)
    per_number = (z.square().mean(1).sqrt()).tolist()
    return codes.save, {
        "says": f"{len(z)} code(s) of {z.shape[1]} numbers",
        "radius": per_number,  # |z| / sqrt(n): about 1 for pictures like the training's
    }


@action(".png", grid=True)
@click.argument("codes", type=FILE)
@COLUMNS
def decode(coded: Coder, codes: Path, columns: int) -> Done:
    """Decode the codes in the file CODES to a grid of pictures."""
    from ipx_plugins.latent.files import load_codes

    found = load_codes(codes)
    if found.model != coded.name or found.sha256 != coded.sha256:
        raise InputError(
            f"{codes}: holds codes of {found.model} with other weights (sha256 "
            f"{found.sha256[:12]}...) than {coded.name} has (sha256 {coded.sha256[:12]}...)"
        )
    x = coded.decode(found.z, found.shape)
    return as_grid(x, columns, f"{len(x)} picture(s)")


@action(".png", grid=True)
@at_least(1, "--count", 16, "Number.")
@reals(
    "--temperature",
    0.7,
    "Standard deviation of the codes; 1 samples the model, less gives typical pictures.",
)
@SEED
@SIZE
@COLUMNS
def sample(
    coded: Coder, count: int, temperature: float, seed: int, size: int | None, columns: int
) -> Done:
    """Draw random pictures from the model."""
    shape = coded.shape(size)
    z = coded.draw(count, shape, temperature, seed)
    return as_grid(
        coded.decode(z, shape), columns, f"{count} samples at temperature {temperature:g}"
    )


@action(".png", grid=True)
@click.argument("first", type=FILE)
@click.argument("second", type=FILE)
@at_least(2, "--steps", 8, "Pictures.")
@click.option(
    "--spherical", is_flag=True, help="On the sphere of the codes instead of a straight line."
)
@SIZE
def interpolate(
    coded: Coder, first: Path, second: Path, steps: int, spherical: bool, size: int | None
) -> Done:
    """Interpolate between FIRST and SECOND in the code, as a strip of pictures."""
    import torch

    from ipx_plugins.latent import coder

    a, shape = one_picture(coded, first, size)
    b, other = one_picture(coded, second, size)
    if shape != other:
        raise InputError(f"{second}: differs in size from {first}; --size resizes both")
    way = coder.spherical if spherical else coder.linear
    z = way(a, b, torch.linspace(0, 1, steps))
    return as_grid(coded.decode(z, shape), steps, f"{steps} steps")


@action(".png", grid=True)
@click.option(
    "--dims",
    default="0,1,2,3",
    show_default=True,
    help="Components of the code, numbered from 0, or by the names that the model gives them.",
)
@reals("--reach", 3.0, "Largest value of a component.")
@at_least(2, "--steps", 7, "Pictures per row.")
@click.option("--start", type=FILE, help="Picture whose code to start from.  [default: code 0]")
@SIZE
def traverse(
    coded: Coder, dims: str, reach: float, steps: int, start: Path | None, size: int | None
) -> Done:
    """Vary each component in DIMS from -REACH to REACH, one row per component."""
    import torch

    if start is None:
        shape: tuple[int, ...] = coded.shape(size)
        base = torch.zeros(coded.model.latent_size(shape))
    else:
        base, shape = one_picture(coded, start, size)
    components = coded.components(dims, len(base))
    z = base.repeat(len(components) * steps, 1)
    values = torch.linspace(-reach, reach, steps)
    for row, d in enumerate(components):
        z[row * steps : (row + 1) * steps, d] = values
    rows = ", ".join(coded.called(d) for d in components)
    return as_grid(coded.decode(z, shape), steps, f"{rows}, {steps} steps")
