"""No prior: the data term alone determines the picture."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import (
    Box,
    Grad,
    PriorSpec,
    Prox,
    ProxConjugate,
    QuadraticPrior,
    Traits,
    Value,
    hookimpl,
)


@hookimpl
def ipx_components() -> Iterable[PriorSpec]:
    """Declare the prior."""
    return [
        PriorSpec(
            name="none",
            target="ipx_plugins.none.prior:NoPrior",
            provides=(Value, Grad, Prox, ProxConjugate, QuadraticPrior, Box),
            traits=Traits(weighted=False, informs=False, basis="identity", buffers=0, dims=(2, 3)),
            summary="No prior: the data term alone; regularised by stopping at the noise level.",
            formula="R(x) = 0",
            advice="To see what the data alone tell. Iterative solvers then stop at the noise "
            "level.",
        )
    ]
