"""``ipx report``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ipx.errors import UsageError
from ipx.files.limits import pixel_limit
from ipx_cli import output
from ipx_cli.options import max_pixels
from ipx_cli.values import PathValue


@click.command()
@click.argument("records", nargs=-1, type=PathValue(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=PathValue(path_type=Path),
    help="The page, or the index of several.  [default: OUTPUT-report.html, index.html]",
)
@click.option("--force", is_flag=True, help="Also replace files that are no reports.")
@max_pixels()
@click.option("-q", "--quiet", is_flag=True, help="Only errors.")
def report(records: tuple[Path, ...], **given: Any) -> int:
    """Make the report of RECORDS of ipx solve: one HTML file, to be opened in a browser.

    A record is OUTPUT.json, or OUTPUT itself; a folder stands for all records in it. Several give
    an index with a page for each.
    """
    from ipx.jobs.indexed import report_again
    from ipx.jobs.reported import records_in

    if not records:
        raise UsageError("report needs a record of ipx solve, or a folder of them")
    with pixel_limit(given["max_pixels"]):
        found = records_in(records)
        target, missing = report_again(found, given["output"], given["force"])
    for line in missing:
        output.error(line)
    if not given["quiet"]:
        click.echo(f"{len(found)} run{'s' if len(found) > 1 else ''} -> {target}")
    return output.FAILED if missing else 0
