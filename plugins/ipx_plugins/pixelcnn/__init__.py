"""PixelCNN: an autoregressive model of grey pictures, and filling and denoising with it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import Diagonal, GeneratorSpec, ModelSpec, Need, Options, SolverSpec, Traits, hookimpl, opt

WEIGHTS = ("digits",)
"""Shipped weights, the default first."""


class PixelCNNOptions(Options):
    """The network; it takes grey pictures of any size."""

    levels: int = opt(
        default=8, min=2, max=256, help="Grey values that the network tells apart, evenly spaced."
    )
    width: int = opt(default=32, min=1, max=1024, help="Features of each of the two stacks.")
    dilations: tuple[int, ...] = opt(
        default=(1, 2, 1, 2, 1, 2, 1, 2),
        min=1,
        max=64,
        help="Spacing of the taps of each gated layer after the first; one number a layer. All 1 "
        "is the network of the paper.",
    )


class PixelCNNSolverOptions(Options):
    """The posterior of the pixels, drawn by a particle filter."""

    weights: str = opt(
        default="auto",
        weights=True,
        help="Name of shipped weights, or a file. auto: the first shipped.",
    )
    particles: int = opt(
        default=32,
        min=1,
        max=4096,
        help="Draws that are carried along; those that the data contradict are replaced.",
    )
    estimate: Literal["mean", "draw"] = opt(
        default="mean", help="mean: the mean of the draws. draw: one of them, sharp."
    )
    seed: int = opt(default=0, min=0, help="Random seed of the draws.")


class PixelCNNGeneratorOptions(Options):
    """Samples, or the other half of a picture."""

    weights: str = opt(
        default="auto",
        weights=True,
        help="Name of shipped weights, or a file. auto: the first shipped.",
    )
    keep: Literal["top", "bottom", "left", "right"] = opt(
        default="top", help="The half of the picture that is kept."
    )
    temperature: float = opt(
        default=1.0,
        above=0.0,
        max=100.0,
        help="Of each pixel of samples; 1 samples the model, less gives likely pictures.",
    )
    particles: int = opt(
        default=16,
        min=1,
        max=4096,
        help="Draws that are carried along where the known half is not the top.",
    )


@hookimpl
def ipx_components() -> Iterable[ModelSpec | SolverSpec | GeneratorSpec]:
    """Declare the model, the solver and the generator."""
    return [
        ModelSpec(
            name="pixelcnn",
            target="ipx_plugins.pixelcnn.model:PixelCNN",
            options=PixelCNNOptions,
            summary="Autoregressive: each pixel given those above and to its left (gated).",
            source="van den Oord et al., NeurIPS 2016, equation 2 and figure 2",
            formula="p(x) = prod_i p(x_i | x_1 ... x_(i-1))",
            examples=({"levels": 3, "width": 4, "dilations": (1, 2)},),
            weights=WEIGHTS,
            recipe={"lr": 2e-3, "batch": 16, "warmup": 50, "clip": 1.0, "ema": 0.99, "final": 0.02},
        ),
        SolverSpec(
            name="pixelcnn",
            target="ipx_plugins.pixelcnn.solver:PixelCNNSolver",
            options=PixelCNNSolverOptions,
            needs=(Need((Diagonal,), ()),),
            traits=Traits(own_prior=True, maps=300),
            summary="Draws of an autoregressive model that fit the data, pixel after pixel.",
            source="van den Oord et al., NeurIPS 2016; particle filter: Doucet, de Freitas, "
            "Gordon, Sequential Monte Carlo Methods in Practice, 2001, chapter 1",
            formula="x_i ~ p(x_i | x_1 ... x_(i-1)) p(y_i | x_i), weights sum_v of the same",
            advice="Holes in small grey pictures of the training's kind, such as digits.",
        ),
        GeneratorSpec(
            name="pixelcnn",
            target="ipx_plugins.pixelcnn.generator:PixelCNNGenerator",
            options=PixelCNNGeneratorOptions,
            takes=("picture",),
            optional=1,
            channels=(1,),
            summary="PixelCNN: new pictures, or the other half of a picture in several ways.",
            source="van den Oord et al., NeurIPS 2016",
            formula="x_i ~ p(x_i | x_1 ... x_(i-1))",
            advice="Small grey pictures of the training's kind, such as digits.",
        ),
    ]
