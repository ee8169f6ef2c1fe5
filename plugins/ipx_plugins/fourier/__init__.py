"""Undersampled Fourier measurements, as in magnetic resonance imaging."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from ipx import (
    Adjoint,
    Ask,
    Norm,
    OperatorSpec,
    Options,
    Spectrum,
    Traits,
    hookimpl,
    opt,
)


class FourierOptions(Options):
    """The measured frequencies; frequency zero is always among them."""

    kind: Literal["lines", "radial", "random"] = opt(
        default="lines",
        help="Sampling pattern: random columns, spokes through the centre, or random points of "
        "the frequency grid. Low frequencies are sampled more densely.",
    )
    mask: Path | None = opt(
        default=None,
        help="Mask file (H, W), PNG, TIFF or NPY, 0 where not measured; overrides the pattern.",
    )
    centred: bool = opt(
        default=False,
        help="Frequency 0 and the origin of the image are in the middle, as scanners store them; "
        "else at the first element.",
    )
    share: float = opt(
        default=0.25, above=0.0, max=1.0, help="Measured fraction of all frequencies."
    )
    centre: float = opt(
        default=0.15,
        min=0.0,
        max=1.0,
        help="Fraction of the measurements that are fixed at the lowest frequencies.",
    )
    seed: int = opt(
        default=0, min=0, help="Random seed of the pattern or of the first spoke's direction."
    )


def _asks(options: FourierOptions) -> Ask | None:
    if options.share == 1:
        return None
    return Ask("which frequencies were measured", ("seed",), ("mask",))


@hookimpl
def ipx_components() -> Iterable[OperatorSpec]:
    """Declare the operator."""
    return [
        OperatorSpec(
            name="fourier",
            target="ipx_plugins.fourier.operator:Fourier",
            options=FourierOptions,
            asks=_asks,
            provides=(Adjoint, Spectrum, Norm),
            traits=Traits(signed=True, complex=True, basis="fft"),
            examples=({"kind": "radial"}, {"kind": "random", "centred": True}),
            summary="Undersampled Fourier transform, as in MRI: columns, spokes or points.",
            source="Lustig, Donoho, Pauly, Magn. Reson. Med. 58(6), 2007",
            formula="y = M F x, F unitary, M keeps some frequencies",
            advice="Magnetic resonance data (k-space). The data are complex NPY files.",
        )
    ]
