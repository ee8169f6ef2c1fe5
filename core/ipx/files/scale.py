"""The option ``--scale`` of commands that write sheets of pictures. Imports nothing heavy."""

from __future__ import annotations

import click

SCALE = click.option(
    "--scale",
    type=click.IntRange(1, 64),
    help="Enlarge by this factor, pixels repeated.  [default: pictures of a sheet to 64 pixels]",
)
"""Its value is the argument ``scale`` of `ipx.files.sheets.sheet`: None if it is not given."""
