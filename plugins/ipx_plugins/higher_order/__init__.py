"""Priors on second differences: surfaces of constant slope, without the staircases of TV."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import (
    AuxiliaryField,
    Gain,
    Options,
    PriorSpec,
    ProxConjugate,
    Traits,
    Value,
    hookimpl,
    opt,
)


class HessianOptions(Options):
    """The Hessian-Schatten norm."""

    norm: Literal["nuclear", "frobenius", "spectral"] = opt(
        default="nuclear", help="Norm of the eigenvalues of each Hessian: l1, l2 or the largest."
    )
    boundary: Literal["reflect", "circular"] = opt(
        default="reflect", help="Beyond the border: the image mirrored, or its opposite side."
    )


class TGVOptions(Options):
    """Total generalised variation of second order."""

    ratio: float = opt(
        default=2.0,
        above=0.0,
        help="Weight of the second differences over that of the first; TV where it is large.",
        unit="pixels",
    )
    coupled: bool = opt(default=True, help="Couple the colour channels, so that edges coincide.")


def _hessian_traits(options: HessianOptions) -> Traits:
    return Traits(basis="fft" if options.boundary == "circular" else "dct")


@hookimpl
def ipx_components() -> Iterable[PriorSpec]:
    """Declare the priors."""
    return [
        PriorSpec(
            name="hessian",
            target="ipx_plugins.higher_order.hessian:HessianSchatten",
            options=HessianOptions,
            provides=(Value, ProxConjugate),
            traits=_hessian_traits,
            examples=({"norm": "frobenius"}, {"norm": "spectral", "boundary": "circular"}),
            summary="Hessian-Schatten norm: second differences in their own directions.",
            source="Lefkimmiatis, Ward, Unser, IEEE TIP 22, 2013",
            formula="R(x) = sum |H x|_S1, H second differences, S1 the sum of singular values",
            advice="Smooth slopes, as in microscopy of cells; tv where edges are sharp.",
            gains=(
                Gain(
                    operators=("identity", "blur"),
                    noises=("gaussian",),
                    psnr=-0.7,
                    seconds=0.7,
                    where="benchmarks/priors.md",
                ),
            ),
        ),
        PriorSpec(
            name="tgv",
            target="ipx_plugins.higher_order.tgv:TGV",
            options=TGVOptions,
            provides=(AuxiliaryField,),  # R is a minimum over a field: no value in closed form
            examples=({"coupled": False, "ratio": 1.0},),
            prefers=("pdhg",),  # its steps need no linear system
            summary="Total generalised variation: edges and slopes, without staircases.",
            source="Bredies, Kunisch, Pock, SIAM J. Imaging Sci. 3, 2010",
            formula="R(x) = min_w |D x - w|_1 + alpha |E w|_1",
            advice="As tv, with slopes instead of staircases: skin, sky, depth maps. Several times "
            "as slow.",
            gains=(
                Gain(
                    operators=("identity", "blur"),
                    noises=("gaussian",),
                    psnr=0.06,
                    seconds=4.5,
                    where="benchmarks/priors.md",
                ),
            ),
        ),
    ]
