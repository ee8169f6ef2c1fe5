"""Super-resolution: the picture was measured on a coarser grid."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import (
    Adjoint,
    Norm,
    NormalSolve,
    OperatorSpec,
    OptionError,
    Options,
    Traits,
    hookimpl,
    opt,
)


class SuperResolutionOptions(Options):
    """How the coarse picture came about."""

    factor: int = opt(default=2, min=2, max=8, help="How much coarser: 2, 3, 4 or 8.")
    filter: Literal["mean", "gaussian", "bicubic"] = opt(
        default="mean",
        help="What a coarse pixel holds: the mean of its block, a Gaussian-weighted mean, or "
        "the antialiased bicubic value of most resizing programs.",
    )
    sigma: float | None = opt(
        default=None,
        above=0.0,
        unit="pixels",
        help="Standard deviation of the Gaussian on the fine grid; 0.4 x factor by default.",
    )

    def __post_init__(self) -> None:
        if self.factor not in (2, 3, 4, 8):
            raise OptionError(f"option factor must be 2, 3, 4 or 8, not {self.factor}")


@hookimpl
def ipx_components() -> Iterable[OperatorSpec]:
    """Declare the operator."""
    return [
        OperatorSpec(
            name="super-resolution",
            target="ipx_plugins.super_resolution.operator:SuperResolution",
            options=SuperResolutionOptions,
            provides=(Adjoint, NormalSolve, Norm),
            traits=Traits(basis="fft"),
            examples=({"factor": 4}, {"filter": "gaussian"}, {"filter": "bicubic"}),
            summary="A picture on a grid 2, 3, 4 or 8 times coarser.",
            source="closed form: Zhao et al., IEEE Trans. Image Process. 25(8), 2016",
        )
    ]
