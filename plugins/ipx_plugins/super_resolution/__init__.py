"""Super-resolution: the picture is measured on a coarser grid."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import (
    Adjoint,
    Ask,
    Local,
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
    """Downsampling factor and filter."""

    factor: int = opt(default=2, min=2, max=8, help="Downsampling factor: 2, 3, 4 or 8.")
    filter: Literal["mean", "gaussian", "bicubic"] = opt(
        default="mean",
        help="Downsampling filter: the mean of each block, a Gaussian, or the antialiased bicubic "
        "kernel of most resizing programs.",
    )
    sigma: float | None = opt(
        default=None,
        above=0.0,
        max=100.0,
        unit="pixels",
        help="Standard deviation of the Gaussian on the fine grid; 0.4 x factor by default.",
    )

    def __post_init__(self) -> None:
        if self.factor not in (2, 3, 4, 8):
            raise OptionError(f"option factor must be 2, 3, 4 or 8, not {self.factor}")


def _asks(options: SuperResolutionOptions) -> Ask:
    return Ask("how it was downsampled", ("factor", "filter"), guess=True)


@hookimpl
def ipx_components() -> Iterable[OperatorSpec]:
    """Declare the operator."""
    return [
        OperatorSpec(
            name="super-resolution",
            target="ipx_plugins.super_resolution.operator:SuperResolution",
            options=SuperResolutionOptions,
            asks=_asks,
            provides=(Adjoint, NormalSolve, Norm, Local),
            traits=Traits(basis="fft"),
            examples=({"factor": 4}, {"filter": "gaussian"}, {"filter": "bicubic"}),
            summary="Filtering and downsampling by 2, 3, 4 or 8.",
            source="closed form: Zhao et al., IEEE Trans. Image Process. 25(8), 2016",
        )
    ]
