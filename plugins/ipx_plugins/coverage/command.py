"""The command: options and defaults; computations are in measure.py."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from ipx import UsageError
from ipx.declare.options import AUTO, weight
from ipx_plugins.coverage.words import told

SETTINGS = ("draws", "chains", "thin", "warmup", "seed")


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("words", nargs=-1, type=click.UNPROCESSED, metavar="[PICTURES]...")
@click.option("--op", default="blur", show_default=True, help="Operator.")
@click.option("--noise", default="gaussian", show_default=True, help="Noise.")
@click.option("--prior", default="tv", show_default=True, help="Prior.")
@click.option("--tuner", default=AUTO, show_default=True, help="Rule for --lam auto.")
@click.option("--sampler", default=AUTO, show_default=True, help="Sampler of the posterior.")
@click.option("--lam", default=AUTO, show_default=True, help="Weight of the prior, or auto.")
@click.option(
    "--from-prior",
    is_flag=True,
    help="Truths are draws from the prior itself, with the weight --lam over the variance of the "
    "noise, instead of pictures.",
)
@click.option("--truth", default=AUTO, show_default=True, help="Sampler of these truths.")
@click.option("--truth-thin", type=click.IntRange(min=1), help="Its steps between two truths.")
@click.option(
    "--spread",
    type=click.FloatRange(min=0, min_open=True),
    default=0.3,
    show_default=True,
    help="Standard deviation around 0.5 that is multiplied to the prior of these truths, for their "
    "mean.",
)
@click.option(
    "--interval",
    type=click.FloatRange(1, 99.9),
    default=90.0,
    show_default=True,
    help="Percentage of the intervals.",
)
@click.option(
    "--count", type=click.IntRange(min=2), default=50, show_default=True, help="Problems."
)
@click.option(
    "--size", type=click.IntRange(min=8), default=32, show_default=True, help="Side of a picture."
)
@click.option("--colour", is_flag=True, help="Three channels instead of one.")
@click.option("--draws", type=click.IntRange(min=8), help="Draws of all chains.")
@click.option("--chains", type=click.IntRange(min=1), help="Chains.")
@click.option("--thin", type=click.IntRange(min=1), help="Steps between two draws.")
@click.option("--warmup", type=click.IntRange(min=0), help="Steps before the first draw.")
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed.")
@click.option("--json", "as_json", is_flag=True, help="One line of JSON.")
@click.option("-q", "--quiet", is_flag=True, help="The table only.")
def coverage(**given: Any) -> None:
    """Measure how often intervals of the posterior hold the truth, pixel by pixel.

    \b
    ipx bench coverage --prior tv --op blur --op.sigma 1.5 --noise.sigma 0.05
    ipx bench coverage faces/*.png --prior glow-map --size 64 --colour
    ipx bench coverage --from-prior --prior smooth --op.boundary circular --lam 0.25

    Components take their options as in ipx solve; those of --truth are --truth.OPTION. PICTURES
    are cut at random; without them six photographs of scikit-image are. The pictures are halved:
    a factor on half-widths that is learned on each half calibrates the other.
    """
    names = {role: given[role] for role in ("op", "noise", "prior", "tuner", "sampler", "truth")}
    parts, files = told(given["words"], names)
    truth_sampler = parts.pop("truth")
    if parts["noise"]["name"] == "gaussian":
        parts["noise"].setdefault("sigma", 0.05)
    lam = _lam(given["lam"])
    if given["from_prior"] and (lam == AUTO or files):
        raise UsageError("--from-prior takes no pictures, and a number for --lam")

    from ipx_plugins.coverage.measure import HEAD, intervals, row, summary

    def note(text: str) -> None:
        if not given["quiet"]:
            click.echo(f"ipx: {text}", err=True)

    truth, half = _truths(given, parts, truth_sampler, lam, [Path(f) for f in files])
    settings = {k: given[k] for k in SETTINGS if given[k] is not None}
    request = {**parts, "lam": lam, **{k: v for k, v in settings.items() if k != "seed"}}
    found = intervals(truth, request, given["interval"], given["seed"], note)
    figures = summary(found, half, given["interval"])
    title = "from the prior" if given["from_prior"] else "pictures" if files else "photographs"
    title = f"{title}, {given['size']}x{given['size']}"
    if given["as_json"]:
        click.echo(json.dumps({"truth": title, **parts, **figures}, default=str))
    else:
        click.echo(f"{HEAD}\n{row(title, parts, figures)}")


def _truths(
    given: dict[str, Any],
    parts: dict[str, Any],
    sampler: dict[str, Any],
    lam: Any,
    files: list[Path],
) -> tuple[Any, Any]:
    """Clean pictures, and which half each is in."""
    import torch

    from ipx_plugins.coverage.truths import crops, from_prior

    size, count = given["size"], given["count"]
    if not given["from_prior"]:
        return crops(files, count, size, given["colour"], given["seed"])
    sigma = parts["noise"].get("sigma")
    if sigma is None:
        raise UsageError("--from-prior needs noise gaussian, whose variance the weight is over")
    shape = (3 if given["colour"] else 1, size, size)
    truth = from_prior(
        parts["prior"], lam / sigma**2, sampler, shape, count, given["spread"],
        given["truth_thin"], given["seed"],
    )  # fmt: skip
    return truth, torch.arange(count) % 2


def _lam(text: str) -> Any:
    found = weight(text)
    if not found:
        raise UsageError(f"--lam is auto or a number above 0, not {text}")
    return found
