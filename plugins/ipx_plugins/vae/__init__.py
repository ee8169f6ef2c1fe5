"""Variational autoencoder, with one standard deviation for all pixels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from ipx import ModelSpec, Options, hookimpl, opt

WEIGHTS = ("faces", "digits")

RECIPE: dict[str, Any] = {"lr": 1e-3, "betas": (0.9, 0.99), "batch": 32, "ema": 0.998}


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


class TextbookOptions(VAEOptions):
    """Network and training; the loss of the textbooks."""

    deviation: str = opt(
        default="0.1",
        help="Standard deviation of pictures about D(z), fixed: a number, or learned.",
    )
    input_noise: float = opt(
        default=0.0, min=0.0, help="Standard deviation of noise on the encoder's input in training."
    )


class BetaOptions(VAEOptions):
    """Network and training; codes with independent numbers."""

    kl: float = opt(default=4.0, min=0.0, help="Weight beta of the KL divergence.")


class ARVAEOptions(VAEOptions):
    """Network and training, and the order of codes by attributes of digits."""

    colors: Literal[1, 3] = opt(default=1, help="Channels; attributes are those of their mean.")
    size: int = opt(
        default=32, min=8, max=512, help="Side of the pictures, a power of two.", unit="pixels"
    )
    latent: int = opt(default=16, min=1, max=65536, help="Dimension of the code, 6 or more.")
    width: int = opt(
        default=16, min=1, max=1024, help="Features at half size, doubled per scale up to 8x."
    )
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
