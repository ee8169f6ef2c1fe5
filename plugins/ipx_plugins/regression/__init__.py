"""Supervised regression: networks that map a preview of the data to the picture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

from ipx import (
    ModelSpec,
    Need,
    OptionError,
    Options,
    SolverSpec,
    Traits,
    hookimpl,
    opt,
)

ANYTHING = (Need((), ()),)
WEIGHTS: dict[str, tuple[str, ...]] = {
    "srcnn": ("x2", "x4"),
    "vdsr": ("grey",),
    "unet": ("portraits",),
}
"""Shipped weights by model; srcnn has one network per factor, as in its paper; those of unet make
portraits of 64 x 64 of line drawings, operator edges."""


_COLOURISE: dict[str, Any] = {"op": "luminance", "varied": (), "colors": 3}
_SMALL: dict[str, Any] = {"widths": (4, 8), "critic": 4}
EXAMPLES: dict[str, tuple[dict[str, Any], ...]] = {
    "vdsr": ({"loss": "l1", "width": 4, "depth": 3},),
    "unet": (
        {**_SMALL, "op": "pairs", "loss": "l2"},
        {**_SMALL, **_COLOURISE, "loss": "classes", "bins": 40.0},
        {**_SMALL, **_COLOURISE, "loss": "adversarial", "dropout": 0.5},
    ),
}
"""Variants that the contract kit checks."""


class RegressionOptions(Options):
    """The training domain of a network: operator and noise."""

    op: str = opt(
        default="super-resolution",
        help="The operator to invert; pairs: none, the inputs are the pictures of --inputs.",
    )
    varied: tuple[str, ...] | None = opt(
        default=None,
        help="Options of the operator drawn at random, NAME=A|B|C or NAME=LOW..HIGH; by default "
        "factor=2|4,filter=mean|bicubic of super-resolution. Others keep their defaults.",
    )
    noise: Literal["gaussian"] = opt(default="gaussian", help="The noise model.")
    sigma: tuple[float, float] = opt(
        default=(0.0, 0.0), min=0.0, help="Range of noise standard deviations.", unit="image range"
    )
    colors: Literal[1, 3] = opt(default=1, help="Channels: grey or colour.")
    loss: Literal["log-l2", "l1", "l2", "classes", "adversarial"] = opt(
        default="log-l2",
        help="log-l2: log of the mean square error; l1, l2: mean absolute or square error; "
        "classes: bins of colour, rare ones weighted up; adversarial: l1 and a critic of pairs.",
    )
    l1_weight: float = opt(
        default=100.0, min=0.0, help="Weight of the absolute error with loss adversarial."
    )
    critic: int = opt(
        default=32, min=1, max=1024, help="Features of the critic at half size, doubled twice."
    )
    bins: float = opt(
        default=10.0, min=2.0, max=50.0, help="Side of the bins of a and b with loss classes."
    )
    temperature: float = opt(
        default=0.38,
        above=0.0,
        help="Of the distribution over colours whose mean is taken; 1: the mean, 0.01: the mode.",
    )

    @property
    def ranges(self) -> tuple[str, ...]:
        """``varied``, or the default for the operator."""
        if self.varied is not None:
            return self.varied
        usual = ("factor=2|4", "filter=mean|bicubic")
        return usual if self.op == "super-resolution" else ()

    def __post_init__(self) -> None:
        for entry in self.ranges:
            name, _, values = entry.partition("=")
            if not name or not values:
                raise OptionError(f"varied: {entry!r} is neither NAME=A|B nor NAME=LOW..HIGH")
        if self.loss == "classes" and self.colors != 3:
            raise OptionError("loss classes is for colours; give colors=3, or take another loss")


class SRCNNOptions(RegressionOptions):
    """Three convolutions, 9-5-5."""

    widths: tuple[int, int] = opt(
        default=(64, 32), min=1, max=4096, help="Features of the first two layers."
    )


class VDSROptions(RegressionOptions):
    """A deep convolutional network for the residual."""

    width: int = opt(default=64, min=1, max=4096, help="Feature channels.")
    depth: int = opt(default=20, min=3, max=1000, help="Number of convolutions.")


class UNetOptions(RegressionOptions):
    """A U-Net for the residual."""

    widths: tuple[int, ...] = opt(
        default=(32, 64, 128), min=1, max=4096, help="Feature channels at each scale."
    )
    dropout: float = opt(
        default=0.0,
        min=0.0,
        max=0.9,
        help="Share of features that training sets to zero; see option draw of feedforward.",
    )


class CycleGANOptions(Options):
    """Networks and losses of translation without pairs."""

    colors: Literal[1, 3] = opt(default=3, help="Channels: grey or colour.")
    widths: tuple[int, ...] = opt(
        default=(24, 48, 96), min=1, max=4096, help="Feature channels of the U-Nets at each scale."
    )
    critic: int = opt(
        default=32, min=1, max=1024, help="Features of the critics at half size, doubled twice."
    )
    cycle: float = opt(
        default=10.0, min=0.0, help="Weight of the error after translation there and back."
    )
    identity: float = opt(
        default=5.0, min=0.0, help="Weight of the change of pictures that are of the set already."
    )


class FeedforwardOptions(Options):
    """One pass through a trained network."""

    model: Literal["srcnn", "vdsr", "unet", "cyclegan", "dncnn", "ffdnet", "drunet"] = opt(
        default="vdsr",
        help="The network; cyclegan and the three denoisers after it take operator identity.",
    )
    direction: Literal["there", "back"] = opt(
        default="there", help="Of cyclegan: from its --inputs to its --data, or back."
    )
    draw: int | None = opt(
        default=None,
        min=0,
        help="Random seed: networks trained with dropout keep it, and give one of many results.",
    )
    weights: str = opt(
        default="auto",
        weights=True,
        help="Name of shipped weights, or a file. auto: those trained for the problem; color for "
        "3 channels if shipped, else channel by channel.",
    )


@hookimpl
def ipx_components() -> Iterable[ModelSpec | SolverSpec]:
    """Declare the models and the solver that uses them."""
    here = "ipx_plugins.regression."
    recipe = {"lr": 1e-3, "batch": 16}
    models = [
        ModelSpec(
            name=name,
            target=here + f"{name}:{cls}",
            options=options,
            summary=f"Regression: {summary}",
            source=source,
            weights=WEIGHTS.get(name, ()),
            examples=EXAMPLES.get(name, ()),
            recipe=recipe,
        )
        for name, cls, options, summary, source in (
            ("srcnn", "SRCNN", SRCNNOptions, "three convolutions after interpolation.",
             "Dong, Loy, He, Tang, IEEE TPAMI 38, 2016"),
            ("vdsr", "VDSR", VDSROptions, "a deep network for the residual of interpolation.",
             "Kim, Lee, Lee, CVPR 2016"),
            ("unet", "UNet", UNetOptions, "a U-Net, for any operator.",
             "Ronneberger, Fischer, Brox, MICCAI 2015; Jin et al., IEEE TIP 26, 2017"),
        )
    ]  # fmt: skip
    cyclegan = ModelSpec(
        name="cyclegan",
        target=here + "cyclegan:CycleGAN",
        options=CycleGANOptions,
        summary="Translation between two sets of pictures without pairs.",
        source="Zhu, Park, Isola, Efros, ICCV 2017, equation 3",
        formula="critics of both sets + cycle |F(G(y)) - y|_1 + identity |G(x) - x|_1",
        examples=({"colors": 1, "widths": (4, 8), "critic": 4},),
        recipe={"lr": 5e-4, "batch": 4, "betas": (0.5, 0.99), "warmup": 50, "ema": 0.99},
    )
    return [
        *models,
        cyclegan,
        SolverSpec(
            name="feedforward",
            target=here + "solver:Feedforward",
            options=FeedforwardOptions,
            summary="Learned: one pass through a network trained for this operator.",
            source="Dong et al., IEEE TPAMI 38, 2016; Kim et al., CVPR 2016",
            formula="x = N(y)",
            advice="A network that was trained for just this operator.",
            needs=ANYTHING,
            traits=Traits(own_prior=True, maps=300),
        ),
    ]
