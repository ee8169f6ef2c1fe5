"""``ipx train``."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, get_args

import click

from ipx.declare.options import Options
from ipx.declare.registry import registry
from ipx.declare.specs import ModelSpec
from ipx.declare.traits import Subject
from ipx.errors import UsageError
from ipx.training import Data, Training, checkpoint_path
from ipx_cli import command, output, progress
from ipx_cli.command import ComponentCommand
from ipx_cli.options import setting_options
from ipx_cli.values import Name, PathValue


class TrainCommand(ComponentCommand):
    """Has the options of the model."""

    roles = ("model",)


@click.command(cls=TrainCommand)
@click.argument("model", type=Name("model"), metavar="MODEL")
@click.option(
    "-o",
    "--output",
    type=PathValue(path_type=Path),
    required=True,
    help="The weights, FILE.safetensors; the card is FILE.safetensors.json.",
)
@click.option("--device", default="cpu", help="Device: cpu, cuda.  [default: cpu]")
@click.option("--resume", is_flag=True, help="Continue from the checkpoint, if there is one.")
@click.option("--init", help="Initial weights: a shipped name, or a file.")
@click.option("--licence", default="", help="Licence of the weights, for the card.")
@click.option("--about", default="", help="Description of the training images, for the card.")
@click.option(
    "--suits",
    type=click.Choice(get_args(Subject)),
    help="Kind of the training images, for the card: bundled images and checks of priors with "
    "these weights are of this kind.",
)
@click.option("--force", is_flag=True, help="Replace OUTPUT.")
@click.option("--json", "as_json", is_flag=True, help="Print the card on stdout.")
@click.option("-q", "--quiet", is_flag=True, help="Only errors and --json.")
@click.pass_context
def train(ctx: click.Context, /, model: str, **given: Any) -> int:
    """Train MODEL on a folder of images and write its best weights.

    "ipx list model" names the models, and --model.NAME is an option of one, see "ipx info MODEL".
    An interrupted run continues with --resume, with the same result. Beside the weights lie their
    card and the learning curve, FILE.safetensors.png. Several processes:
    torchrun --nproc-per-node 2 -m ipx_cli.main train ...
    """
    spec = registry().get("model", model)
    assert isinstance(spec, ModelSpec)
    data = Data(**_given(Data, given))
    training = Training(**{**spec.recipe, **_given(Training, given)})
    values = dict(dict(command.tables(ctx))["model"])
    values.pop("name")
    architecture = registry().options("model", model, values)
    target: Path = given["output"]
    if target.suffix != ".safetensors":
        raise UsageError(f"{target}: weights are written to FILE.safetensors")
    going_on = given["resume"] and checkpoint_path(target).exists()
    if target.exists() and not given["force"] and not going_on:
        more = "; its run has ended: --init goes on from it" if given["resume"] else ""
        raise UsageError(f"{target} exists; --force replaces it{more}")

    from ipx.parts.weights import load_weights
    from ipx.training import loop
    from ipx.training.reports import Tick, TrainReporter

    init = load_weights(given["init"], model).tensors if given["init"] else None
    about = {k: given[k] for k in ("licence", "about", "suits") if given[k]}
    note, began = output.noter(given["quiet"]), time.perf_counter()
    with progress.line(model, given["quiet"]) as show:

        def tick(t: Tick) -> None:
            if show is not None:
                from ipx.jobs.reporter import Report

                left = t.seconds / max(t.step, 1) * (t.steps - t.step)
                if training.minutes:
                    left = min(left, 60 * training.minutes - (time.perf_counter() - began))
                show(Report("training", t.step, t.steps, t.seconds, t.loss, left=left))

        card = loop.train(
            registry().create(spec, options=architecture),
            spec.id,
            data,
            target,
            training,
            device=given["device"],
            resume=given["resume"],
            init=init,
            about=about,
            reporter=TrainReporter(tick, note),
        )
    if given["as_json"]:
        output.json_page(card)
    elif not given["quiet"]:
        score = card["score"]
        click.echo(f"{target}: {score['name']} {output.number(score['held_out'], 5)} held out")
    return 0


def _given(kind: type[Options], values: dict[str, Any]) -> dict[str, Any]:
    """The settings that were given."""
    return {k: values[k] for k in kind.infos() if values.get(k) is not None}


train.params[2:2] = [*setting_options(Data), *setting_options(Training)]
