"""The options of batches, and the units of a command line."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import click

from ipx.errors import UsageError
from ipx.jobs.inputs import Inputs, share
from ipx.jobs.unit import Unit, seed_of
from ipx_cli import paths
from ipx_cli.values import PathValue


class Shard(click.ParamType):  # type: ignore[type-arg]  # not generic in older click
    """``I/N``: a part of the inputs."""

    name = "shard"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> tuple[int, int]:
        """The numbers, 1 <= I <= N."""
        if isinstance(value, tuple):
            return value
        found = re.fullmatch(r"([0-9]{1,9})/([0-9]{1,9})", str(value))
        first, step = map(int, found.groups()) if found else (0, 0)
        if not 1 <= first <= step:
            self.fail(f"{str(value)[:60]!r} is no I/N with I from 1 to N, such as 1/4", param, ctx)
        return first, step

    def get_metavar(self, param: click.Parameter, ctx: click.Context | None = None) -> str:
        """``I/N``."""
        return "I/N"


def workers(command: Callable[..., Any]) -> Callable[..., Any]:
    """The options of where units run, and when the batch ends."""
    for option in reversed(
        [
            click.option(
                "--jobs",
                type=click.IntRange(min=1, max=1024),
                help="Processes, of one thread each.  [default: this one, with all threads]",
            ),
            click.option(
                "--cluster",
                help="Run on a cluster: tcp://HOST:PORT (a scheduler of Dask), local, slurm.",
            ),
            click.option(
                "--on-error",
                type=click.Choice(["skip", "stop"]),
                default="skip",
                help="Go on after an input has failed, or stop.  [default: skip]",
            ),
            click.option(
                "--manifest",
                type=PathValue(path_type=Path),
                help="A JSON line for each input.  [default: manifest.jsonl in the folder of -o]",
            ),
        ]
    ):
        command = option(command)
    return command


def shard() -> Callable[[Any], Any]:
    """The option ``--shard``."""
    return click.option("--shard", type=Shard(), help="Only the I-th of N parts of the inputs.")


def units(found: Inputs, given: dict[str, Any], seed: int) -> list[Unit]:
    """The units of a command, those of its shard.

    Args:
        found: the inputs.
        given: the options ``output``, ``truth``, ``panel``, ``report``, ``std``, ``shard``.
        seed: of the run; each of several units has its own, made of this and its name.

    Raises:
        UsageError: outputs that are one file, several outputs and one name.
        InputError: a truth is missing.
    """
    files, many = found.files, found.many
    pairs = paths.pair(files, given["output"], "restored", many=many)
    stems = Counter(target.with_suffix("") for _, target in pairs)
    several = many or len(files) > 1
    made = []
    columns = zip(
        files,
        pairs,
        paths.truths(files, given["truth"]),
        paths.beside(files, given["panel"], "panel", ".png", many),
        paths.beside(files, given["report"], "report", ".html", many),
        paths.beside(files, given["std"], "std", ".tif", many),
        strict=True,
    )
    for number, (each, (source, target), truth, panel, report, std) in enumerate(columns):
        name = each.name.as_posix()
        own = seed_of(name, seed) if several else None
        whole = stems[target.with_suffix("")] > 1
        made.append(Unit(number, name, source, target, truth, panel, report, std, own, whole))
    _distinct(made)
    return list(share(made, given.get("shard")))


def _distinct(units: Sequence[Unit]) -> None:
    """Check that no two units write to one file beside their outputs.

    Raises:
        UsageError: they do.
    """
    seen: dict[Path, Unit] = {}
    for unit in units:
        for path in filter(None, (unit.panel, unit.report, unit.std)):
            other = seen.setdefault(path, unit)
            if other is not unit:
                raise UsageError(f"{other.source} and {unit.source} would both write {path}")
