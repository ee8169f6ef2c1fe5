"""The smoothness prior: small differences between neighbours."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import (
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
    """Smoothness."""

    boundary: Literal["reflect", "circular"] = opt(
        default="reflect", help="Across the border: no difference, or the one to the other side."
    )


def _traits(options: SmoothOptions) -> Traits:
    return Traits(basis="fft" if options.boundary == "circular" else "dct")


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
            examples=({"boundary": "circular"},),
            summary="Small differences between neighbours: 1/2 |Dx|^2.",
            source="Phillips, J. ACM 9, 1962; Twomey, J. ACM 10, 1963",
        )
    ]
