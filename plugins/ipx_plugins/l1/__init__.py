"""The l1 prior on the pixels."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import (
    Orthonormal,
    PriorSpec,
    Prox,
    ProxConjugate,
    Traits,
    Value,
    hookimpl,
)


@hookimpl
def ipx_components() -> Iterable[PriorSpec]:
    """Declare the prior."""
    return [
        PriorSpec(
            name="l1",
            target="ipx_plugins.l1.prior:L1",
            provides=(Value, Prox, ProxConjugate, Orthonormal),
            traits=Traits(suits="sparse", pixelwise=True, basis="identity", dims=(2, 3)),
            summary="Sparse pixels, |x|_1: stars or molecules on black, not photographs.",
            source="Tibshirani, J. R. Stat. Soc. B 58, 1996",
            formula="R(x) = |x|_1",
            advice="Stars, molecules, beads on black. Not for photographs.",
        )
    ]
