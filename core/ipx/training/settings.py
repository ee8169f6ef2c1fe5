"""How to train: plain values, checked; the same on the command line, in Python and on the card."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from ipx.declare.options import Options, opt


class Training(Options):
    """Everything about a training run but the model and the data."""

    steps: int = opt(default=100_000, min=1, help="Steps of the optimiser.")
    batch: int = opt(default=16, min=1, help="Pictures a step, all processes together.")
    lr: float = opt(default=1e-3, above=0.0, help="Largest learning rate.")
    warmup: int = opt(default=200, min=0, help="Steps over which the learning rate rises.")
    schedule: Literal["cosine", "constant"] = opt(
        default="cosine", help="The learning rate after the warm-up."
    )
    final: float = opt(
        default=0.005, min=0.0, max=1.0, help="Where cosine ends, as a share of the largest."
    )
    weight_decay: float = opt(default=0.0, min=0.0, help="Decoupled weight decay (AdamW).")
    betas: tuple[float, float] = opt(
        default=(0.9, 0.99), min=0.0, max=0.99999, help="Memories of Adam."
    )
    clip: float = opt(default=1.0, min=0.0, help="Largest norm of the gradient; 0 does not clip.")
    ema: float = opt(
        default=0.999,
        min=0.0,
        max=0.99999,
        help="Memory of the averaged weights, which are scored and kept; 0 does not average.",
    )
    validate_every: int = opt(default=2000, min=1, help="Steps between two validations.")
    save_every: int = opt(default=1000, min=1, help="Steps between two checkpoints.")
    patience: int = opt(
        default=0, min=0, help="Stop after so many validations without a better score; 0 never."
    )
    seed: int = opt(default=0, min=0, help="Of the first weights, the crops, the noise.")
    bf16: bool = opt(default=False, help="Compute in bfloat16 where that is safe (autocast).")
    half: bool = opt(default=False, help="Store the final weights in float16.")


class Data(Options):
    """Which pictures to train on, and how to cut them."""

    data: Path = opt(help="Folder of pictures, or an NPY or NPZ file of many.")
    crop: int = opt(default=64, min=1, help="Side of the training crops.", unit="pixels")
    tiles: int = opt(
        default=0,
        min=0,
        help="Each picture is a mosaic of square tiles of this side; black tiles do not count.",
        unit="pixels",
    )
    exclude: tuple[str, ...] = opt(
        default=(), help="Leave out files of these names (patterns as *.png; no extension needed)."
    )
    hold_out: tuple[str, ...] = opt(
        default=(),
        help="Validate on files of these names, or on the last N pictures (last:N). "
        "Without it, on every 20th picture.",
    )
    limit: tuple[str, ...] = opt(
        default=(),
        help="A|B=SHARE: files of these names (patterns) are at most this share of the crops.",
    )
    shrink: float = opt(
        default=0.0, min=0.0, max=1.0, help="Share of the crops that is shrunk by 2, for texture."
    )
    augment: Literal["all", "mirror", "none"] = opt(
        default="all", help="all: quarter turns and mirrored; mirror: left to right only (faces)."
    )
    validation_crop: int = opt(
        default=0,
        min=0,
        help="Side of the centre crops that are validated on; 0 is four times --crop at most, or "
        "the one size of the model.",
        unit="pixels",
    )
