"""Generative adversarial network with an encoder that inverts the generator."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import (
    GeneratorSpec,
    ModelSpec,
    OneSizeOptions,
    OptionError,
    Options,
    hookimpl,
    opt,
)

WEIGHTS = ("faces", "digits", "digits-minimax", "digits-least-squares", "digits-wasserstein-gp")


class GANOptions(OneSizeOptions, defaults={"colors": 3, "size": 64}):
    """Networks and training; pictures are exactly ``size`` x ``size``."""

    latent: int = opt(default=64, min=1, max=65536, help="Dimension of the code.")
    width: int = opt(
        default=32, min=1, max=1024, help="Features at half size, doubled per scale up to 8x."
    )
    body: Literal["dcgan", "style"] = opt(
        default="dcgan",
        help="dcgan: transposed convolutions. style: a mapping network, AdaIN and noise inputs.",
    )
    grow: int = opt(
        default=0,
        min=0,
        help="With body style: training starts at 4 x 4 pixels and doubles the side every so many "
        "steps; 0: full size from the start.",
    )
    mixing: float = opt(
        default=0.9,
        min=0.0,
        max=1.0,
        help="With body style: share of training pictures with the styles of two codes.",
    )
    code: float = opt(
        default=0.0,
        min=0.0,
        help="Weight that draws the codes E(x) of training pictures towards N(0, I), by their mean "
        "and covariance in a batch.",
    )
    objective: Literal["minimax", "non-saturating", "least-squares", "wasserstein-gp"] = opt(
        default="non-saturating", help="Loss of generator and discriminator."
    )
    penalty: float | None = opt(
        default=None,
        min=0.0,
        help="Weight of the gradient penalty: R1, by default 0.25; for wasserstein-gp "
        "(|gradient| - 1)^2, by default 10.",
    )
    fit: float = opt(
        default=0.0,
        min=0.0,
        help="Weight of |G(E(x)) - x| on training pictures in the loss of the generator. "
        "Training then takes far fewer steps than with the discriminator alone.",
    )
    start: str = opt(
        default="",
        help="Weights of a vae (shipped name or file) that generator and encoder start from; "
        "colors, size, latent and width must be the same.",
    )
    augment: bool = opt(
        default=True,
        help="Augment colour and position of the discriminator's inputs, real and generated, "
        "against overfitting to few pictures.",
    )

    def __post_init__(self) -> None:
        if self.body != "style" and self.grow:
            raise OptionError(
                "option grow is for body style; leave it out, or take --model.body style"
            )


class MixingOptions(Options):
    """Two sets of codes, and where one takes over."""

    weights: str = opt(default="auto", weights=True, help="A file of weights with body style.")
    codes: int = opt(default=8, min=1, max=4096, help="Number of codes of the fine styles.")
    layer: int = opt(
        default=2,
        min=0,
        max=64,
        help="The first layer with the fine styles; there are two for each scale, from 4 x 4 up.",
    )


@hookimpl
def ipx_components() -> Iterable[ModelSpec | GeneratorSpec]:
    """Declare the model, and the sheet of mixed styles."""
    return [
        ModelSpec(
            name="gan",
            target="ipx_plugins.gan.model:GAN",
            options=GANOptions,
            summary="Adversarial network (DCGAN) with an encoder that inverts the generator.",
            source="Goodfellow et al., NeurIPS 2014; Radford, Metz, Chintala, ICLR 2016; R1: "
            "Mescheder, Geiger, Nowozin, ICML 2018; body style: Karras et al., CVPR 2019",
            weights=WEIGHTS,
            examples=(
                {"size": 16, "width": 4, "latent": 6, "body": "style", "grow": 2, "code": 0.1},
                {"size": 16, "width": 4, "latent": 6, "objective": "wasserstein-gp"},
            ),
            recipe={
                "lr": 8e-4,
                "betas": (0.0, 0.99),
                "batch": 16,
                "clip": 10.0,
                "ema": 0.995,
                "final": 0.1,
                "warmup": 50,
            },
        ),
        GeneratorSpec(
            name="style-mixing",
            target="ipx_plugins.gan.mixing:StyleMixing",
            options=MixingOptions,
            summary="GAN with body style: coarse styles of one code, fine ones of another.",
            source="Karras, Laine, Aila, CVPR 2019, section 3.1",
            formula="x = G(w_1, ..., w_1, w_2, ..., w_2)",
            advice="To see which features each scale decides on.",
        ),
    ]
