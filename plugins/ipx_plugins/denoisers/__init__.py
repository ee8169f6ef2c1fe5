"""Learned denoisers: DnCNN, FFDNet, DRUNet, each a model to train and a prior to use."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import (
    DENOISER_SHARE,
    Denoise,
    Gain,
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

TAUGHT = {
    "dncnn": (
        "D(x) = x - N(x), N a convolutional network",
        "Weights of your own: train with ipx train dncnn, or import published ones.",
    ),
    "ffdnet": (
        "D(x, sigma): convolutions at half resolution, told the noise level",
        "Weights of your own where speed matters: train with ipx train ffdnet.",
    ),
    "drunet": (
        "D(x, sigma): a U-Net of residual blocks that is told the noise level",
        "The first choice for photographs, in any task with noise. Where a picture must not "
        "be made up, compare with tv.",
    ),
}
"""Formula and advice of each prior."""

WEIGHTS: dict[str, tuple[str, ...]] = {"drunet": ("grey", "color")}
"""Shipped weights by model: only those better than total variation on held-out pictures."""


def _measured(*rows: tuple[str, str, float, str]) -> tuple[Gain, ...]:
    return tuple(
        Gain(operators=(op,), noises=(noise,), channels=(1, 3), psnr=gain, seconds=0.6, where=where)
        for op, noise, gain, where in rows
    )


GAINS = {
    "drunet": _measured(
        ("identity", "gaussian", 1.62, "benchmarks/prior_auto.md"),
        ("identity", "impulse", 2.58, "benchmarks/impulse.md"),
        ("blur", "gaussian", 0.98, "benchmarks/unrolled.md"),
        ("inpaint", "gaussian", 3.12, "benchmarks/unrolled.md"),
        ("super-resolution", "gaussian", 1.65, "benchmarks/unrolled.md"),
    )
}
"""Mean PSNR over total variation with its best weight, by operator and noise."""

MAPS = {"dncnn": 256, "ffdnet": 72, "drunet": 75}
"""Feature maps at full resolution that a network holds at its peak, with its default widths."""


class DenoiserOptions(Options):
    """Channels and training noise of a denoiser."""

    colors: Literal[1, 3] = opt(default=1, help="Channels: grey or colour.")
    sigma_max: float = opt(
        default=50 / 255, above=0.0, help="Largest noise standard deviation in training."
    )


class DnCNNOptions(DenoiserOptions):
    """A convolutional network at full resolution."""

    width: int = opt(default=64, min=1, max=4096, help="Feature channels.")
    depth: int = opt(default=17, min=3, max=1000, help="Number of convolutions.")


class FFDNetOptions(DenoiserOptions):
    """A convolutional network at half resolution."""

    width: int = opt(default=64, min=1, max=4096, help="Feature channels.")
    depth: int = opt(default=15, min=3, max=1000, help="Number of convolutions.")


class DRUNetOptions(DenoiserOptions):
    """A U-Net of residual blocks; the paper uses widths 64,128,256,512 and 4 blocks."""

    widths: tuple[int, ...] = opt(
        default=(32, 64, 96), min=1, max=4096, help="Feature channels at each scale."
    )
    blocks: int = opt(default=2, min=1, max=100, help="Residual blocks at each scale, down and up.")
    unshuffle: int = opt(
        default=2, min=1, max=16, help="Factor of the pixel unshuffle at the input; 1 in the paper."
    )


class GSDRUNetOptions(DenoiserOptions):
    """A gradient step on a potential defined by a small smooth DRUNet."""

    widths: tuple[int, ...] = opt(
        default=(24, 48), min=1, max=4096, help="Feature channels at each scale."
    )
    blocks: int = opt(default=2, min=1, max=100, help="Residual blocks at each scale, down and up.")
    unshuffle: int = opt(
        default=2, min=1, max=16, help="Factor of the pixel unshuffle at the input; 1 in the paper."
    )


class LearnedOptions(Options):
    """A trained denoiser."""

    weights: str = opt(
        default="auto",
        help="Name of shipped weights, or a file. auto: color for 3 channels if shipped, else "
        "grey, channel by channel.",
    )


class MixedOptions(LearnedOptions):
    """A trained denoiser with a safeguard."""

    mix: bool = opt(
        default=True,
        help="Mix the network with the data and with a shrinkage of small blocks, by the least "
        "estimated risk; off: the network alone.",
    )


class GSOptions(LearnedOptions):
    """A trained gradient-step denoiser."""

    sigma: float = opt(
        default=0.035,
        above=0.0,
        help="Noise standard deviation of the potential. Plug-and-play solvers set their own.",
        unit="image range",
    )


@hookimpl
def ipx_components() -> Iterable[ModelSpec | PriorSpec]:
    """Declare the models and the priors."""
    recipe = {"lr": 1e-3, "betas": (0.9, 0.99)}
    told = {
        "dncnn": "a deep network that predicts the noise",
        "ffdnet": "a fast network at half resolution",
        "drunet": "a U-Net of residual blocks, the most accurate",
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
            options=MixedOptions,
            provides=(Denoise,),
            traits=Traits(lam_per_variance=DENOISER_SHARE, buffers=2, maps=MAPS[m.name]),
            summary=f"Learned denoiser: {told[m.name]}.",
            source=SOURCES[m.name],
            formula=TAUGHT[m.name][0],
            advice=TAUGHT[m.name][1],
            gains=GAINS.get(m.name, ()),
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
            formula="R = g, grad g(x) = x - D(x)",
            advice="Plug-and-play with an objective that falls in each step; weights of your own.",
        )
    )
    return [*models, *priors]
