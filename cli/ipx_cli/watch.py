"""``ipx watch``."""

from __future__ import annotations

import time
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from ipx.errors import InputError, UsageError
from ipx.files.limits import pixel_limit
from ipx.jobs.arrivals import Arrivals
from ipx.jobs.inputs import Inputs, made_by
from ipx.jobs.manifest import Manifest
from ipx.jobs.unit import Unit, failed
from ipx.planning.request import CONCERNS
from ipx.planning.settings import SolveSettings
from ipx_cli import batch, command, many, paths
from ipx_cli.command import ComponentCommand, chosen
from ipx_cli.options import max_pixels, role_options, setting_options
from ipx_cli.restoring import BLANK, Restoring, Work, begun, manifest_of, restoring, solving_of
from ipx_cli.values import PathValue, Weight


class WatchCommand(ComponentCommand):
    """Has the options of all roles of a request."""

    roles, settings = CONCERNS["solve"]
    keys = ("lam", "inputs", "output", "truth", "panel", "report", "std", "max_pixels")


@click.command(cls=WatchCommand)
@click.argument("folder", type=PathValue(path_type=Path))
@click.option(
    "--lam",
    type=Weight(),
    multiple=True,
    help="Weight of the prior; of a sum once for each, or auto for all.  [default: auto]",
)
@click.option("-o", "--output", type=PathValue(), required=True, help="Folder of the outputs.")
@click.option("--panel", type=PathValue(path_type=Path), help="Folder of panels.")
@click.option("--config", type=PathValue(path_type=Path), help="TOML file, or an earlier record.")
@click.option("--force", is_flag=True, help="Also replace outputs that ipx has not written.")
@many.workers
@click.option(
    "--every",
    type=click.FloatRange(min=0.05, max=86400.0),
    default=2.0,
    help="Seconds between two looks at the folder.  [default: 2]",
)
@max_pixels()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per image on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="Only errors and --json.")
@click.pass_context
def watch(ctx: click.Context, /, folder: Path, **given: Any) -> int:
    """Restore the images in FOLDER, and those that come to it, until SIGINT or SIGTERM.

    An image is taken when its size has not changed from one look to the next; again if it changes.
    What is done already is skipped.
    """
    found = chosen(ctx)
    assert found is not None
    request = command.request(ctx)
    request.rule(request.plan(), truth=False)
    if not folder.is_dir():
        raise InputError(f"{folder}: is no folder")
    given |= {"resume": True, "truth": None, "report": None, "std": None}
    read = request.files() + command.configuration(ctx)
    work = Work(request, [], read, found.argv, given, many=True)
    with Manifest(manifest_of(work)) as manifest, pixel_limit(given["max_pixels"]):
        tally = batch.Tally(work.show, BLANK, work.note, manifest)
        work.note(f"watching {folder}; Ctrl-C ends it")
        # an interruption is the way to end it
        with suppress(KeyboardInterrupt), restoring(work, solving_of(work)) as run:
            _rounds(work, folder, tally, run)
    work.note(tally.summary(len(tally.codes), "restored"))
    return tally.status()


def _rounds(work: Work, folder: Path, tally: batch.Tally, run: Restoring) -> None:
    """Look, restore what has come, wait; until an interruption, or what ends a batch."""
    given = work.given
    named = [Path(given[name]) for name in ("output", "panel") if given[name]]
    skip = {path.resolve() for path in named}
    read = {path.resolve() for path in work.read}
    arrivals = Arrivals(folder, skip, lambda path: path.resolve() in read or made_by("solve", path))
    while not tally.stopped:
        files, ready = arrivals.look()
        units = many.units(Inputs(files, many=True), given, work.request.settings.seed)
        units = [unit for unit in units if unit.source in ready]
        if not units:
            time.sleep(given["every"])
            continue
        free = [unit for unit in units if _may_write(unit, work, tally)]
        free = [replace(unit, number=number) for number, unit in enumerate(free)]
        with closing(begun(work, run, free)) as ended:
            batch.take(ended, tally, given["on_error"] == "stop")


def _may_write(unit: Unit, work: Work, tally: batch.Tally) -> bool:
    """True unless the outputs of a unit would replace files that are not of ipx, which is told."""
    others = {"panel": {} if unit.panel is None else {unit.source: unit.panel}}
    try:
        paths.protect([(unit.source, unit.target)], work.read, others, work.given["force"])
    except UsageError as e:
        batch.take([failed(unit, e)], tally, work.given["on_error"] == "stop")
        return False
    return True


watch.params[1:1] = role_options(WatchCommand.roles)
_after_lam = next(i for i, p in enumerate(watch.params) if p.name == "lam") + 1
watch.params[_after_lam:_after_lam] = setting_options(SolveSettings, WatchCommand.settings)
