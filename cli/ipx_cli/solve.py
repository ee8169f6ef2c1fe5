"""``ipx solve``."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Any

import click

from ipx.errors import InputError, UsageError
from ipx.planning.request import ROLES
from ipx_cli import batch, options, output, paths, progress
from ipx_cli.options import DEFAULTS, ComponentCommand, Name, Weight, chosen

FOLDER = "ipx-out"
BLANK: batch.Row = dict.fromkeys(
    (
        *("input", "output", "status", "plan", "lam", "sigma", "iterations", "seconds"),
        *("psnr_before", "psnr_after", "ssim_before", "ssim_after"),
    )
)


class SolveCommand(ComponentCommand):
    """Has options of all five roles."""

    roles = tuple(ROLES)


@click.command(cls=SolveCommand)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--op", type=Name("operator"), help=f"Operator.  [default: {DEFAULTS['op']}]")
@click.option("--noise", type=Name("noise"), help=f"Noise.  [default: {DEFAULTS['noise']}]")
@click.option("--prior", type=Name("prior"), help=f"Prior.  [default: {DEFAULTS['prior']}]")
@click.option(
    "--solver", type=Name("solver"), help="Solver; auto takes the best that fits.  [default: auto]"
)
@click.option(
    "--tuner", type=Name("tuner"), help=f"Rule for --lam auto.  [default: {DEFAULTS['tuner']}]"
)
@click.option("--lam", type=Weight(), help="Weight of the prior.  [default: auto]")
@click.option(
    "--iterations",
    type=click.IntRange(min=1),
    help="At most so many steps.",
)
@click.option(
    "--tol", type=click.FloatRange(min=0), help="Stop at this relative change.  [default: 1e-4]"
)
@click.option(
    "--start",
    help="Where to begin: preview (the data), mean or random (priors with a decoder), or the name "
    "of another prior.  [default: auto, the prior's choice]",
)
@click.option(
    "--restarts",
    type=click.IntRange(min=1),
    help="Solve from so many random starts and keep the lowest objective.  [default: 1]",
)
@click.option(
    "--keep",
    type=click.Choice(["last", "best"]),
    help="The last step, or the best by the objective.  [default: last]",
)
@click.option("--exact/--no-exact", default=None, help="Refuse approximate bridges.")
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    help="File (one input) or folder.  [default: NAME-restored.EXT]",
)
@click.option(
    "--truth",
    type=click.Path(path_type=Path),
    help="The clean picture, for PSNR and SSIM; a folder of them for several inputs.",
)
@click.option(
    "--panel",
    type=click.Path(path_type=Path),
    help="Save degraded, restored, truth side by side; a folder for several inputs.",
)
@click.option("--config", type=click.Path(path_type=Path), help="TOML file, or an earlier record.")
@click.option(
    "--seed",
    type=click.IntRange(0, (1 << 63) - 1),
    help="Of simulated noise and random starts.  [default: 0]",
)
@click.option("--device", help="Where to work: cpu, cuda, mps.  [default: cpu]")
@click.option("--resume", is_flag=True, help="Skip inputs that were done in the same way before.")
@click.option("--force", is_flag=True, help="Replace outputs that ipx has not written.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a picture on stdout.")
@click.option("--dry-run", is_flag=True, help="Print the plan; read and write no picture.")
@click.option("-q", "--quiet", is_flag=True, help="Errors and --json only.")
@click.pass_context
def solve(ctx: click.Context, /, files: tuple[Path, ...], **given: Any) -> int:
    """Restore FILES; without any, show what it does on a bundled photograph.

    Each component has options of its own, shown here once it is chosen: ipx solve --op blur
    --help.
    """
    found = chosen(ctx)
    assert found is not None
    config = found.config
    request = options.request(ctx)
    plan = request.plan()
    inputs = list(files) or (config.inputs if config is not None else [])
    pairs = paths.pair(inputs, given["output"], "restored") if inputs else []
    read = options.files_read(ctx, request)
    read += [given["truth"]] if given["truth"] else []
    folder = Path(given["output"] or FOLDER)
    if inputs:
        panels = _beside(pairs, given["panel"], "panel")
        truths = _truths(pairs, given["truth"])
        paths.protect(pairs, read, panels, given["force"])
    elif given["truth"]:
        raise UsageError("--truth needs a picture to restore; without files the truth is known")

    if given["dry_run"]:
        paths.must_exist(inputs)
        if given["as_json"]:
            targets = [{"input": str(s), "output": str(t)} for s, t in pairs]
            output.json_line(
                {"plan": plan.to_json(), "pictures": targets, "request": request.to_mapping()}
            )
        else:
            click.echo("\n".join(plan.lines()))
            for source, target in pairs:
                click.echo(f"{source} -> {target}")
        return 0

    from ipx.files.images import SUFFIXES
    from ipx.jobs.job import Watch, finished, solve_bundled, solve_file

    quiet = given["quiet"]
    note = output.noter(quiet)
    show = output.json_line if given["as_json"] else partial(_line, quiet=quiet)

    if not inputs:
        note(f"no files given: degrading and restoring the bundled {request.subject}")
        if folder.suffix.lower() in SUFFIXES:
            raise UsageError(f"without files {folder} is a folder of pictures; name a folder")
        beside = [folder / name for name in ("truth.png", "degraded.tif")]
        panels = {folder: given["panel"]} if given["panel"] else {}
        beside += [] if panels else [folder / "panel.png"]
        paths.protect([(folder, folder / "restored.png")], read, panels, given["force"], beside)

        def demo(source: Path, target: Path) -> dict[str, Any]:
            with progress.line(source.name, quiet) as step:
                watch = Watch(step, note, found.argv)
                return solve_bundled(request, folder, panel=given["panel"], watch=watch)

        pairs = [(Path("bundled photograph"), folder)]
        code = batch.run(pairs, demo, show, BLANK)
        if not given["as_json"] and not quiet and code == 0:
            panel = given["panel"] or folder / "panel.png"
            click.echo(f"pictures and record in {folder}; side by side in {panel}")
        return code

    # a record is of one input; of others, nothing is known
    expect = config.sha256 if config is not None and not files and len(inputs) == 1 else None

    def work(source: Path, target: Path) -> dict[str, Any]:
        if given["resume"]:
            before = finished(
                "solve", request, source, target, truths.get(source), panels.get(source)
            )
            if before is not None:
                note(f"{source}: done before, skipped")
                return before
        with progress.line(source.name, quiet) as step:
            return solve_file(
                request,
                source,
                target,
                truth=truths.get(source),
                panel=panels.get(source),
                watch=Watch(step, note, found.argv),
                expect=expect,
            )

    return batch.run(pairs, work, show, BLANK)


def _beside(pairs: list[tuple[Path, Path]], panel: Path | None, word: str) -> dict[Path, Path]:
    """The panel of each input: the file; in a folder, ``NAME-panel.png`` for several."""
    if panel is None:
        return {}
    if len(pairs) == 1 and panel.suffix:
        return {pairs[0][0]: panel}
    if panel.suffix and not panel.is_dir():
        raise UsageError(f"{len(pairs)} inputs need a folder for panels, and {panel} is a file")
    return {source: panel / f"{source.name}-{word}.png" for source, _ in pairs}


def _truths(pairs: list[tuple[Path, Path]], truth: Path | None) -> dict[Path, Path]:
    """The truth of each input: the file; in a folder, the file of the same name or stem."""
    if truth is None:
        return {}
    if not truth.is_dir():
        return {source: truth for source, _ in pairs}
    out = {}
    for source, _ in pairs:
        same = truth / source.name
        rest = sorted(p for p in truth.glob("*") if p.stem == source.stem and p.suffix != ".json")
        if not same.is_file() and len(rest) != 1:
            raise InputError(f"{truth}: has no truth for {source.name}, or several")
        out[source] = same if same.is_file() else rest[0]
    return out


def _line(row: dict[str, Any], quiet: bool) -> None:
    if quiet or row["status"] == "failed":
        return
    words = {"budget": "stopped", "converged": "converged", "diverged": "diverged"}
    steps = row["iterations"]
    done = f"{words[row['status']]} after {steps} iteration{'s' if steps != 1 else ''}"
    if not steps:  # `Prior.typical`
        done = "kept the start, to the prior as likely as a clean picture: no iteration"
    parts = [f"{done} of {row['plan']['solver']} ({row['seconds']:.1f} s)"]
    if row["lam"] is not None:
        parts.append(f"lam {output.number(row['lam'])}")
    if row["sigma"] is not None:
        parts.append(f"noise {output.number(row['sigma'])}")
    if row["psnr_after"] is not None:
        parts.append(f"PSNR {row['psnr_before']:.2f} -> {row['psnr_after']:.2f} dB")
        parts.append(f"SSIM {row['ssim_before']:.3f} -> {row['ssim_after']:.3f}")
    click.echo(f"{row['input']} -> {row['output']}: {', '.join(parts)}")
