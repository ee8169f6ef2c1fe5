"""Normalising flows: Glow and RealNVP, models with an exact density and an exact inverse."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import ModelSpec, Options, Traits, hookimpl, opt

WEIGHTS: dict[str, tuple[str, ...]] = {"glow": ("faces", "photos", "digits")}
"""Shipped weights by model, the default first."""


class FlowOptions(Options):
    """Options of both flows."""

    colors: Literal[1, 3] = opt(default=3, help="Channels: grey or colour.")
    levels: int = opt(default=4, min=1, max=10, help="Scales; sides are multiples of 2^levels.")
    width: int = opt(default=64, min=1, max=4096, help="Feature channels of coupling networks.")
    bits: float = opt(
        default=5.0,
        min=1.0,
        max=16.0,
        help="Training adds uniform noise of width 2^-bits to the pictures (dequantisation).",
    )


class GlowOptions(FlowOptions):
    """Glow (Kingma and Dhariwal)."""

    steps: int = opt(default=8, min=1, max=1000, help="Steps of flow at each scale.")
    coupling: Literal["affine", "additive"] = opt(
        default="affine",
        help="affine: couplings and priors scale and shift. additive: they shift alone, so "
        "log |det J| is constant and |E(x)|^2 is -2 log p(x) up to a constant.",
    )


class RealNVPOptions(FlowOptions):
    """RealNVP (Dinh, Sohl-Dickstein and Bengio)."""

    steps: int = opt(
        default=3,
        min=1,
        max=1000,
        help="Couplings of each kind (checkerboard, channels) at each scale.",
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
            summary="Normalising flow: actnorm, invertible 1x1 convolutions, couplings.",
            source="Kingma, Dhariwal, NeurIPS 2018; additive: Dinh, Krueger, Bengio, ICLR 2015",
            traits=lambda o: Traits(constant_volume=o.coupling == "additive"),
            examples=({"coupling": "additive"},),
            weights=WEIGHTS.get("glow", ()),
            recipe=recipe,
        ),
        ModelSpec(
            name="realnvp",
            target="ipx_plugins.flow.realnvp:RealNVP",
            options=RealNVPOptions,
            summary="Normalising flow: affine couplings with checkerboard and channel masks.",
            source="Dinh, Sohl-Dickstein, Bengio, ICLR 2017",
            weights=WEIGHTS.get("realnvp", ()),
            recipe=recipe,
        ),
    ]
