"""Tikhonov's prior: little energy."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import Grad, Options, PriorSpec, Prox, QuadraticPrior, Value, hookimpl, opt


class TikhonovOptions(Options):
    """Little energy."""

    about: Literal["mean", "zero"] = opt(
        default="mean", help="Energy about the mean of each channel, which is free, or about black."
    )


@hookimpl
def ipx_components() -> Iterable[PriorSpec]:
    """Declare the prior."""
    return [
        PriorSpec(
            name="tikhonov",
            target="ipx_plugins.tikhonov.prior:Tikhonov",
            options=TikhonovOptions,
            provides=(Value, Grad, Prox, QuadraticPrior),
            summary="Little energy: 1/2 |x - mean|^2; lam = noise-to-signal ratio: Wiener.",
            source="Tikhonov, Soviet Math. Dokl. 4, 1963",
        )
    ]
