"""Unrolled solvers: a few steps of a classical algorithm with learned parameters and prox."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import (
    DataGrad,
    DataProx,
    DataQuadratic,
    Gain,
    ModelSpec,
    Need,
    OptionError,
    Options,
    Quadratic,
    SolverSpec,
    Traits,
    hookimpl,
    opt,
)

# all three, since the weights determine which algorithm is unrolled
PROXED = (Need((DataQuadratic, DataProx, DataGrad), ()),)
GRADED = (Need((DataGrad, Quadratic), ()),)
WEIGHTS: dict[str, tuple[str, ...]] = {
    "unrolled-admm": ("grey", "color"),
    "admm-net": ("grey",),
}
"""Shipped weights by model."""


TAUGHT = {
    "unrolled-admm": (
        "eight steps of ADMM with a learned denoiser",
        "Blurs and super-resolution of photographs with Gaussian noise, as in its training; "
        "not for photon counts.",
    ),
    "unrolled-hqs": (
        "steps of half-quadratic splitting with a learned denoiser",
        "Weights of your own: train with ipx train unrolled-hqs.",
    ),
    "admm-net": (
        "ADMM steps with learned filters and curves",
        "Magnetic resonance data along spokes, as in its training.",
    ),
    "lista": (
        "x <- shrink(x - W (A x - y)), W and thresholds learned",
        "Weights of your own: train with ipx train lista.",
    ),
}
"""Formula and advice of each solver."""


GAINS = {
    "unrolled-admm": tuple(
        Gain(
            operators=(op,),
            noises=("gaussian",),
            channels=(1, 3),
            psnr=gain,
            seconds=0.8,
            where="benchmarks/unrolled.md",
        )
        for op, gain in (("blur", 1.28), ("inpaint", 3.00), ("super-resolution", 1.90))
    )
}
"""Mean PSNR over total variation with its best weight, for the operators of the training."""


class UnrolledOptions(Options):
    """The algorithm, the learned prox, and the training problems."""

    base: Literal["admm", "hqs", "fista", "pdhg"] = opt(
        default="admm", help="The algorithm that is unrolled."
    )
    stages: int = opt(
        default=8, min=1, max=1000, help="Number of steps, each with its own parameters."
    )
    prox: Literal["drunet", "cnn", "shrinkage", "filters"] = opt(
        default="drunet",
        help="The learned prox: the U-Net of that name, a small residual network, shrinkage in "
        "a learned frame, or (admm, pdhg) a penalty on learned filters.",
    )
    shared: bool = opt(default=True, help="One prox for all stages; off: each has its own.")
    widths: tuple[int, ...] = opt(
        default=(32, 64, 96),
        min=1,
        max=4096,
        help="Features at each scale (drunet), or the first (cnn).",
    )
    blocks: int = opt(
        default=2,
        min=1,
        max=100,
        help="Residual blocks at each scale (drunet); hidden layers (cnn).",
    )
    unshuffle: int = opt(
        default=2,
        min=1,
        max=16,
        help="Factor of the pixel unshuffle at the input (drunet).",
        unit="pixels",
    )
    taps: int = opt(
        default=3,
        min=1,
        max=63,
        help="Side of the learned filters (shrinkage, filters).",
        unit="pixels",
    )
    points: int = opt(
        default=101, min=3, max=10001, help="Control points of a shrinkage curve on [-1, 1]."
    )
    sigma_start: float = opt(
        default=49 / 255, above=0.0, help="First noise level (drunet, cnn).", unit="image range"
    )
    lam: float = opt(default=0.01, above=0.0, help="Initial weight (shrinkage, filters).")
    rho: float = opt(default=0.2, above=0.0, help="Initial penalty (shrinkage, filters).")
    fixed_point: bool = opt(
        default=False,
        help="Deep equilibrium: one stage, run to its fixed point, with implicit gradients.",
    )
    deep: float = opt(default=0.0, min=0.0, help="Weight of the mean loss of earlier stages.")
    checkpoint: bool = opt(
        default=False, help="Training keeps one stage in memory and computes stages twice."
    )
    start: str = opt(
        default="", help="Denoiser weights (shipped name or file) that the prox starts from."
    )
    colors: Literal[1, 3] = opt(default=1, help="Channels: grey or colour.")
    op: tuple[str, ...] = opt(
        default=("blur", "inpaint", "super-resolution"),
        help="Operators of the training, with options drawn at random.",
    )
    noise: Literal["gaussian"] = opt(
        default="gaussian", help="Noise of the training; other data terms have no exact prox."
    )
    missing: tuple[float, float] = opt(
        default=(0.2, 0.8), min=0.0, max=1.0, help="Range of the fraction of missing pixels."
    )
    factors: tuple[int, ...] = opt(
        default=(2, 4), min=2, max=8, help="Factors of super-resolution."
    )
    sigma: tuple[float, float] = opt(
        default=(0.0, 0.05), min=0.0, help="Range of noise standard deviations.", unit="image range"
    )
    unknown_border: float = opt(
        default=0.0,
        min=0.0,
        max=1.0,
        help="Share of blurs whose border is unknown, as of files; the others are mirrored or "
        "periodic.",
    )
    compressed: float = opt(
        default=0.0, min=0.0, max=1.0, help="Share of the data that are stored as JPEG."
    )
    quality: tuple[int, int] = opt(
        default=(60, 95), min=1, max=100, help="Range of the JPEG quality."
    )

    def __post_init__(self) -> None:
        if self.prox == "filters" and self.base not in ("admm", "pdhg"):
            raise OptionError(f"{self.base} takes no prox of kind filters; take shrinkage")
        if not self.op:
            raise OptionError("option op names no operator")


class ADMMOptions(UnrolledOptions):
    """ADMM with a learned denoiser, which gets the noise level of each stage."""


class HQSOptions(UnrolledOptions):
    """Half-quadratic splitting with a learned denoiser (USRNet)."""

    base: Literal["admm", "hqs", "fista", "pdhg"] = opt(
        default="hqs", help="The algorithm that is unrolled."
    )


class ADMMNetOptions(UnrolledOptions):
    """ADMM with learned filters, shrinkage curves and multiplier rates."""

    stages: int = opt(
        default=10, min=1, max=1000, help="Number of steps, each with its own parameters."
    )
    prox: Literal["drunet", "cnn", "shrinkage", "filters"] = opt(
        default="filters", help="The learned prox."
    )
    shared: bool = opt(default=False, help="One prox for all stages; off: each has its own.")
    lam: float = opt(default=0.001, above=0.0, help="Initial weight (shrinkage, filters).")
    rho: float = opt(default=0.025, above=0.0, help="Initial penalty (shrinkage, filters).")


class LISTAOptions(UnrolledOptions):
    """Proximal gradient with learned steps, thresholds and frames."""

    base: Literal["admm", "hqs", "fista", "pdhg"] = opt(
        default="fista", help="The algorithm that is unrolled."
    )
    stages: int = opt(
        default=16, min=1, max=1000, help="Number of steps, each with its own parameters."
    )
    prox: Literal["drunet", "cnn", "shrinkage", "filters"] = opt(
        default="shrinkage", help="The learned prox."
    )
    shared: bool = opt(default=False, help="One prox for all stages; off: each has its own.")


class TrainedOptions(Options):
    """A trained network."""

    weights: str = opt(
        default="auto",
        weights=True,
        help="Name of shipped weights, or a file. auto: color for 3 channels if shipped, else "
        "grey, channel by channel.",
    )


@hookimpl
def ipx_components() -> Iterable[ModelSpec | SolverSpec]:
    """Declare the models to train and the solvers to use."""
    here = "ipx_plugins.unrolled."
    recipe = {"lr": 3e-4, "betas": (0.9, 0.99), "batch": 6, "steps": 20_000}
    table: tuple[tuple[str, str, type[Options], tuple[Need, ...], str, str], ...] = (
        (
            "unrolled-admm", "UnrolledADMM", ADMMOptions, PROXED,
            "ADMM of eight stages with a learned denoiser.",
            "Yang et al., NeurIPS 2016; Aggarwal et al., IEEE TMI 38, 2019 (MoDL)",
        ),
        (
            "unrolled-hqs", "UnrolledHQS", HQSOptions, PROXED,
            "Half-quadratic splitting with a learned denoiser.",
            "Zhang, Van Gool, Timofte, CVPR 2020 (USRNet)",
        ),
        (
            "admm-net", "ADMMNet", ADMMNetOptions, PROXED,
            "ADMM with learned filters and shrinkage curves.",
            "Yang, Sun, Li, Xu, NeurIPS 2016",
        ),
        (
            "lista", "LISTA", LISTAOptions, GRADED,
            "Proximal gradient with learned steps, thresholds, frames.",
            "Gregor, LeCun, ICML 2010; Zhang, Ghanem, CVPR 2018 (ISTA-Net)",
        ),
    )  # fmt: skip
    models = [
        ModelSpec(
            name=name,
            target=here + f"model:{cls}Model",
            options=options,
            summary=f"Unrolled: {summary}",
            source=source,
            weights=WEIGHTS.get(name, ()),
            recipe=recipe,
        )
        for name, cls, options, _, summary, source in table
    ]
    solvers = [
        SolverSpec(
            name=name,
            target=here + f"solver:{cls}",
            options=TrainedOptions,
            summary=f"Learned: {summary}",
            source=source,
            formula=TAUGHT[name][0],
            advice=TAUGHT[name][1],
            gains=GAINS.get(name, ()),
            needs=needs,
            traits=Traits(own_prior=True, buffers=4, maps=110),
        )
        for name, cls, _, needs, summary, source in table
    ]
    return [*models, *solvers]
