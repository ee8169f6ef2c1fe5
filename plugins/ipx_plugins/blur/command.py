"""``ipx psf``: the PSF of a picture of beads or stars, as a file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ipx import InputError, UsageError

if TYPE_CHECKING:
    from ipx_plugins.blur.spots import Fitted


def _odd(context: click.Context, parameter: click.Parameter, value: int | None) -> int | None:
    if value is not None and value % 2 == 0:
        raise UsageError(f"--size must be odd, so that the PSF has a middle, not {value}")
    return value


def _pair(
    context: click.Context, parameter: click.Parameter, value: str | None
) -> tuple[int, int] | None:
    if value is None:
        return None
    try:
        rows, columns = (int(v) for v in value.split(","))
    except ValueError:
        rows = columns = 0
    if not (1 <= rows <= 99 and 1 <= columns <= 99):
        raise UsageError(f"--grid is ROWS,COLUMNS, such as 3,3, not {value}")
    return rows, columns


@click.command("psf", short_help="Find the PSF in a picture of beads or stars.")
@click.argument("picture", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="The file of the PSF, TIFF or NPY.  [default: NAME-psf.tif]",
)
@click.option(
    "--size",
    type=click.IntRange(3, 4001),
    callback=_odd,
    help="Side of the PSF in pixels, odd.  [default: what holds the spots]",
)
@click.option(
    "--grid",
    callback=_pair,
    metavar="ROWS,COLUMNS",
    help="A PSF for each part of the picture, for varying-blur; the file is NPY.",
)
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def psf(
    picture: Path,
    output: Path | None,
    size: int | None,
    grid: tuple[int, int] | None,
    force: bool,
    as_json: bool,
) -> None:
    """Find the PSF in a PICTURE of beads or stars, for ``--op blur --op.kernel FILE``.

    Averages the bright spots that stand alone, each moved to its centre and without its background.
    A bead widens the PSF by its own diameter, a star does not.
    """
    import numpy as np

    from ipx.files.images import read, write
    from ipx_plugins.blur.spots import fit, fit_grid

    target = output or picture.with_name(f"{picture.stem}-psf.{'npy' if grid else 'tif'}")
    if target.exists() and not force:
        raise UsageError(f"{target} exists; give --force to replace it, or another -o")
    if grid and target.suffix != ".npy":
        raise UsageError(f"{target}: PSFs on a grid are written to NPY")
    pixels = read(picture).pixels.mean(0, dtype=np.float64)
    try:
        found = fit_grid(pixels, grid, size) if grid else [fit(pixels, size)]
    except InputError as error:
        raise InputError(f"{picture}: {error}") from None
    if grid:
        stack = np.stack([f.psf for f in found]).astype(np.float32)
        _write_npy(target, stack.reshape(*grid, *stack.shape[1:]))
    else:
        write(target, found[0].psf[None], dtype="float32")
    told = [
        {
            "spots": f.spots,
            "left_out": f.left_out,
            "size": len(f.psf),
            "fwhm": f.fwhm,
            "error": f.error,
            "cut": f.cut,
        }
        for f in found
    ]
    if as_json:
        more = {"parts": told} if grid else told[0]
        click.echo(json.dumps({"input": str(picture), "output": str(target), **more}))
        return
    for k, f in enumerate(found):
        part = f" {k // grid[1] + 1},{k % grid[1] + 1}" if grid else ""
        click.echo(f"{picture} -> {target}{part}: {_words(f)}")


def _words(found: Fitted) -> str:
    several = "spot" if found.spots == 1 else "spots"
    left = f" ({found.left_out} unlike them left out)" if found.left_out else ""
    side = len(found.psf)
    return (
        f"{found.spots} {several}{left}, {side} x {side} pixels, FWHM {found.fwhm:.2f} pixels, "
        f"error about {found.error:.1%}"
        + ("; the spots are too close to each other: the tails are cut" if found.cut else "")
    )


def _write_npy(path: Path, values: Any) -> None:
    """Write an array, whole or not at all."""
    import io

    import numpy as np

    from ipx.files.atomic import write_atomic

    file = io.BytesIO()
    np.save(file, values)
    write_atomic(path, file.getvalue())
