"""Generative adversarial network: generator, discriminator, and an encoder that inverts."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import ModelSpec, Options, hookimpl, opt

WEIGHTS = ("faces", "digits")


class GANOptions(Options):
    """Pictures are ``size`` x ``size`` exactly."""

    colors: Literal[1, 3] = opt(default=3, help="Channels: grey or colour.")
    size: int = opt(
        default=64, min=8, max=512, help="Side of the pictures, a power of two.", unit="pixels"
    )
    latent: int = opt(default=64, min=1, help="Numbers in the code.")
    width: int = opt(default=32, min=1, help="Features at half the size; they double down to 8x.")
    objective: Literal["minimax", "non-saturating", "least-squares", "wasserstein-gp"] = opt(
        default="non-saturating", help="What generator and discriminator make small."
    )
    penalty: float | None = opt(
        default=None,
        min=0.0,
        help="Weight of the gradient penalty: of R1, where none means 0.25; for wasserstein-gp of "
        "(|gradient| - 1)^2, where none means 10.",
    )
    fit: float = opt(
        default=0.0,
        min=0.0,
        help="Weight of |G(E(x)) - x| in the loss of the generator: it learns to make the pictures "
        "of the training too, which takes far fewer steps than by the discriminator alone.",
    )
    start: str = opt(
        default="",
        help="Weights of a vae (shipped name or file) that generator and encoder start from; of "
        "the same colors, size, latent and width.",
    )
    augment: bool = opt(
        default=True,
        help="Show the discriminator pictures of changed colour and place, real and generated, "
        "so that it cannot learn few pictures by heart.",
    )


@hookimpl
def ipx_components() -> Iterable[ModelSpec]:
    """Declare the model."""
    return [
        ModelSpec(
            name="gan",
            target="ipx_plugins.gan.model:GAN",
            options=GANOptions,
            summary="Adversarial network (DCGAN) with an encoder that inverts the generator.",
            source="Goodfellow et al., NeurIPS 2014; Radford, Metz, Chintala, ICLR 2016; R1: "
            "Mescheder, Geiger, Nowozin, ICML 2018",
            weights=WEIGHTS,
            recipe={
                "lr": 8e-4,
                "betas": (0.0, 0.99),
                "batch": 16,
                "clip": 10.0,
                "ema": 0.995,
                "final": 0.1,
                "warmup": 50,
            },
        )
    ]
