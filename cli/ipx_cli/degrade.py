"""``ipx degrade``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ipx.errors import UsageError
from ipx.planning.request import checked, operator_capabilities
from ipx_cli import batch, options, output, paths
from ipx_cli.options import DEFAULTS, ComponentCommand, Name, chosen

BLANK: batch.Row = dict.fromkeys(
    ("input", "output", "status", "seed", "seconds", "clipped", "psnr", "ssim")
)


class DegradeCommand(ComponentCommand):
    """Has options of operator and noise."""

    roles = ("op", "noise")


@click.command(cls=DegradeCommand)
@click.argument("files", nargs=-1, type=click.Path(path_type=Path))
@click.option("--op", type=Name("operator"), help=f"Operator.  [default: {DEFAULTS['op']}]")
@click.option("--noise", type=Name("noise"), help=f"Noise.  [default: {DEFAULTS['noise']}]")
@click.option(
    "-o",
    "--output",
    type=click.Path(),
    help="File (one input) or folder.  [default: NAME-degraded.tif]",
)
@click.option("--seed", type=click.IntRange(0, (1 << 63) - 1), help="Of the noise.  [default: 0]")
@click.option("--config", type=click.Path(path_type=Path), help="TOML file, or an earlier record.")
@click.option("--device", help="Where to work: cpu, cuda, mps.  [default: cpu]")
@click.option("--resume", is_flag=True, help="Skip inputs that were done in the same way before.")
@click.option("--force", is_flag=True, help="Replace outputs that ipx has not written.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a picture on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="Errors and --json only.")
@click.pass_context
def degrade(ctx: click.Context, /, files: tuple[Path, ...], **given: Any) -> int:
    """Simulate a measurement of FILES: y = noise(A x).

    TIFF and NPY outputs hold float32, so the noise is neither rounded nor clipped. A noise
    whose level is not given takes its own default.
    """
    found = chosen(ctx)
    assert found is not None
    config = found.config
    request = options.request(ctx)
    operator_capabilities(request.op)
    checked("noise", request.noise)
    inputs = list(files) or (config.inputs if config is not None else [])
    if not inputs:
        raise UsageError("degrade needs at least one picture")
    pairs = paths.pair(inputs, given["output"], "degraded", ".tif")
    paths.protect(pairs, options.files_read(ctx, request), {}, given["force"])

    from ipx.jobs.job import Watch, degrade_file, finished

    note = output.noter(given["quiet"])
    watch = Watch(note=note, command=found.argv)

    def work(source: Path, target: Path) -> dict[str, Any]:
        if given["resume"]:
            before = finished("degrade", request, source, target)
            if before is not None:
                note(f"{source}: done before, skipped")
                return before
        return degrade_file(request, source, target, watch=watch)

    def show(row: dict[str, Any]) -> None:
        if given["as_json"]:
            output.json_line(row)
        elif not given["quiet"] and row["status"] == "ok":
            alike = row["psnr"] is not None
            seen = f"PSNR {row['psnr']:.2f} dB, SSIM {row['ssim']:.3f}, " if alike else ""
            click.echo(f"{row['input']} -> {row['output']}: {seen}seed {row['seed']}")

    return batch.run(pairs, work, show, BLANK)
