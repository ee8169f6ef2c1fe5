# mypy: disable-error-code="empty-body"
"""Super-resolution: the picture is measured on a coarser grid; bicubic interpolation."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Literal

from ipx import (
    Adjoint,
    Ask,
    Capability,
    Local,
    Need,
    Norm,
    NormalSolve,
    OperatorSpec,
    OptionError,
    Options,
    SolverSpec,
    Traits,
    hookimpl,
    opt,
)

if TYPE_CHECKING:
    from torch import Tensor


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


class Coarse(Capability, of="operator"):
    """The data are the image on a coarser grid."""

    def interpolated(self, y: Tensor) -> Tensor:
        """Bicubic interpolation of the data onto the fine grid, ``(B, *image_shape)``."""


def _asks(options: SuperResolutionOptions) -> Ask:
    return Ask("how it was downsampled", ("factor", "filter"), guess=True)


@hookimpl
def ipx_components() -> Iterable[OperatorSpec | SolverSpec]:
    """Declare the operator and the method."""
    return [
        OperatorSpec(
            name="super-resolution",
            target="ipx_plugins.super_resolution.operator:SuperResolution",
            options=SuperResolutionOptions,
            asks=_asks,
            provides=(Adjoint, NormalSolve, Norm, Local, Coarse),
            traits=Traits(basis="fft"),
            examples=({"factor": 4}, {"filter": "gaussian"}, {"filter": "bicubic"}),
            summary="Filtering and downsampling by 2, 3, 4 or 8.",
            source="closed form: Zhao et al., IEEE Trans. Image Process. 25(8), 2016",
            formula="y = S k * x, k a filter, S every s-th pixel",
            advice="Enlarging by 2, 3, 4 or 8. Take the filter that made the small picture: mean "
            "for binned pixels, bicubic for resized files.",
        ),
        SolverSpec(
            name="bicubic",
            target="ipx_plugins.super_resolution.bicubic:Bicubic",
            needs=(Need((Coarse,), ()),),
            traits=Traits(own_prior=True, buffers=2),
            summary="Bicubic interpolation, a = -3/4, of data on a coarser grid.",
            source="Keys, IEEE Trans. ASSP 29(6), 1981",
            formula="x = sum y_k c(t - k), c the cubic kernel, a = -3/4",
            advice="The plain method to compare super-resolution with.",
        ),
    ]
