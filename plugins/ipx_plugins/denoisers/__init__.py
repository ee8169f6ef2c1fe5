"""Learned denoisers, each a model to train and a prior to use, and layouts of published weights."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, Literal

from ipx import (
    DENOISER_SHARE,
    Denoise,
    Gain,
    Grad,
    LayoutSpec,
    ModelSpec,
    OptionError,
    Options,
    PriorSpec,
    Traits,
    Value,
    hookimpl,
    opt,
    trained_traits,
)

SOURCES = {
    "dncnn": "Zhang et al., IEEE TIP 26, 2017; without biases: Mohan et al., ICLR 2020",
    "ffdnet": "Zhang, Zuo, Zhang, IEEE TIP 27, 2018",
    "drunet": "Zhang et al., IEEE TPAMI 44, 2022 (DPIR)",
    "ircnn": "Zhang, Zuo, Gu, Zhang, CVPR 2017",
    "bias-free-unet": "Mohan et al., ICLR 2020",
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
    "ircnn": (
        "D(x, sigma) = x - N_k(x), the network N_k of the smallest level that reaches sigma",
        "Published weights: import them with ipx weights import.",
    ),
    "bias-free-unet": (
        "D(x), a U-Net without biases: D(c x) = c D(x), so that any noise level is handled",
        "Published weights, where the noise level is unknown: import them with ipx weights import.",
    ),
}
"""Formula and advice of each prior."""

WEIGHTS: dict[str, tuple[str, ...]] = {"drunet": ("grey", "color")}
"""Shipped weights by model: only those better than total variation on held-out pictures."""


PICTURE = "The last layer gives the picture; off: its difference from the input."


def _measured(*rows: tuple[str, str, float, str]) -> tuple[Gain, ...]:
    return tuple(
        Gain(operators=(op,), noises=(noise,), channels=(1, 3), psnr=gain, seconds=0.6, where=where)
        for op, noise, gain, where in rows
    )


GAINS = {
    "drunet": _measured(
        ("identity", "gaussian", 1.62, "benchmarks/prior_auto.md"),
        ("identity", "impulse", 2.58, "benchmarks/impulse.md"),
        ("identity", "poisson", 2.80, "benchmarks/variable_noise.md"),
        ("identity", "poisson-gaussian", 2.31, "benchmarks/variable_noise.md"),
        ("identity", "speckle", 7.65, "benchmarks/variable_noise.md"),
        ("identity", "stripes", 1.98, "benchmarks/stripes.md"),
        ("identity", "jpeg", 1.22, "benchmarks/jpeg.md"),
        ("blur", "gaussian", 0.98, "benchmarks/unrolled.md"),
        ("inpaint", "gaussian", 3.12, "benchmarks/unrolled.md"),
        ("super-resolution", "gaussian", 1.65, "benchmarks/unrolled.md"),
        ("mosaic", "gaussian", 2.99, "benchmarks/bands.md"),
    )
}
"""Mean PSNR over total variation with its best weight, by operator and noise."""


class DenoiserOptions(Options):
    """Channels and training noise of a denoiser."""

    colors: Literal[1, 3] = opt(default=1, help="Channels: grey or colour.")
    sigma_max: float = opt(
        default=50 / 255, above=0.0, help="Largest noise standard deviation in training."
    )


class LevelOptions(DenoiserOptions):
    """A network for a range of noise levels."""

    sigma_min: float = opt(
        default=0.0,
        min=0.0,
        help="Smallest noise standard deviation in training; sigma_max for a single level.",
    )

    def __post_init__(self) -> None:
        if self.sigma_min > self.sigma_max:
            told = f"<= sigma_max ({self.sigma_max:g}), not {self.sigma_min:g}"
            raise OptionError(f"option sigma_min must be {told}")


class DnCNNOptions(LevelOptions):
    """A convolutional network at full resolution."""

    width: int = opt(default=64, min=1, max=4096, help="Feature channels.")
    depth: int = opt(default=17, min=3, max=1000, help="Number of convolutions.")
    bias: bool = opt(default=False, help="The convolutions have biases, as in the paper.")
    blind: bool = opt(default=False, help="The noise level is no input, as in the paper.")
    picture: bool = opt(default=False, help=PICTURE)


class FFDNetOptions(LevelOptions):
    """A convolutional network at half resolution."""

    width: int = opt(default=64, min=1, max=4096, help="Feature channels.")
    depth: int = opt(default=15, min=3, max=1000, help="Number of convolutions.")
    picture: bool = opt(default=False, help=PICTURE)
    clamp: bool = opt(default=False, help="Clamp the input to [0, 1], for data that are clipped.")


class DRUNetOptions(LevelOptions):
    """A U-Net of residual blocks; the paper uses widths 64,128,256,512 and 4 blocks."""

    widths: tuple[int, ...] = opt(
        default=(32, 64, 96), min=1, max=4096, help="Feature channels at each scale."
    )
    blocks: int = opt(default=2, min=1, max=100, help="Residual blocks at each scale, down and up.")
    unshuffle: int = opt(
        default=2, min=1, max=16, help="Factor of the pixel unshuffle at the input; 1 in the paper."
    )
    picture: bool = opt(default=False, help=PICTURE)


class IRCNNOptions(DenoiserOptions):
    """Small networks of dilated convolutions, one for each noise level."""

    width: int = opt(default=64, min=1, max=4096, help="Feature channels.")
    levels: int = opt(default=25, min=1, max=1000, help="Number of networks, up to sigma_max.")


class BiasFreeUNetOptions(LevelOptions):
    """A small U-Net without biases."""

    width: int = opt(default=32, min=1, max=4096, help="Feature channels at full resolution.")
    picture: bool = opt(default=True, help=PICTURE)


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
        weights=True,
        help="Name of shipped or imported weights, or a file. auto: color for 3 channels if "
        "shipped, else grey, channel by channel.",
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


MAPS: dict[str, Callable[[Any], float]] = {
    "dncnn": lambda o: 4 * o.width,
    "ffdnet": lambda o: 1.125 * o.width,
    "drunet": lambda o: 9.375 * o.widths[0] / o.unshuffle**2,
    "ircnn": lambda o: 4 * o.width,
    "bias-free-unet": lambda o: 12 * o.width,
}
"""Feature maps at full resolution that a network holds at its peak."""


def _model_traits(name: str) -> Callable[[Any], Traits]:
    """The traits of a model with its options."""
    return lambda options: Traits(maps=MAPS[name](options))


def _prior_traits(model: ModelSpec) -> Callable[[Any], Traits]:
    """The traits of a prior with the network of its weights."""

    def traits(options: MixedOptions) -> Traits:
        usual = options.weights == "auto"
        net = model.traits_for() if usual else trained_traits(options.weights, model.name)
        return Traits(lam_per_variance=DENOISER_SHARE, buffers=2, maps=net.maps)

    return traits


MODELS: tuple[tuple[str, str, type[Options], str], ...] = (
    ("dncnn", "DnCNN", DnCNNOptions, "a deep network that predicts the noise"),
    ("ffdnet", "FFDNet", FFDNetOptions, "a fast network at half resolution"),
    ("drunet", "DRUNet", DRUNetOptions, "a U-Net of residual blocks, the most accurate"),
    ("ircnn", "IRCNN", IRCNNOptions, "small dilated networks, one for each noise level"),
    ("bias-free-unet", "BiasFreeUNet", BiasFreeUNetOptions, "a small U-Net, blind to the level"),
    ("gs-drunet", "GSDRUNet", GSDRUNetOptions, "a gradient step on an explicit potential"),
)
"""Name, class, options and description of each model."""

LAYOUTS: tuple[tuple[str, str, tuple[str, ...], str], ...] = (
    ("chain", "Chain", ("model.0.weight", "model.0.bias", "model.2.weight"),
     "DnCNN, FDnCNN and FFDNet of KAIR."),
    ("ircnn", "Levels", ("0.model.0.weight", "1.model.0.weight", "0.model.12.bias"),
     "IRCNN of KAIR."),
    ("drunet", "UNet", ("m_head.weight", "m_down1.0.res.0.weight", "m_tail.weight"),
     "DRUNet of KAIR, DPIR and deepinv."),
    ("matconvnet", "MatConvNet", ("layers.0.weights.0", "layers.0.weights.1"),
     "DnCNN, FDnCNN and FFDNet of their authors, in MATLAB 7.3 files."),
    ("deepinv-dncnn", "DeepinvDnCNN", ("in_conv.weight", "conv_list.0.weight", "out_conv.weight"),
     "DnCNN of deepinv."),
    ("deepinv-ffdnet", "DeepinvFFDNet", ("blocks.0.0.weight", "blocks.1.0.weight"),
     "FFDNet of deepinv."),
    ("batch-norm", "BatchNorm", ("dncnn.0.weight", "dncnn.3.running_mean"),
     "DnCNN with batch normalisation, of SaoYan/DnCNN-PyTorch."),
    ("bias-free-unet", "BiasFree", ("conv1.weight", "conv7.weight", "conv9.weight"),
     "The bias-free U-Net of its authors."),
)  # fmt: skip
"""Name, class, keys and description of each layout."""


@hookimpl
def ipx_components() -> Iterable[ModelSpec | PriorSpec | LayoutSpec]:
    """Declare the models, the priors and the layouts."""
    models = [
        ModelSpec(
            name=name,
            target=f"ipx_plugins.denoisers.{name.replace('-', '_')}:{cls}",
            options=options,
            traits=_model_traits(name) if name in MAPS else Traits(),
            summary=f"Denoiser: {told}.",
            source=SOURCES[name],
            weights=WEIGHTS.get(name, ()),
            recipe={"lr": 1e-3, "betas": (0.9, 0.99)},
        )
        for name, cls, options, told in MODELS
    ]
    priors = [
        PriorSpec(
            name=m.name,
            target=f"ipx_plugins.denoisers.prior:{m.target.partition(':')[2]}Prior",
            options=MixedOptions,
            provides=(Denoise,),
            traits=_prior_traits(m),
            summary=f"Learned d{m.summary[1:]}",
            source=SOURCES[m.name],
            formula=TAUGHT[m.name][0],
            advice=TAUGHT[m.name][1],
            gains=GAINS.get(m.name, ()),
        )
        for m in models
        if m.name in MAPS
    ]
    priors.append(
        PriorSpec(
            name="gs-drunet",
            target="ipx_plugins.denoisers.gs_prior:GSDRUNetPrior",
            options=GSOptions,
            provides=(Value, Grad, Denoise),
            traits=Traits(convex=False, lam_per_variance=DENOISER_SHARE),
            summary=f"Learned d{models[-1].summary[1:]}",
            source=SOURCES["gs-drunet"],
            formula="R = g / sigma^2, grad g(x) = x - D(x)",
            advice="Plug-and-play with an objective that falls in each step; weights of your own.",
        )
    )
    layouts = [
        LayoutSpec(
            name=name,
            target=f"ipx_plugins.denoisers.layouts:{cls}",
            keys=keys,
            summary=told,
        )
        for name, cls, keys, told in LAYOUTS
    ]
    return [*models, *priors, *layouts]
