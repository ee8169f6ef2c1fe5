"""``ipx generate``."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import click

from ipx.declare.registry import registry
from ipx.errors import UsageError
from ipx.files.record import record_path
from ipx_cli import command, output
from ipx_cli.command import ComponentCommand
from ipx_cli.options import SCALE, max_pixels
from ipx_cli.paths import keep
from ipx_cli.values import Name, PathValue


class GenerateCommand(ComponentCommand):
    """Has the options of the generator."""

    roles = ("generator",)


class SizeValue(click.ParamType):  # type: ignore[type-arg]  # not generic in older click
    """``HEIGHTxWIDTH`` in pixels, or one number for both."""

    name = "HEIGHTxWIDTH"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """Height and width."""
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"([1-9]\d{0,5})(?:x([1-9]\d{0,5}))?", str(value).lower())
        if found is None:
            self.fail(f"{value!r} is no size; give HEIGHTxWIDTH in pixels, such as 512x512")
        return int(found[1]), int(found[2] or found[1])


@click.command(cls=GenerateCommand)
@click.argument("generator", type=Name("generator"), metavar="GENERATOR")
@click.argument("files", nargs=-1, type=PathValue(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=PathValue(path_type=Path),
    required=True,
    help="The picture; several are one sheet.",
)
@click.option("--size", type=SizeValue(), help="Height and width.  [default: the generator's]")
@click.option("--count", type=click.IntRange(1, 4096), default=1, help="How many.  [default: 1]")
@click.option("--columns", type=click.IntRange(min=1), default=8, help="Of a sheet.  [default: 8]")
@SCALE
@click.option("--seed", type=click.IntRange(min=0), default=0, help="Random seed.  [default: 0]")
@click.option("--force", is_flag=True, help="Replace OUTPUT.")
@max_pixels()
@click.option("--json", "as_json", is_flag=True, help="Print the record on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="Only errors and --json.")
@click.pass_context
def generate(ctx: click.Context, /, generator: str, files: tuple[Path, ...], **given: Any) -> int:
    """Make new pictures with GENERATOR, from the pictures FILES that it takes.

    \b
    ipx generate texture brick.png -o wall.png --size 512x512
    ipx generate style photo.png painting.png -o out.png
    ipx generate vae -o faces.png --count 16
    """
    target: Path = given["output"]
    for path in (target, record_path(target)):
        if path.exists() and not given["force"]:
            raise UsageError(f"{path} exists; --force replaces it")
    keep([target], files)
    values = dict(dict(command.tables(ctx))["generator"])
    values.pop("name")
    spec = registry().get("generator", generator)
    options = registry().options("generator", generator, values)

    from ipx.files.limits import pixel_limit
    from ipx.jobs.generate import generate as run

    with pixel_limit(given["max_pixels"]):
        record = run(
            registry().create(spec, options=options),
            spec.id,
            list(files),
            target,
            size=given["size"],
            count=given["count"],
            columns=given["columns"],
            scale=given["scale"],
            seed=given["seed"],
        )
    if given["as_json"]:
        output.json_page(record)
    elif not given["quiet"]:
        h, w = record["shape"][-2:]
        click.echo(f"{target}: {given['count']} picture(s) of {h} x {w}")
    return 0
