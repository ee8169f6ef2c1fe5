"""Settings of a training run, for the command line, Python and the card."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Literal

from ipx.declare.options import Options, opt


class Training(Options):
    """Settings of a training run besides the model and the data."""

    steps: int = opt(default=100_000, min=1, help="Number of optimiser steps.")
    minutes: float = opt(
        default=0.0,
        min=0.0,
        help="End after so many minutes: weights, card and checkpoint are written, and --resume "
        "goes on; 0: no limit.",
        unit="min",
    )
    batch: int = opt(default=16, min=1, help="Images per step, over all processes.")
    lr: float = opt(default=1e-3, above=0.0, help="Largest learning rate.")
    warmup: int = opt(default=200, min=0, help="Steps over which the learning rate rises.")
    schedule: Literal["cosine", "constant"] = opt(
        default="cosine", help="The learning rate after the warm-up."
    )
    final: float = opt(
        default=0.005, min=0.0, max=1.0, help="Last learning rate of cosine, relative to lr."
    )
    optimiser: Literal["adamw", "muon"] = opt(
        default="adamw",
        help="muon: steps along orthogonalised momenta; convolutions need fewer of them, at about "
        "three times the rate of adamw.",
    )
    weight_decay: float = opt(default=0.0, min=0.0, help="Decoupled weight decay.")
    betas: tuple[float, float] = opt(
        default=(0.9, 0.99), min=0.0, max=0.99999, help="beta1 and beta2 of Adam."
    )
    clip: float = opt(default=1.0, min=0.0, help="Largest norm of the gradient; 0: no clipping.")
    ema: float = opt(
        default=0.999,
        min=0.0,
        max=0.99999,
        help="Decay of the averaged weights, which are scored and saved; 0: no averaging.",
    )
    validate_every: int = opt(
        default=0,
        min=0,
        help="Steps between two validations; 0: a tenth of all steps, at most 2000.",
    )
    save_every: int = opt(default=1000, min=1, help="Steps between two checkpoints.")
    patience: int = opt(
        default=0, min=0, help="Stop after so many validations without a better score; 0: never."
    )
    seed: int = opt(default=0, min=0, help="Seed of the initial weights, the crops, the noise.")
    bf16: bool = opt(default=False, help="Compute in bfloat16 by autocast.")
    half: bool = opt(default=False, help="Store the final weights in float16.")

    @property
    def validation_steps(self) -> int:
        """Steps between two validations."""
        return self.validate_every or min(2000, max(1, self.steps // 10))


def checkpoint_path(output: Path) -> Path:
    """The checkpoint beside the weights of a run that is not at its end."""
    return output.with_name(output.name + ".state")


class Data(Options):
    """The training images and their crops."""

    data: Path = opt(help="Folder of images, or an NPY or NPZ file of many.")
    inputs: Path | None = opt(
        default=None,
        help="Folder (or file of many) of what a network that translates images starts from: the "
        "same names and sizes as --data, or for two sets without pairs any.",
    )
    crop: int = opt(
        default=0,
        min=0,
        help="Side of the training crops; 0: 64, or the one size of the model.",
        unit="pixels",
    )
    tiles: int = opt(
        default=0,
        min=0,
        help="Each image is a mosaic of square tiles of this side; black tiles are left out.",
        unit="pixels",
    )
    exclude: tuple[str, ...] = opt(
        default=(), help="Leave out files by name (patterns such as *.png; extension optional)."
    )
    hold_out: tuple[str, ...] = opt(
        default=(),
        help="Validate on files of these names, or on the last N images (last:N); by default on "
        "every 20th image.",
    )
    limit: tuple[str, ...] = opt(
        default=(),
        help="A|B=SHARE: crops from files of these names (patterns) are at most this share.",
    )
    shrink: float = opt(
        default=0.0, min=0.0, max=1.0, help="Share of the crops that are downsampled by 2."
    )
    augment: Literal["all", "mirror", "none"] = opt(
        default="all", help="all: quarter turns and flips; mirror: horizontal flips only (faces)."
    )
    validation_crop: int = opt(
        default=0,
        min=0,
        help="Side of the centre crops for validation; 0: at most four times --crop, or the one "
        "size of the model.",
        unit="pixels",
    )


def rate(t: Training, step: int) -> float:
    """The learning rate of a step relative to the largest."""
    if step < t.warmup:
        return (step + 1) / t.warmup
    if t.schedule == "constant":
        return 1.0
    done = (step - t.warmup) / max(1, t.steps - t.warmup)
    return t.final + (1 - t.final) * 0.5 * (1 + math.cos(math.pi * min(done, 1.0)))
