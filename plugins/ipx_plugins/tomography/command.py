"""``ipx rotation-centre``: the option ``centre`` of a sinogram."""

from __future__ import annotations

import json
from pathlib import Path

import click

from ipx_plugins.tomography import TomographyOptions


@click.command("rotation-centre", short_help="Find the rotation axis in a sinogram.")
@click.argument("sinogram", type=click.Path(path_type=Path))
@click.option(
    "--range",
    "whole",
    type=float,
    default=180.0,
    show_default=True,
    help="The angles, one for each row, divide this range in degrees.",
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def rotation_centre(sinogram: Path, whole: float, as_json: bool) -> None:
    """Find the rotation axis in a SINOGRAM (rows are angles) of parallel rays.

    Prints its offset from the middle of the detector in bins, for ``--op tomography --op.centre``.
    Where the object is inside the field of view at all angles, it is right to a fraction of a bin.
    """
    import numpy as np

    from ipx.files.images import read
    from ipx_plugins.tomography.centre import rotation_centre as found

    picture = read(sinogram, absolute=True)
    rows = picture.pixels.mean(0, dtype=np.float64)
    options = TomographyOptions(angles=len(rows), range=whole)
    offset = found(rows, np.asarray(options.degrees))
    click.echo(json.dumps({"centre": offset}) if as_json else f"{offset:.2f}")
