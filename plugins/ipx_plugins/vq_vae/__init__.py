"""Vector-quantised autoencoder, with an autoregressive prior on its codes."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import ModelSpec, OneSizeOptions, hookimpl, opt

WEIGHTS = ("digits",)


class VQVAEOptions(OneSizeOptions):
    """Networks and codebook; pictures are exactly ``size`` x ``size``."""

    scales: int = opt(
        default=2, min=1, max=6, help="Halvings from the picture to the map of codes."
    )
    width: int = opt(default=32, min=1, max=1024, help="Features at half size, doubled per scale.")
    entries: int = opt(default=64, min=2, max=65536, help="Vectors of the codebook.")
    dimension: int = opt(default=16, min=1, max=1024, help="Length of these vectors.")
    commitment: float = opt(
        default=0.25, min=0.0, help="Weight beta of |E(x) - codebook vector|^2."
    )
    decay: float = opt(
        default=0.99, min=0.0, max=0.99999, help="Memory of the codebook's running means."
    )
    prior_width: int = opt(
        default=48, min=1, max=1024, help="Features of the prior on the map of codes."
    )
    prior_depth: int = opt(default=4, min=1, max=64, help="Layers of this prior.")


@hookimpl
def ipx_components() -> Iterable[ModelSpec]:
    """Declare the model."""
    return [
        ModelSpec(
            name="vq-vae",
            target="ipx_plugins.vq_vae.model:VQVAE",
            options=VQVAEOptions,
            summary="Autoencoder whose codes are vectors of a learned codebook.",
            source="van den Oord, Vinyals, Kavukcuoglu, NeurIPS 2017; codebook by running means: "
            "Razavi, van den Oord, Vinyals, NeurIPS 2019",
            formula="min |x - D(q)|^2 + beta |E(x) - q|^2, q the nearest codebook vectors",
            advice="Discrete codes of pictures of one kind; samples by the prior on them.",
            weights=WEIGHTS,
            examples=({"size": 8, "width": 4, "entries": 8, "dimension": 4, "prior_width": 8},),
            recipe={"lr": 1e-3, "batch": 32, "ema": 0.995},
        )
    ]
