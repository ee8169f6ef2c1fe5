# mypy: disable-error-code="empty-body"
# `Spectra` is a contract; operators implement it
"""Images of many bands by their principal components; fusion of two instruments."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ipx import (
    Adjoint,
    Ask,
    Capability,
    Diagonal,
    Need,
    OperatorSpec,
    Options,
    Prox,
    ProxConjugate,
    Quadratic,
    QuadraticPrior,
    SolverSpec,
    Traits,
    hookimpl,
    opt,
)

if TYPE_CHECKING:
    from torch import Tensor


class Spectra(Capability, of="operator"):
    """The data hold whole spectra of the image, though blurred or of few pixels; linear."""

    def spectra(self, y: Tensor) -> Tensor:
        """Those of the data, ``(B, C, n)``."""

    def turned(self, basis: Tensor) -> Any:
        """The linear operator z -> A (V z) on images ``(k, H, W)``; V is ``(C, k)``."""


NEEDS = tuple(
    Need((seen, Quadratic), (able,), rank=1)
    for seen in (Diagonal, Spectra)
    for able in (QuadraticPrior, ProxConjugate, Prox)
)


class SubspaceOptions(Options):
    """The subspace."""

    rank: int | None = opt(
        default=None,
        min=1,
        max=1000,
        help="Number of components; by default those that stand out of the noise.",
    )


class PansharpenOptions(Options):
    """One image of full resolution without colours, one of coarse pixels in all bands."""

    bands: int = opt(default=3, min=2, max=10_000, help="Number of bands of the image.")
    factor: int = opt(default=4, min=2, max=64, help="Side of the coarse pixels.", unit="pixels")
    size: tuple[int, int] | None = opt(
        default=None,
        min=2,
        max=100_000,
        unit="pixels",
        help="Height and width of the image; by default it is square.",
    )
    weights: tuple[float, ...] | None = opt(
        default=None,
        min=0.0,
        max=1e6,
        help="Weight of each band in the panchromatic image; equal ones by default.",
    )


class FusionOptions(PansharpenOptions):
    """An imager of full resolution and few bands, a spectrometer of coarse pixels and all bands."""

    channels: int = opt(
        default=2,
        min=1,
        max=1000,
        help="Channels of the imager, each the mean of neighbouring bands; weights are for all.",
    )
    responses: Path | None = opt(
        default=None,
        help="NPY file with the weights of the bands in each channel of the imager, (m, C).",
    )
    imager_sigma: tuple[float, float] = opt(
        default=(0.5, 1.0),
        min=0.0,
        max=1000.0,
        unit="pixels",
        help="Standard deviation of the imager's PSF at the first and at the last band.",
    )
    spectrometer_sigma: tuple[float, float] = opt(
        default=(1.0, 2.0),
        min=0.0,
        max=1000.0,
        unit="pixels",
        help="The same of the spectrometer, before its coarse pixels.",
    )


def _asks(options: PansharpenOptions) -> Ask:
    return Ask("how the bands were measured", ("bands", "factor"))


@hookimpl
def ipx_components() -> Iterable[OperatorSpec | SolverSpec]:
    """Declare the operators and the solver."""
    return [
        OperatorSpec(
            name="pansharpen",
            target="ipx_plugins.subspace.fusion:Pansharpen",
            options=PansharpenOptions,
            asks=_asks,
            provides=(Adjoint, Spectra),
            traits=Traits(absolute=True),
            examples=({"factor": 3, "weights": [0.2, 0.5, 0.3]},),
            summary="A panchromatic image, and one of all bands with coarse pixels.",
            source="Loncan et al., IEEE Geosci. Remote Sens. Mag. 3(3), 2015",
            formula="y = [P x; S B x]: weighted sum of the bands, and coarse pixels of all",
            advice="A satellite's panchromatic and multispectral pictures of one scene.",
        ),
        OperatorSpec(
            name="spectral-fusion",
            target="ipx_plugins.subspace.fusion:Fusion",
            options=FusionOptions,
            asks=_asks,
            provides=(Adjoint, Spectra),
            traits=Traits(absolute=True),
            examples=({"factor": 3, "channels": 1, "spectrometer_sigma": [0.0, 3.0]},),
            summary="An imager of few bands and a spectrometer of coarse pixels; PSFs by band.",
            source="Guilloteau, Oberlin, Berne, Dobigeon, IEEE Trans. Comput. Imaging 6, 2020",
            formula="y = [R x; S B x], R a few bands with their PSFs, S B coarse pixels",
            advice="An imager and a spectrometer that saw the same scene.",
        ),
        SolverSpec(
            name="subspace",
            target="ipx_plugins.subspace.solver:Subspace",
            options=SubspaceOptions,
            needs=NEEDS,
            summary="Principal components of the measured spectra, restored with the prior.",
            source="Monier, Oberlin et al., IEEE Trans. Comput. Imaging 4(2), 2018",
            formula="x = E z, E the principal components of the spectra",
            advice="Images of tens to hundreds of bands: the prior works on a few of them.",
        ),
    ]
