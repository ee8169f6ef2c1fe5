"""Tikhonov's prior: little energy."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import Grad, PriorSpec, Prox, QuadraticPrior, Value, hookimpl


@hookimpl
def ipx_components() -> Iterable[PriorSpec]:
    """Declare the prior."""
    return [
        PriorSpec(
            name="tikhonov",
            target="ipx_plugins.tikhonov.prior:Tikhonov",
            provides=(Value, Grad, Prox, QuadraticPrior),
            summary="Little energy: 1/2 |x|^2; with lam the noise-to-signal ratio, Wiener.",
            source="Tikhonov, Soviet Math. Dokl. 4, 1963",
        )
    ]
