"""``ipx solve``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ipx.errors import InputError, UsageError
from ipx.files.limits import pixel_limit
from ipx.jobs.assumed import assumptions, plan_for
from ipx.jobs.inputs import unfolded
from ipx.planning.plan import Plan
from ipx.planning.request import CONCERNS
from ipx.planning.settings import SolveSettings
from ipx.planning.weights import Rule
from ipx_cli import batch, command, foreseen, many, output, paths, progress
from ipx_cli.command import ComponentCommand, chosen
from ipx_cli.config import Config
from ipx_cli.options import max_pixels, role_options, setting_options
from ipx_cli.restoring import BLANK, Work, restored
from ipx_cli.values import PathValue, Weight

FOLDER = "ipx-out"


class SolveCommand(ComponentCommand):
    """Has the options of all roles of a request."""

    roles, settings = CONCERNS["solve"]
    keys = ("lam", "inputs", "output", "truth", "panel", "report", "std", "max_pixels")


@click.command(cls=SolveCommand)
@click.argument("files", nargs=-1, type=PathValue(path_type=Path))
@click.option(
    "--lam",
    type=Weight(),
    multiple=True,
    help="Weight of the prior; of a sum once for each, or auto for all.  [default: auto]",
)
@click.option(
    "-o",
    "--output",
    type=PathValue(),
    help="File (one input) or folder.  [default: NAME-restored.EXT]",
)
@click.option(
    "--truth",
    type=PathValue(path_type=Path),
    help="The clean image, for PSNR and SSIM; a folder of them for several inputs.",
)
@click.option(
    "--panel",
    type=PathValue(path_type=Path),
    help="Save degraded, restored, truth side by side; a folder for several inputs.",
)
@click.option(
    "--report",
    type=PathValue(path_type=Path),
    help="Save a page on the run, .html; a folder, with an index, for several inputs.",
)
@click.option(
    "--std",
    type=PathValue(path_type=Path),
    help="File of the standard deviation of draws; a folder for several inputs.  "
    "[default: OUTPUT-std.tif]",
)
@click.option("--config", type=PathValue(path_type=Path), help="TOML file, or an earlier record.")
@click.option("--resume", is_flag=True, help="Skip inputs already processed with the same request.")
@click.option("--force", is_flag=True, help="Also replace outputs that ipx has not written.")
@many.workers
@many.shard()
@max_pixels()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per image on stdout.")
@click.option("--dry-run", is_flag=True, help="Print the plan, memory and time; write nothing.")
@click.option("-q", "--quiet", is_flag=True, help="Only errors and --json.")
@click.pass_context
def solve(ctx: click.Context, /, files: tuple[Path, ...], **given: Any) -> int:
    """Restore FILES (a folder: all images in it; a pattern; a list .txt).

    Without FILES, degrade and restore a bundled image.

    The options of a component are shown when it is chosen: ipx solve --op blur --help.
    """
    found = chosen(ctx)
    assert found is not None
    request = command.request(ctx)
    plan = request.plan()
    rule = request.rule(plan, truth=bool(given["truth"]) or not files)
    inputs = list(files) or _of_record(found.config)
    for name in ("panel", "report", "std"):
        if _is_elsewhere(ctx, found, name):
            given[name] = None
    if given["std"] and not request.settings.sampled:
        raise UsageError(
            "--std is of draws from the posterior: ask for --estimate mmse or median, --interval, "
            "--samples or --claim"
        )
    read = request.files() + command.configuration(ctx)
    read += [given["truth"]] if given["truth"] else []
    found_files = unfolded(inputs, read, "solve", output.noter(given["quiet"]), _folders(given))
    inputs = [each.path for each in found_files.files]
    assumed: list[str] = []
    if inputs:
        units = many.units(found_files, given, request.settings.seed)
        read += [unit.truth for unit in units if unit.truth is not None]  # those of a folder
        # a record holds the hash of one input
        known = found.config is not None and not files and len(inputs) == 1
        expect = found.config.sha256 if known and found.config is not None else None
        work = Work(request, units, read, found.argv, given, expect, found_files.many)
        others = {
            "panel": {u.source: u.panel for u in units if u.panel is not None},
            "report": {u.source: u.report for u in units if u.report is not None},
            "standard deviation": {u.source: u.std for u in units if u.std is not None},
        }
        paths.protect(work.pairs, read, others, given["force"])
        assumed = [note for unit in units for note in assumptions(request, unit.source)]
    elif given["truth"]:
        raise UsageError("--truth needs an image to restore; without files the truth is known")
    else:
        work = Work(request, [], read, found.argv, given)
    if given["dry_run"]:
        plan = plan_for(request, inputs[0]) if inputs else plan
        return _show_plan(work, plan, rule, assumed)
    with pixel_limit(given["max_pixels"]):
        return restored(work) if inputs else _demonstrate(work)


solve.params[1:1] = role_options(SolveCommand.roles)
_after_lam = next(i for i, p in enumerate(solve.params) if p.name == "lam") + 1
solve.params[_after_lam:_after_lam] = setting_options(SolveSettings, SolveCommand.settings)


def _of_record(config: Config | None) -> list[Path]:
    """The inputs of a configuration file.

    Raises:
        InputError: that of a record is missing; tells what to do.
    """
    if config is None:
        return []
    for path in config.inputs if config.sha256 is not None else ():
        if not path.exists():
            raise InputError(
                f"{path}: no such file; {config.path} names it: put {path.name}, unchanged, beside "
                "that record, or give the input on the command line"
            )
    return config.inputs


def _folders(given: dict[str, Any]) -> list[Path]:
    """The folders of outputs and truths, whose images are no inputs."""
    named = [given[name] for name in ("output", "panel", "report", "std", "truth")]
    return [Path(path) for path in named if path and paths.is_folder(path)]


def _is_elsewhere(ctx: click.Context, found: command.Chosen, what: str) -> bool:
    """True if the panel or report is that of a record, which shows another input or output."""
    if found.config is None or found.config.sha256 is None:
        return False
    told = {name: ctx.get_parameter_source(name) for name in (what, "output")}
    repeated = told["output"] is ParameterSource.DEFAULT_MAP and not ctx.params["files"]
    return told[what] is ParameterSource.DEFAULT_MAP and not repeated


def _show_plan(work: Work, plan: Plan, rule: Rule, assumed: list[str]) -> int:
    """Print the plan, the outputs, what they take, and what is assumed; the inputs must exist."""
    paths.must_exist(source for source, _ in work.pairs)
    _check_formats(work)
    for line in dict.fromkeys(assumed):
        work.note(line)
    if not work.given["as_json"]:
        drawing = work.request.drawing()
        found = [] if rule.name == "given" else [f"lam: {rule.line()}"]
        found += [] if drawing is None else drawing.lines()
        click.echo("\n".join([*plan.lines(), *found]))
    targets: list[dict[str, Any]] = []
    for source, target, taken in foreseen.each(
        work.request, work.pairs, work.given["max_pixels"], work.note, work.given["quiet"]
    ):
        if not work.given["as_json"]:
            click.echo(f"{source} -> {target}{foreseen.text(taken)}")
        told = foreseen.plain(taken)
        targets.append({"input": str(source), "output": str(target), **told})
    if work.given["as_json"]:
        asked = work.request.to_mapping()
        output.json_line(
            {"plan": plan.to_json(), "rule": rule.line(), "pictures": targets, "request": asked}
        )
    return 0


def _check_formats(work: Work) -> None:
    """Refuse an output of a format that is not written; of several outputs it is noted."""
    if not work.pairs:
        return
    from ipx.files.images import written_format  # which takes a while

    for source, target in work.pairs:
        try:
            written_format(target)
        except InputError as e:
            if len(work.pairs) == 1:
                raise
            work.note(f"{source}: {e}")


def _demonstrate(work: Work) -> int:
    """Degrade and restore a bundled image."""
    from ipx.files.lookup import by_suffix
    from ipx.jobs.outputs import Outputs
    from ipx.jobs.reporter import Reporter
    from ipx.jobs.solve import solve_bundled

    request, given = work.request, work.given
    folder = Path(given["output"] or FOLDER)
    work.note(f"no files given: degrading and restoring the bundled {request.subject}")
    if by_suffix(folder) is not None:
        raise UsageError(f"without files {folder} must be a folder")
    beside = [folder / name for name in ("truth.png", "degraded.tif", "degraded.npy")]
    panels = {folder: given["panel"]} if given["panel"] else {}
    page = given["report"]
    page = page / "report.html" if page is not None and not page.suffix else page
    others = {"panel": panels, "report": {folder: page} if page else {}}
    beside += [] if panels else [folder / "panel.png"]
    pairs = [(folder, folder / "restored.png")]
    paths.protect(pairs, work.read, others, given["force"], beside)

    def demo(source: Path, target: Path) -> batch.Row:
        with progress.line(source.name, given["quiet"]) as report:
            return solve_bundled(
                request,
                folder,
                others=Outputs(panel=given["panel"], report=page, std=given["std"]),
                reporter=Reporter(report, work.note, work.argv),
                force=given["force"],
            )

    pair = (Path("bundled photograph"), folder)
    tally = batch.Tally(work.show, BLANK, work.note)
    code = batch.run(batch.each([pair], demo), tally, 1, "restored")
    if not given["as_json"] and not given["quiet"] and code == 0:
        panel = given["panel"] or folder / "panel.png"
        click.echo(f"images and record in {folder}; side by side in {panel}")
    return code
