"""Normalising flows: Glow and RealNVP, models with an exact density and an exact inverse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import ModelSpec, Options, hookimpl, opt

WEIGHTS: dict[str, tuple[str, ...]] = {"glow": ("photos", "faces", "digits")}
"""Shipped weights by model, the default first."""


class FlowOptions(Options):
    """What both flows have."""

    colors: Literal[1, 3] = opt(default=3, help="Channels: grey or colour.")
    levels: int = opt(default=4, min=1, help="Scales; sides are multiples of 2 to this.")
    width: int = opt(default=64, min=1, help="Features inside the coupling networks.")
    bits: float = opt(
        default=5.0,
        min=1.0,
        max=16.0,
        help="Trained on pictures with uniform noise of width 2^-bits (dequantisation).",
    )
    stride: float = opt(
        default=1.0,
        above=0.0,
        help="Length of the steps that its density bears, as a share of what that of photographs "
        "does: flat pictures, as of digits, make a steeper one.",
    )


class GlowOptions(FlowOptions):
    """Kingma and Dhariwal's flow."""

    steps: int = opt(default=8, min=1, help="Steps of flow at each scale.")


class RealNVPOptions(FlowOptions):
    """Dinh, Sohl-Dickstein and Bengio's flow."""

    steps: int = opt(
        default=3, min=1, help="Couplings of each kind at each scale: checkerboard, channels."
    )


@hookimpl
def ipx_components() -> Iterable[ModelSpec]:
    """Declare the models."""
    recipe = {"lr": 1e-3, "betas": (0.9, 0.99), "warmup": 500, "clip": 50.0, "batch": 16}
    return [
        ModelSpec(
            name="glow",
            target="ipx_plugins.flow.glow:Glow",
            options=GlowOptions,
            summary="Flow of actnorm, invertible 1x1 convolutions and affine couplings.",
            source="Kingma, Dhariwal, NeurIPS 2018",
            weights=WEIGHTS.get("glow", ()),
            recipe=recipe,
        ),
        ModelSpec(
            name="realnvp",
            target="ipx_plugins.flow.realnvp:RealNVP",
            options=RealNVPOptions,
            summary="Flow of affine couplings on checkerboards and channels.",
            source="Dinh, Sohl-Dickstein, Bengio, ICLR 2017",
            weights=WEIGHTS.get("realnvp", ()),
            recipe=recipe,
        ),
    ]
