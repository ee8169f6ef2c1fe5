"""The smoothness prior: squared differences of neighbouring pixels."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import (
    Gain,
    Grad,
    Options,
    PriorSpec,
    Prox,
    QuadraticPrior,
    Traits,
    Value,
    hookimpl,
    opt,
)


class SmoothOptions(Options):
    """The smoothness prior."""

    boundary: Literal["reflect", "circular"] = opt(
        default="reflect", help="Difference across the border: zero, or to the opposite side."
    )
    depth: float = opt(
        default=1.0,
        min=0.0,
        max=100.0,
        help="Factor of the differences along the depth of volumes, see prior tv.",
    )


def _traits(options: SmoothOptions) -> Traits:
    return Traits(basis="fft" if options.boundary == "circular" else "dct", dims=(2, 3))


@hookimpl
def ipx_components() -> Iterable[PriorSpec]:
    """Declare the prior."""
    return [
        PriorSpec(
            name="smooth",
            target="ipx_plugins.smooth.prior:Smooth",
            options=SmoothOptions,
            provides=(Value, Grad, Prox, QuadraticPrior),
            traits=_traits,
            last_resort=True,
            examples=({"boundary": "circular"},),
            summary="Smoothness: 1/2 |Dx|^2, D the differences of neighbouring pixels.",
            source="Phillips, J. ACM 9, 1962; Twomey, J. ACM 10, 1963",
            formula="R(x) = 1/2 |D x|^2",
            advice="Smooth fields without edges, and quick closed forms. It blurs edges; take tv "
            "where there are any.",
            gains=(
                Gain(
                    operators=("identity", "blur"),
                    noises=("gaussian",),
                    psnr=-1.81,
                    seconds=0.1,
                    where="benchmarks/priors.md",
                ),
            ),
        )
    ]
