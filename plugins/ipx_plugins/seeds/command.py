"""The command: options and defaults; computations are in run.py."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Literal

import click

from ipx.declare.options import weight
from ipx.declare.registry import registry
from ipx.errors import InputError, UnknownNameError, UsageError, did_you_mean
from ipx.files.atomic import one_line
from ipx_plugins.seeds import METHODS, QUICK, SIGMAS, TASKS

FILE = click.Path(path_type=Path)
DEFAULTS: dict[str, Any] = {"count": 50, "tasks": tuple(TASKS), "sigmas": SIGMAS, "methods": ()}


def _words(ctx: object, parameter: object, value: str | None) -> tuple[str, ...] | None:
    found = None if value is None else tuple(w.strip() for w in value.split(",") if w.strip())
    if found == ():
        raise click.BadParameter("give names with commas between them")
    return found


def _sigmas(ctx: object, parameter: object, value: str | None) -> tuple[float, ...] | None:
    try:
        found = None if value is None else tuple(float(v) for v in value.split(","))
    except ValueError:
        found = (-1.0,)
    if found is not None and not all(0 <= v < 10 for v in found):
        raise click.BadParameter("give noise levels >= 0 with commas between them")
    return found


@click.command()
@click.option("-o", "--output", type=FILE, required=True, help="Output folder; created if missing.")
@click.option(
    "--faces", type=FILE, help="Test pictures: mosaic of 64x64 tiles, or folder of mosaics."
)
@click.option("--count", type=click.IntRange(min=1), help="Number of test pictures.  [default: 50]")
@click.option("--train", type=FILE, help="Folder of tiles for the PCA-Gaussian row.")
@click.option(
    "--components", type=click.IntRange(min=1), default=500, show_default=True, help="Of PCA."
)
@click.option(
    "--ood", type=FILE, help="Out-of-distribution pictures.  [default: from scikit-image]"
)
@click.option("--ood-count", type=click.IntRange(min=0), help="Pictures of --ood.  [default: 25]")
@click.option("--tasks", callback=_words, help=f"Subset of {','.join(TASKS)}.  [default: all]")
@click.option("--sigmas", callback=_sigmas, help="Noise levels.  [default: 0,0.02,0.05]")
@click.option(
    "--methods", callback=_words, help=f"Of {','.join(METHODS)}, or any prior.  [default: those]"
)
@click.option(
    "--model.weights",
    "weights",
    multiple=True,
    help="Of glow, or MODEL=WEIGHTS; a file or a shipped name.",
)
@click.option(
    "--lam", default="auto", show_default=True, help="Weight of every prior: auto, or a number."
)
@click.option(
    "--tune",
    type=click.IntRange(min=0),
    default=0,
    show_default=True,
    help="Tune a factor on automatic lam on this many faces, from number 128 on.",
)
@click.option(
    "--start", default="auto", show_default=True, help="For generative priors, as in ipx solve."
)
@click.option(
    "--keep",
    type=click.Choice(["last", "best"]),
    default="last",
    show_default=True,
    help="For generative priors, as in ipx solve.",
)
@click.option("--iterations", type=click.IntRange(min=1), help="Iterations of generative priors.")
@click.option(
    "--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Random seed."
)
@click.option("--device", default="cpu", show_default=True, help="cpu, cuda, ...")
@click.option("--quick", is_flag=True, help="4 pictures, 2 tasks, 5 methods: seconds.")
@click.option("-q", "--quiet", is_flag=True, help="Errors only.")
def seeds(**given: Any) -> int:
    """Benchmark every method on five tasks and three noise levels.

    Tasks: blur, super-resolution x2 and x4, missing pixels, a square hole. Output: table.md,
    table.json, grid.png, results.jsonl. If interrupted, the same command resumes.
    """  # fmt: skip
    defaults = {**DEFAULTS, **(QUICK if given["quick"] else {})}
    chosen = {k: v if given[k] is None else given[k] for k, v in defaults.items()}
    for task in chosen["tasks"]:
        if task not in TASKS:
            near = did_you_mean(task, TASKS)
            raise UnknownNameError(
                f"no task is called {task}{near} (there are: {', '.join(TASKS)})"
            )
    few = given["quick"] and given["ood_count"] is None
    ood_count = 25 if given["ood_count"] is None else given["ood_count"]
    lam = _lam(given["lam"])
    keep: Literal["last", "best"] = "best" if given["keep"] == "best" else "last"

    from ipx_plugins.seeds.methods import How
    from ipx_plugins.seeds.run import Bench, Settings
    from ipx_plugins.seeds.table import save

    def note(text: str) -> None:
        if not given["quiet"]:
            click.echo(f"ipx: {text}", err=True)

    folder: Path = given["output"]
    settings = Settings(
        folder=folder,
        ood_count=chosen["count"] if few else ood_count,
        how=How(lam, given["start"], keep, given["iterations"], _weights(given["weights"])),
        **chosen,
        **{k: given[k] for k in ("faces", "train", "ood", "tune", "seed", "components", "device")},
    )
    bench = Bench(settings, note)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as e:
        raise InputError(f"{folder}: cannot be made: {one_line(e)}") from e
    cells = bench.run()
    save(bench, cells)
    if not given["quiet"]:
        click.echo((folder / "table.md").read_text())
    for line in bench.failures if given["quiet"] else ():  # else printed as they occur
        click.echo(f"ipx: error: {line}", err=True)
    return 1 if bench.failures else 0


def _lam(text: str) -> float | None:
    found = weight(text)
    if not found:
        raise UsageError(f"--lam is auto or a number above 0, not {text}")
    return None if isinstance(found, str) else found


def _weights(given: tuple[str, ...]) -> dict[str, str]:
    """Weights by model, from ``MODEL=WEIGHTS``; a value without a model is for glow."""
    models = registry().names("model")
    found = {}
    for text in given:
        model, equals, name = text.partition("=")
        if equals and model in models:
            found[model] = name
        else:
            found["glow"] = text
    return found
