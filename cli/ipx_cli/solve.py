"""``ipx solve``."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from ipx.errors import UsageError
from ipx.files.limits import pixel_limit
from ipx.jobs.assumed import assumptions, plan_for
from ipx.planning.plan import Plan
from ipx.planning.request import CONCERNS, Request
from ipx.planning.settings import SolveSettings
from ipx.planning.weights import Rule
from ipx_cli import batch, command, foreseen, output, paths, progress
from ipx_cli.command import ComponentCommand, chosen
from ipx_cli.folders import unfolded
from ipx_cli.options import max_pixels, role_options, setting_options
from ipx_cli.values import PathValue, Weight

FOLDER = "ipx-out"
BLANK: batch.Row = dict.fromkeys(
    (
        *("input", "output", "status", "plan", "lam", "rule", "sigma", "iterations", "seconds"),
        *("psnr_before", "psnr_after", "ssim_before", "ssim_after", "outputs"),
        *("warnings", "posterior"),
    )
)


@dataclass(frozen=True)
class Work:
    """The work of a command line.

    Attributes:
        request: the restoration.
        pairs: inputs and outputs; empty for the bundled image.
        read: files that are read besides the inputs.
        panels: the panel of each input.
        reports: the report of each input.
        deviations: the file of the standard deviation of each, if it is named.
        truths: the truth of each input.
        expect: sha256 of the input in the record given as configuration.
        argv: the command line.
        given: the other options.
    """

    request: Request
    pairs: list[tuple[Path, Path]]
    read: list[Path]
    argv: list[str]
    given: dict[str, Any]
    panels: dict[Path, Path] = field(default_factory=dict)
    reports: dict[Path, Path] = field(default_factory=dict)
    truths: dict[Path, Path] = field(default_factory=dict)
    deviations: dict[Path, Path] = field(default_factory=dict)
    expect: str | None = None

    @property
    def note(self) -> Callable[[str], None]:
        """Prints a note for the user."""
        return output.noter(self.given["quiet"])

    @property
    def show(self) -> Callable[[batch.Row], None]:
        """Prints a row."""
        as_json: bool = self.given["as_json"]
        return output.json_line if as_json else partial(_line, quiet=self.given["quiet"])


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
@max_pixels()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per image on stdout.")
@click.option("--dry-run", is_flag=True, help="Print the plan, memory and time; write nothing.")
@click.option("-q", "--quiet", is_flag=True, help="Only errors and --json.")
@click.pass_context
def solve(ctx: click.Context, /, files: tuple[Path, ...], **given: Any) -> int:
    """Restore FILES (a folder: all images in it).

    Without FILES, degrade and restore a bundled image.

    The options of a component are shown when it is chosen: ipx solve --op blur --help.
    """
    found = chosen(ctx)
    assert found is not None
    request = command.request(ctx)
    plan = request.plan()
    rule = request.rule(plan, truth=bool(given["truth"]) or not files)
    inputs = list(files) or (found.config.inputs if found.config is not None else [])
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
    inputs = unfolded(inputs, read, "solve", output.noter(given["quiet"]))
    assumed: list[str] = []
    if inputs:
        pairs = paths.pair(inputs, given["output"], "restored")
        panels = paths.beside(pairs, given["panel"], "panel", ".png")
        reports = paths.beside(pairs, given["report"], "report", ".html")
        deviations = paths.beside(pairs, given["std"], "std", ".tif")
        truths = paths.truths(pairs, given["truth"])
        others = {"panel": panels, "report": reports, "standard deviation": deviations}
        paths.protect(pairs, read, others, given["force"])
        # a record holds the hash of one input
        known = found.config is not None and not files and len(inputs) == 1
        expect = found.config.sha256 if known and found.config is not None else None
        work = Work(
            request, pairs, read, found.argv, given, panels, reports, truths, deviations, expect
        )
        assumed = [note for source, _ in pairs for note in assumptions(request, source)]
    elif given["truth"]:
        raise UsageError("--truth needs an image to restore; without files the truth is known")
    else:
        work = Work(request, [], read, found.argv, given)
    if given["dry_run"]:
        plan = plan_for(request, inputs[0]) if inputs else plan
        return _show_plan(work, plan, rule, assumed)
    with pixel_limit(given["max_pixels"]):
        return _restore(work) if inputs else _demonstrate(work)


solve.params[1:1] = role_options(SolveCommand.roles)
_after_lam = next(i for i, p in enumerate(solve.params) if p.name == "lam") + 1
solve.params[_after_lam:_after_lam] = setting_options(SolveSettings, SolveCommand.settings)


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
    for line in dict.fromkeys(assumed):
        work.note(line)
    if not work.given["as_json"]:
        drawing = work.request.drawing()
        found = [] if rule.name == "given" else [f"lam: {rule.line()}"]
        found += [] if drawing is None else drawing.lines()
        click.echo("\n".join([*plan.lines(), *found]))
    targets: list[dict[str, Any]] = []
    for source, target, taken in foreseen.each(
        work.request, work.pairs, work.given["max_pixels"], work.note
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


def _demonstrate(work: Work) -> int:
    """Degrade and restore a bundled image."""
    from ipx.files.lookup import by_suffix
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
                panel=given["panel"],
                report=page,
                reporter=Reporter(report, work.note, work.argv),
                force=given["force"],
                std=given["std"],
            )

    code = batch.run(
        [(Path("bundled photograph"), folder)], demo, work.show, BLANK, "restored", work.note
    )
    if not given["as_json"] and not given["quiet"] and code == 0:
        panel = given["panel"] or folder / "panel.png"
        click.echo(f"images and record in {folder}; side by side in {panel}")
    return code


def _restore(work: Work) -> int:
    """Restore the inputs one after the other."""
    from ipx.jobs.indexed import INDEX, check_replaced, write_index
    from ipx.jobs.reporter import Reporter
    from ipx.jobs.resume import finished
    from ipx.jobs.solve import solve_file

    request, given, note = work.request, work.given, work.note
    if given["report"] is not None and len(work.pairs) > 1:
        check_replaced(given["report"] / INDEX, given["force"])
    said: set[str] = set()
    pace = progress.Pace(len(work.pairs))

    def one(source: Path, target: Path) -> batch.Row:
        truth, panel = work.truths.get(source), work.panels.get(source)
        page = work.reports.get(source)
        if given["resume"]:
            before = finished("solve", request, source, target, truth, filter(None, (panel, page)))
            if before is not None:
                pace.skip()
                note(f"{source}: done before, skipped")
                return before
        with pace.line(source.name, given["quiet"]) as report:
            row = solve_file(
                request,
                source,
                target,
                truth=truth,
                panel=panel,
                report=page,
                reporter=Reporter(report, note, work.argv),
                expect=work.expect,
                force=given["force"],
                std=work.deviations.get(source),
            )
        for line in row["warnings"]:
            if line not in said:  # many inputs, one line
                note(line)
            said.add(line)
        return row

    rows: list[batch.Row] = []

    def show(row: batch.Row) -> None:
        rows.append(row)
        work.show(row)

    code = batch.run(work.pairs, one, show, BLANK, "restored", note)
    if given["report"] is not None and len(rows) > 1:
        at = given["report"] / INDEX
        write_index(at, rows, [work.reports.get(source) for source, _ in work.pairs])
        note(f"reports: {at}")
    return code


def _line(row: dict[str, Any], quiet: bool) -> None:
    if quiet or row["status"] == "failed":
        return
    words = {"budget": "stopped", "doubtful": "stopped", "unmixed": "stopped"}
    steps = row["iterations"]
    if row["status"] == "done":
        done = f"done in {steps} step{'s' if steps != 1 else ''}"
    else:
        word = words.get(row["status"], row["status"])
        done = f"{word} after {steps} iteration{'s' if steps != 1 else ''}"
    if not steps:  # `Prior.typical`
        done = "the start is already as likely as a clean image; no iteration was taken"
    parts = [f"{done} of {row['plan']['solver']} ({row['seconds']:.1f} s)"]
    if row["lam"] is not None:
        lams = row["lam"] if isinstance(row["lam"], list) else [row["lam"]]
        how = f" ({row['rule']})" if row["rule"] not in ("", "given") else ""
        parts.append(f"lam {' + '.join(map(output.number, lams))}{how}")
    if row.get("tiles") is not None:
        tiles = row["tiles"]
        parts.append(f"{tiles['count']} tiles, seams below {output.number(tiles['seam'], 2)}")
    if row["sigma"] is not None:
        parts.append(f"noise {output.number(row['sigma'])}")
    if row["psnr_after"] is not None:
        before = "" if row["psnr_before"] is None else f"{row['psnr_before']:.2f} -> "
        parts.append(f"PSNR {before}{row['psnr_after']:.2f} dB")
    if row["ssim_after"] is not None:
        parts.append(f"SSIM {row['ssim_before']:.3f} -> {row['ssim_after']:.3f}")
    if row.get("sam_after") is not None:
        parts.append(f"SAM {row['sam_before']:.2f} -> {row['sam_after']:.2f} degrees")
    parts += _drawn(row.get("posterior"))
    parts += [path for name, path in row.get("outputs", {}).items() if path != row["output"]]
    click.echo(f"{row['input']} -> {row['output']}: {', '.join(parts)}")


def _drawn(found: dict[str, Any] | None) -> list[str]:
    """What the draws tell, in words."""
    if found is None:
        return []
    parts = [f"{found['draws']} draws by {found['sampler']} ({found['seconds']:.1f} s)"]
    parts[0] += f", {found['ess']:.0f} effective"
    parts += [f"R-hat {value:.3f} ({name})" for name, value in (found["rhat"] or {}).items()]
    for text, (value, error) in found["claims"].items():
        parts.append(f"{text}: {output.number(value)} +- {output.number(error)}")
    return parts
