"""Learned denoisers: DnCNN, FFDNet, DRUNet, each a model to train and a prior to use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import (
    DENOISER_SHARE,
    Denoise,
    Grad,
    ModelSpec,
    Options,
    PriorSpec,
    Traits,
    Value,
    hookimpl,
    opt,
)

SOURCES = {
    "dncnn": "Zhang et al., IEEE TIP 26, 2017; without biases: Mohan et al., ICLR 2020",
    "ffdnet": "Zhang, Zuo, Zhang, IEEE TIP 27, 2018",
    "drunet": "Zhang et al., IEEE TPAMI 44, 2022 (DPIR)",
    "gs-drunet": "Hurault, Leclaire, Papadakis, ICLR 2022 (gradient-step denoiser)",
}

WEIGHTS: dict[str, tuple[str, ...]] = {"drunet": ("grey", "color")}
"""Shipped weights by model: only what beats total variation as a prior on pictures held out."""


class DenoiserOptions(Options):
    """A denoiser and the noise it is trained for."""

    colors: Literal[1, 3] = opt(default=1, help="Channels: grey or colour.")
    sigma_max: float = opt(
        default=50 / 255, above=0.0, help="Trained for noise between 0 and this."
    )


class DnCNNOptions(DenoiserOptions):
    """A plain deep network."""

    width: int = opt(default=64, min=1, help="Features.")
    depth: int = opt(default=17, min=3, help="Convolutions.")


class FFDNetOptions(DenoiserOptions):
    """A plain network at half the size."""

    width: int = opt(default=64, min=1, help="Features.")
    depth: int = opt(default=15, min=3, help="Convolutions.")


class DRUNetOptions(DenoiserOptions):
    """A U-Net of residual blocks. The defaults are small; the paper's is 64,128,256,512 x 4."""

    widths: tuple[int, ...] = opt(default=(32, 64, 96), help="Features of each scale.")
    blocks: int = opt(default=2, min=1, help="Residual blocks of each scale and direction.")
    unshuffle: int = opt(
        default=2, min=1, help="Fold blocks of so many pixels into channels first; the paper: 1."
    )


class GSDRUNetOptions(DenoiserOptions):
    """A gradient step on a potential made of a small smooth DRUNet."""

    widths: tuple[int, ...] = opt(default=(24, 48), help="Features of each scale.")
    blocks: int = opt(default=2, min=1, help="Residual blocks of each scale and direction.")
    unshuffle: int = opt(
        default=2, min=1, help="Fold blocks of so many pixels into channels first; the paper: 1."
    )


class LearnedOptions(Options):
    """A trained denoiser."""

    weights: str = opt(
        default="auto",
        help="Shipped weights, or a file. auto: color for 3 channels where there are such weights, "
        "else grey, channel by channel.",
    )


class GSOptions(LearnedOptions):
    """A trained gradient-step denoiser."""

    sigma: float = opt(
        default=0.035,
        above=0.0,
        help="Noise for which the potential is taken; plug-and-play solvers have their own.",
        unit="image range",
    )


@hookimpl
def ipx_components() -> Iterable[ModelSpec | PriorSpec]:
    """Declare the models and the priors."""
    recipe = {"lr": 1e-3, "betas": (0.9, 0.99)}
    told = {
        "dncnn": "a plain deep residual network",
        "ffdnet": "a plain network at half the size, fast",
        "drunet": "a U-Net of residual blocks, the best of the three",
        "gs-drunet": "a gradient step on an explicit potential",
    }
    models = [
        ModelSpec(
            name=name,
            target=f"ipx_plugins.denoisers.{name.replace('-', '_')}:{cls}",
            options=options,
            summary=f"Denoiser: {told[name]}.",
            source=SOURCES[name],
            weights=WEIGHTS.get(name, ()),
            recipe=recipe,
        )
        for name, cls, options in (
            ("dncnn", "DnCNN", DnCNNOptions),
            ("ffdnet", "FFDNet", FFDNetOptions),
            ("drunet", "DRUNet", DRUNetOptions),
            ("gs-drunet", "GSDRUNet", GSDRUNetOptions),
        )
    ]
    priors = [
        PriorSpec(
            name=m.name,
            target=f"ipx_plugins.denoisers.prior:{m.target.partition(':')[2]}Prior",
            options=LearnedOptions,
            provides=(Denoise,),
            traits=Traits(lam_per_variance=DENOISER_SHARE),
            summary=f"Learned denoiser: {told[m.name]}.",
            source=SOURCES[m.name],
        )
        for m in models
        if m.name != "gs-drunet"
    ]
    priors.append(
        PriorSpec(
            name="gs-drunet",
            target="ipx_plugins.denoisers.gs_prior:GSDRUNetPrior",
            options=GSOptions,
            provides=(Value, Grad, Denoise),
            traits=Traits(convex=False, lam_per_variance=DENOISER_SHARE),
            summary=f"Learned denoiser: {told['gs-drunet']}.",
            source=SOURCES["gs-drunet"],
        )
    )
    return [*models, *priors]
