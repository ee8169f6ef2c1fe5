"""Autoencoders: linear, dense or convolutional; sparse, denoising, contractive."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from ipx import ModelSpec, OneSizeOptions, hookimpl, opt

WEIGHTS = ("digits",)

RECIPE: dict[str, Any] = {"lr": 1e-3, "batch": 64, "ema": 0.995}


class AutoencoderOptions(OneSizeOptions):
    """Network, code and corruption; pictures are exactly ``size`` x ``size``."""

    network: Literal["convolutional", "dense", "linear"] = opt(
        default="convolutional",
        help="Layers: strided convolutions, one hidden layer each way, or one affine map each way.",
    )
    latent: int = opt(
        default=32,
        min=1,
        max=65536,
        help="Dimension of the code; above the number of values the code is overcomplete.",
    )
    width: int = opt(
        default=16, min=1, max=1024, help="Features of the first scale of convolutional networks."
    )
    hidden: int = opt(default=256, min=1, max=65536, help="Hidden units of dense networks.")
    code: Literal["plain", "k-sparse", "kl-sparse", "contractive"] = opt(
        default="plain",
        help="Constraint on the code: none; all but the largest are set to 0; small mean "
        "activations; small derivative of the encoder.",
    )
    active: int = opt(default=16, min=1, max=65536, help="Numbers that k-sparse codes keep.")
    rate: float = opt(
        default=0.05, above=0.0, max=0.5, help="Mean activation wanted of kl-sparse codes."
    )
    weight: float = opt(
        default=1.0, min=0.0, help="Weight of the penalty of kl-sparse and contractive codes."
    )
    corruption: Literal["none", "gaussian", "masking", "salt-and-pepper"] = opt(
        default="none",
        help="What the encoder's input suffers in training, where the target is clean.",
    )
    level: float = opt(
        default=0.3,
        min=0.0,
        max=1.0,
        help="Largest standard deviation of gaussian corruption, or largest share of the pixels "
        "that masking or salt-and-pepper hits; drawn uniformly from 0 for each picture.",
    )


class DenoisingOptions(
    AutoencoderOptions, defaults={"latent": 64, "corruption": "gaussian", "level": 0.5}
):
    """Network, code and corruption; noise is removed."""


@hookimpl
def ipx_components() -> Iterable[ModelSpec]:
    """Declare the model."""
    return [
        ModelSpec(
            name="ae",
            target="ipx_plugins.autoencoder.model:Autoencoder",
            options=AutoencoderOptions,
            summary="Autoencoder: linear, dense, convolutional; sparse, denoising, contractive.",
            source="Hinton, Salakhutdinov, Science 313, 2006; Vincent et al., ICML 2008; Rifai et "
            "al., ICML 2011; Makhzani, Frey, ICLR 2014",
            formula="min |x - D(E(x + corruption))|^2 + penalty on the code",
            advice="Codes of pictures of one kind, and denoising of such pictures.",
            examples=(
                {"network": "linear", "size": 8},
                {"network": "dense", "size": 8, "code": "kl-sparse", "corruption": "masking"},
                {"size": 8, "code": "k-sparse", "corruption": "salt-and-pepper"},
                {"size": 8, "code": "contractive", "corruption": "gaussian"},
            ),
            recipe=RECIPE,
        ),
        ModelSpec(
            name="denoising-ae",
            target="ipx_plugins.autoencoder.model:Autoencoder",
            options=DenoisingOptions,
            summary="Autoencoder that is trained to remove noise.",
            source="Vincent, Larochelle, Bengio, Manzagol, ICML 2008",
            formula="min |x - D(E(x + noise))|^2",
            advice="Noise in pictures of one kind: priors ae-denoiser, ae-analysis.",
            weights=WEIGHTS,
            recipe=RECIPE,
        ),
    ]
