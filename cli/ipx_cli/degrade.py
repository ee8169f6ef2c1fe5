"""``ipx degrade``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from ipx.errors import UsageError
from ipx.files.limits import pixel_limit
from ipx.files.lookup import complex_formats
from ipx.jobs.inputs import unfolded
from ipx.jobs.unit import seed_of
from ipx.planning.request import CONCERNS, Request
from ipx.planning.settings import SolveSettings
from ipx_cli import batch, command, output, paths
from ipx_cli.command import ComponentCommand, chosen
from ipx_cli.options import max_pixels, role_options, setting_options
from ipx_cli.values import PathValue

BLANK: batch.Row = dict.fromkeys(
    ("input", "output", "status", "seed", "seconds", "clipped", "psnr", "ssim")
)


class DegradeCommand(ComponentCommand):
    """Has the options of operator and noise."""

    roles, settings = CONCERNS["degrade"]
    keys = ("inputs", "output", "max_pixels")


@click.command(cls=DegradeCommand)
@click.argument("files", nargs=-1, type=PathValue(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=PathValue(),
    help="File (one input) or folder.  [default: NAME-degraded.tif]",
)
@click.option("--config", type=PathValue(path_type=Path), help="TOML file, or an earlier record.")
@click.option("--resume", is_flag=True, help="Skip inputs already processed with the same request.")
@click.option("--force", is_flag=True, help="Also replace outputs that ipx has not written.")
@max_pixels()
@click.option("--json", "as_json", is_flag=True, help="One JSON object per image on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="Only errors and --json.")
@click.pass_context
def degrade(ctx: click.Context, /, files: tuple[Path, ...], **given: Any) -> int:
    """Simulate a measurement of FILES (a folder: all images in it): y = noise(A x).

    TIFF and NPY outputs hold float32, so the noise is neither rounded nor clipped. Without a level
    the noise takes its default. Of several images each has a seed of its own, made of --seed and
    its path in the tree.
    """
    found = chosen(ctx)
    assert found is not None
    config = found.config
    request = command.request(ctx)
    suffix = complex_formats()[0].suffixes[0] if _complex(request) else ".tif"
    request.tree("noise")
    inputs = list(files) or (config.inputs if config is not None else [])
    if not inputs:
        raise UsageError("degrade needs at least one image")
    note, read = output.noter(given["quiet"]), request.files("degrade")
    read += command.configuration(ctx)
    leave = [Path(given["output"])] if given["output"] else []
    found_files = unfolded(inputs, read, "degrade", note, leave)
    pairs = paths.pair(
        found_files.files, given["output"], "degraded", suffix, many=found_files.many
    )
    if _complex(request):  # in a folder an output has the name of its input, but not its format
        named = given["output"]
        pairs = [(s, t if str(t) == named else _of(t, suffix)) for s, t in pairs]
    paths.protect(pairs, read, {}, given["force"])
    several = found_files.many or len(pairs) > 1
    names = [each.name.as_posix() for each in found_files.files]
    own = {
        target: request.seeded(seed_of(name, request.settings.seed)) if several else request
        for name, (_, target) in zip(names, pairs, strict=True)
    }

    from ipx.jobs.degrade import degrade_file
    from ipx.jobs.reporter import Reporter
    from ipx.jobs.resume import finished

    reporter = Reporter(note=note, command=found.argv)

    def work(source: Path, target: Path) -> dict[str, Any]:
        if given["resume"]:
            before = finished("degrade", own[target], source, target)
            if before is not None:
                note(f"{source}: done before, skipped")
                return before
        return degrade_file(own[target], source, target, reporter=reporter)

    def show(row: dict[str, Any]) -> None:
        if given["as_json"]:
            output.json_line(row)
        elif not given["quiet"] and row["status"] == "ok":
            alike = row["psnr"] is not None
            seen = f"PSNR {row['psnr']:.2f} dB, SSIM {row['ssim']:.3f}, " if alike else ""
            click.echo(f"{row['input']} -> {row['output']}: {seen}seed {row['seed']}")

    with pixel_limit(given["max_pixels"]):
        tally = batch.Tally(show, BLANK, note)
        return batch.run(batch.each(pairs, work), tally, len(pairs), "degraded")


def _of(target: Path, suffix: str) -> Path:
    """A path with this suffix; the old one stays, since a.png and a.jpg may lie in one folder."""
    return target if target.suffix.lower() == suffix else target.with_name(target.name + suffix)


def _complex(request: Request) -> bool:
    """True if the data are complex; raises if a part of the operator is not linear."""
    return request.tree("op").facts.traits.complex


degrade.params[1:1] = [
    *role_options(DegradeCommand.roles),
    *setting_options(SolveSettings, DegradeCommand.settings),
]
