"""``ipx psf``: the PSF of a picture of beads or stars, as a file."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ipx import InputError, UsageError


def _odd(context: click.Context, parameter: click.Parameter, value: int | None) -> int | None:
    if value is not None and value % 2 == 0:
        raise UsageError(f"--size must be odd, so that the PSF has a middle, not {value}")
    return value


@click.command("psf")
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
@click.option("--force", is_flag=True, help="Replace a file that is there.")
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def psf(picture: Path, output: Path | None, size: int | None, force: bool, as_json: bool) -> None:
    """Find the PSF in a PICTURE of beads or stars, for ``--op blur --op.kernel FILE``.

    Averages the bright spots that stand alone, each moved to its centre and without its background.
    A bead widens the PSF by its own diameter, a star does not.
    """
    import numpy as np

    from ipx.files.images import read, write
    from ipx_plugins.blur.spots import fit

    target = output or picture.with_name(f"{picture.stem}-psf.tif")
    if target.exists() and not force:
        raise UsageError(f"{target} exists; give --force to replace it, or another -o")
    pixels = read(picture).pixels.mean(0, dtype=np.float64)
    try:
        found = fit(pixels, size)
    except InputError as error:
        raise InputError(f"{picture}: {error}") from None
    write(target, found.psf[None], dtype="float32")
    told = {
        "input": str(picture),
        "output": str(target),
        "spots": found.spots,
        "left_out": found.left_out,
        "size": len(found.psf),
        "fwhm": found.fwhm,
        "error": found.error,
        "cut": found.cut,
    }
    if as_json:
        click.echo(json.dumps(told))
        return
    several = "spot" if found.spots == 1 else "spots"
    left = f" ({found.left_out} unlike them left out)" if found.left_out else ""
    click.echo(
        f"{picture} -> {target}: {found.spots} {several}{left}, {len(found.psf)} x "
        f"{len(found.psf)} pixels, FWHM {found.fwhm:.2f} pixels, error about {found.error:.1%}"
        + ("; the spots are too close to each other: the tails are cut" if found.cut else "")
    )
