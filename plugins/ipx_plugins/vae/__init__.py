"""Variational autoencoder, with one standard deviation for all pixels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import ModelSpec, Options, hookimpl, opt

WEIGHTS = ("faces", "digits")


class VAEOptions(Options):
    """Network and training; pictures are exactly ``size`` x ``size``."""

    colors: Literal[1, 3] = opt(default=3, help="Channels: grey or colour.")
    size: int = opt(
        default=64, min=8, max=512, help="Side of the pictures, a power of two.", unit="pixels"
    )
    latent: int = opt(default=128, min=1, max=65536, help="Dimension of the code.")
    width: int = opt(
        default=32, min=1, max=1024, help="Features at half size, doubled per scale up to 8x."
    )
    deviation: str = opt(
        default="learned",
        help="Standard deviation of pictures about D(z): learned, or a number.",
    )
    kl: float = opt(default=1.0, min=0.0, help="Weight of the KL divergence; 1: ELBO.")
    input_noise: float = opt(
        default=15 / 255,
        min=0.0,
        help="Standard deviation of the noise added to the encoder's input in training; the "
        "target is clean.",
    )


@hookimpl
def ipx_components() -> Iterable[ModelSpec]:
    """Declare the model."""
    return [
        ModelSpec(
            name="vae",
            target="ipx_plugins.vae.model:VAE",
            options=VAEOptions,
            summary="Convolutional variational autoencoder, one learned standard deviation.",
            source="Kingma, Welling, ICLR 2014; as in Gonzalez, Almansa, Tan, SIAM J. Imaging Sci. "
            "15, 2022 (JPMAP)",
            weights=WEIGHTS,
            recipe={"lr": 1e-3, "betas": (0.9, 0.99), "batch": 32, "ema": 0.998},
        )
    ]
