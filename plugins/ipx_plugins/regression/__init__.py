"""Supervised regression: networks that map a preview of the data to the picture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

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
WEIGHTS: dict[str, tuple[str, ...]] = {"srcnn": ("x2", "x4"), "vdsr": ("grey",)}
"""Shipped weights by model; srcnn has one network per factor, as in its paper."""


class RegressionOptions(Options):
    """The training domain of a network: operator and noise."""

    op: str = opt(default="super-resolution", help="The operator to invert.")
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


class FeedforwardOptions(Options):
    """One pass through a trained network."""

    model: Literal["srcnn", "vdsr", "unet", "dncnn", "ffdnet", "drunet"] = opt(
        default="vdsr", help="The network; the last three are denoisers (operator identity)."
    )
    weights: str = opt(
        default="auto",
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
    return [
        *models,
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
