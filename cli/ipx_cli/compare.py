"""``ipx compare``."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import click

from ipx.errors import UsageError
from ipx.files.limits import pixel_limit
from ipx.planning.request import CONCERNS
from ipx.planning.settings import SolveSettings
from ipx.planning.tree import AUTO
from ipx_cli import command, output, paths, progress
from ipx_cli.command import ComponentCommand, chosen
from ipx_cli.options import max_pixels, role_options, setting_options
from ipx_cli.values import Names, PathValue, Weight

DRAWN = ("estimate", "interval", "samples", "claim", "draws", "chains", "thin", "warmup")
"""Settings of draws from the posterior, which are not compared."""

KEPT = "doubtful"
"""Each result is that of the prior that it names."""

IGNORED = ("prior", "solver", "sampler", "output", KEPT, *DRAWN)
"""Keys of a configuration of ``ipx solve`` that do not count here."""


class CompareCommand(ComponentCommand):
    """Has the options of operator, noise and tuner; priors and solvers are lists of names."""

    roles = ("op", "noise", "tuner")
    settings = tuple(n for n in CONCERNS["solve"][1] if n not in (*DRAWN, KEPT))
    keys = ("lam", "inputs", "truth", "panel", "report", "max_pixels", *IGNORED)


@click.command(cls=CompareCommand)
@click.argument("files", nargs=-1, type=PathValue(path_type=Path))
@click.option(
    "--prior",
    "priors",
    multiple=True,
    type=Names("prior"),
    help="Priors, joined with commas; tv+wavelet is a sum.  [default: tv]",
)
@click.option(
    "--solver",
    "solvers",
    multiple=True,
    type=Names("solver"),
    help="Solvers, joined with commas; each goes with each prior.  [default: auto]",
)
@click.option("--lam", type=Weight(), multiple=True, help="Weight of every prior.  [default: auto]")
@click.option("--truth", type=PathValue(path_type=Path), help="The clean image, for PSNR and SSIM.")
@click.option("--panel", type=PathValue(path_type=Path), help="Save all images side by side.")
@click.option("--report", type=PathValue(path_type=Path), help="Save a page with table and images.")
@click.option("--config", type=PathValue(path_type=Path), help="TOML file, or an earlier record.")
@click.option("--force", is_flag=True, help="Also replace panels, and files that are no reports.")
@max_pixels()
@click.option("--json", "as_json", is_flag=True, help="A JSON array of rows on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="Only errors and --json.")
@click.pass_context
def compare(ctx: click.Context, /, files: tuple[Path, ...], **given: Any) -> int:
    """Restore an image with several priors and solvers, and compare the results.

    Without FILES, degrade and restore a bundled image. A pair that does not fit is a row with the
    reason.
    """
    request = command.request(ctx)
    priors = [name for names in given["priors"] for name in names] or ["tv"]
    solvers = [name for names in given["solvers"] for name in names] or [AUTO]
    found = chosen(ctx)
    config = None if found is None else found.config
    inputs = list(files) or ([] if config is None else config.inputs)
    if len(inputs) > 1:
        raise UsageError(f"compare takes one image, not {len(inputs)}")
    source = inputs[0] if inputs else None
    if source is None and given["truth"]:
        raise UsageError("--truth needs an image to restore; without files the truth is known")
    paths.must_exist(inputs)
    note = output.noter(given["quiet"])

    from ipx.jobs.compared import check_outputs, compare_file, write_comparison
    from ipx.report.comparison import warned

    where = given["panel"], given["report"]
    check_outputs(*where, given["force"])
    paths.keep(where, [*inputs, *request.files(), *command.configuration(ctx), given["truth"]])
    pace = progress.Pace(len(priors) * len(solvers))

    @contextmanager
    def watch(name: str) -> Iterator[Sequence[Any]]:
        from ipx.jobs.reporter import Reporting

        with pace.line(name, given["quiet"]) as report:
            yield [] if report is None else [Reporting(report, None)]

    with pixel_limit(given["max_pixels"]):
        results, notes = compare_file(
            request, source, priors, solvers, truth=given["truth"], watch=watch
        )
        title = "a bundled image" if source is None else source.name
        write_comparison(results, f"Comparison on {title}", *where)
    for line in notes:
        note(line)
    if given["as_json"]:
        output.json_array(results.rows)
    elif not given["quiet"]:
        click.echo(results)
        for line in warned(results.rows):
            note(line)
        click.echo("".join(f"-> {path}\n" for path in where if path is not None), nl=False)
    return output.FAILED if all(row["error"] for row in results.rows) else 0


compare.params[1:1] = [
    *role_options(CompareCommand.roles),
    *setting_options(SolveSettings, CompareCommand.settings),
]
