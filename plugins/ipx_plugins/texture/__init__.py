"""Textures made from an example, and pictures in the style of another."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from ipx import GeneratorSpec, ModelSpec, Options, hookimpl, opt

WEIGHTS = ("photos",)


class FeaturesOptions(Options):
    """The network that tells which pieces are of one picture."""

    widths: tuple[int, ...] = opt(
        default=(24, 48, 96), min=1, max=1024, help="Feature channels at each scale."
    )


class NetworkOptions(Options):
    """The network whose features are matched."""

    features: Literal["trained", "random"] = opt(
        default="trained",
        help="Features of a network trained on photographs, or of one with random weights.",
    )
    weights: str = opt(
        default="auto",
        weights=True,
        help="Of the model texture-features: name of shipped weights, or a file.",
    )
    layers: int = opt(
        default=0, min=0, max=64, help="The first so many layers are matched; 0: all of them."
    )
    iterations: int = opt(
        default=100, min=1, max=100_000, help="Steps of L-BFGS on each grid, for gram."
    )


class TextureOptions(NetworkOptions):
    """The method, and its patches or its network."""

    method: Literal["quilting", "pixels", "gram", "random-phase"] = opt(
        default="quilting",
        help="quilting cuts and joins patches; pixels copies single pixels (Efros, Leung); gram "
        "matches correlations of features; random-phase keeps the spectrum only.",
    )
    patch: int = opt(
        default=0,
        min=0,
        max=255,
        unit="pixels",
        help="Side of the patches of quilting, of the neighbourhoods of pixels; 0: 32 and 15.",
    )
    tolerance: float = opt(
        default=0.1,
        min=0.0,
        max=10.0,
        help="A patch at most this share worse than the best is drawn; 0 takes the best.",
    )
    candidates: int = opt(
        default=8192, min=1, help="pixels compares so many places of the example, at random."
    )


class StyleOptions(NetworkOptions):
    """The method, and how much of the style there is."""

    method: Literal["gram", "quilting"] = opt(
        default="gram",
        help="gram matches correlations of features, and the features of the content; quilting "
        "joins patches of the style that are as bright as the content.",
    )
    strength: float = opt(
        default=0.98,
        min=0.0,
        max=1.0,
        help="Share of the style: 0 is the content (gram), or patches chosen by it only.",
    )
    patch: int = opt(
        default=12, min=4, max=255, unit="pixels", help="Side of the first patches of quilting."
    )
    tolerance: float = opt(default=0.1, min=0.0, max=10.0, help="As for texture.")


@hookimpl
def ipx_components() -> Iterable[Any]:
    """Declare the generators and the network."""
    here = "ipx_plugins.texture."
    return [
        GeneratorSpec(
            name="texture",
            target=here + "texture:Texture",
            options=TextureOptions,
            takes=("texture",),
            examples=(
                {"method": "pixels", "candidates": 300},
                {"method": "gram", "iterations": 3},
                {"method": "random-phase"},
            ),
            summary="More of a texture, from an example: quilting, pixels, Gram matrices.",
            source="Efros, Freeman, SIGGRAPH 2001; Efros, Leung, ICCV 1999; Gatys et al., NeurIPS "
            "2015; Galerne et al., IEEE TIP 20, 2011",
            formula="p(pixel | its neighbourhood), sampled from the example",
            advice="Walls, lawns, cloth: what looks alike everywhere. Structure larger than a "
            "patch is lost.",
        ),
        GeneratorSpec(
            name="style",
            target=here + "style:Style",
            options=StyleOptions,
            takes=("content", "style"),
            examples=({"iterations": 3}, {"method": "quilting"}),
            summary="The content of one picture in the style of another.",
            source="Gatys, Ecker, Bethge, CVPR 2016; Efros, Freeman, SIGGRAPH 2001, section 4",
            formula="min over x of |F(x) - F(content)|^2 + w sum |G(x) - G(style)|^2",
            advice="Colours and strokes of a painting. The network is small, and knows no objects.",
        ),
        ModelSpec(
            name="texture-features",
            target=here + "features:TextureFeatures",
            options=FeaturesOptions,
            summary="Tells which pieces are of one photograph; features that describe textures.",
            source="Dosovitskiy et al., NeurIPS 2014; loss: Chen, Kornblith, Norouzi, Hinton, ICML "
            "2020",
            formula="min -log softmax_j <f(piece of i), f(other piece of j)> / t at j = i",
            advice="Gram matrices for textures and styles, and training of your own features.",
            weights=WEIGHTS,
            examples=({"widths": (4, 8)},),
            recipe={"lr": 2e-3, "batch": 20, "warmup": 50, "ema": 0.98},
        ),
    ]
