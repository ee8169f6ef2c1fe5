"""Undersampled Fourier measurements, as in magnetic resonance imaging."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import (
    Adjoint,
    Norm,
    OperatorSpec,
    Options,
    Spectrum,
    Traits,
    hookimpl,
    opt,
)


class FourierOptions(Options):
    """Which frequencies are measured. The mean of the picture always is."""

    kind: Literal["lines", "radial", "random"] = opt(
        default="lines",
        help="Whole columns of the frequency grid, drawn at random; spokes through its centre; "
        "single points drawn at random. Low frequencies come more often.",
    )
    share: float = opt(
        default=0.25, above=0.0, max=1.0, help="Measured share of the grid, all frequencies."
    )
    centre: float = opt(
        default=0.15,
        min=0.0,
        max=1.0,
        help="Share of the measurements that are the lowest frequencies, whatever is drawn.",
    )
    seed: int = opt(
        default=0, min=0, help="Of what is drawn, and of the direction of the first spoke."
    )


@hookimpl
def ipx_components() -> Iterable[OperatorSpec]:
    """Declare the operator."""
    return [
        OperatorSpec(
            name="fourier",
            target="ipx_plugins.fourier.operator:Fourier",
            options=FourierOptions,
            provides=(Adjoint, Spectrum, Norm),
            traits=Traits(signed=True, basis="fft"),
            summary="Some of the frequencies, as in MRI: columns, spokes, or single points.",
            source="Lustig, Donoho, Pauly, Magn. Reson. Med. 58(6), 2007",
        )
    ]
