"""A small network that tells classes of pictures, and what its units see."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from ipx import ModelSpec, Options, hookimpl, opt

if TYPE_CHECKING:
    import click

WEIGHTS = ("digits",)

LAYERS = ("first", "second", "third")
"""Names of the convolutional layers."""


class ClassifierOptions(Options):
    """Network; pictures are exactly ``size`` x ``size``."""

    colors: Literal[1, 3] = opt(default=1, help="Channels: grey or colour.")
    size: int = opt(
        default=32, min=8, max=256, help="Side of the pictures, a multiple of 8.", unit="pixels"
    )
    classes: int = opt(default=10, min=2, max=1000, help="Number of classes.")
    width: int = opt(default=16, min=1, max=512, help="Filters of the first layer.")
    dropout: float = opt(
        default=0.3, min=0.0, max=0.9, help="Share of the last features left out in training."
    )
    shift: int = opt(
        default=2, min=0, max=64, help="Largest random shift in training.", unit="pixels"
    )


@hookimpl
def ipx_components() -> Iterable[ModelSpec]:
    """Declare the model."""
    return [
        ModelSpec(
            name="classifier",
            target="ipx_plugins.classifier.model:Classifier",
            options=ClassifierOptions,
            summary="Small convolutional network for classes of pictures.",
            source="LeCun, Bottou, Bengio, Haffner, Proc. IEEE 86, 1998",
            formula="min -log softmax(f(x))[label]",
            advice="Measures of generated pictures, and lessons on what filters see.",
            weights=WEIGHTS,
            examples=({"size": 16, "width": 4, "classes": 3},),
            recipe={"lr": 2e-3, "batch": 64, "ema": 0.99, "steps": 1500},
        )
    ]


@hookimpl
def ipx_commands(cli: click.Group) -> None:
    """Add ``ipx classifier``."""
    from ipx_plugins.classifier.command import classifier

    cli.add_command(classifier)
