"""Variational autoencoder, with one standard deviation for all pixels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from ipx import ModelSpec, OneSizeOptions, hookimpl, opt

WEIGHTS = ("faces", "digits")

RECIPE: dict[str, Any] = {"lr": 1e-3, "betas": (0.9, 0.99), "batch": 32, "ema": 0.998}


class VAEOptions(OneSizeOptions, defaults={"colors": 3, "size": 64}):
    """Network and training; pictures are exactly ``size`` x ``size``."""

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


class TextbookOptions(VAEOptions, defaults={"deviation": "0.1", "input_noise": 0.0}):
    """Network and training; the loss of the textbooks."""


class BetaOptions(VAEOptions, defaults={"kl": 4.0}):
    """Network and training; codes with independent numbers."""


class ARVAEOptions(VAEOptions, defaults={"colors": 1, "size": 32, "latent": 16, "width": 16}):
    """Network and training, and the order of codes by attributes of digits.

    Attributes of colour pictures are those of the mean of their channels.
    """

    gamma: float = opt(default=100.0, min=0.0, help="Weight of the order of codes, in nats.")
    sharpness: float = opt(
        default=1.0, above=0.0, help="delta: how fast a difference of codes counts as full."
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
            recipe=RECIPE,
        ),
        ModelSpec(
            name="textbook-vae",
            target="ipx_plugins.vae.model:VAE",
            options=TextbookOptions,
            summary="Variational autoencoder with a fixed deviation and a clean input.",
            source="Kingma, Welling, ICLR 2014",
            formula="min |x - D(z)|^2 / (2 g^2) + KL(q(z|x) || N(0, I))",
            advice="Lessons: the loss as it is taught, where vae learns g and denoises.",
            recipe=RECIPE,
        ),
        ModelSpec(
            name="beta-vae",
            target="ipx_plugins.vae.model:VAE",
            options=BetaOptions,
            summary="Variational autoencoder with a larger weight of the KL divergence.",
            source="Higgins et al., ICLR 2017",
            formula="min -log p(x|z) + beta KL(q(z|x) || N(0, I))",
            advice="Codes whose numbers mean one thing each; reconstructions are less exact.",
            recipe=RECIPE,
        ),
        ModelSpec(
            name="ar-vae",
            target="ipx_plugins.vae.ar:ARVAE",
            options=ARVAEOptions,
            summary="Variational autoencoder whose codes are ordered by attributes of digits.",
            source="Pati, Lerch, arXiv:2004.05485, 2020; attributes: Castro et al., JMLR 20, 2019",
            formula="that of vae + gamma sum_r MAE(tanh(delta D_r) - sign(D_a))",
            advice="Changing one attribute of a digit: ipx latent traverse --dims 0,1,2,3,4,5.",
            weights=("digits",),
            recipe=RECIPE,
        ),
    ]
