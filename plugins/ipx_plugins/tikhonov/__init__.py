"""Tikhonov regularisation: the energy of the picture."""

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


class TikhonovOptions(Options):
    """Tikhonov regularisation."""

    about: Literal["mean", "zero"] = opt(
        default="mean", help="Energy about the mean of each channel, or about zero (black)."
    )


def _traits(options: TikhonovOptions) -> Traits:
    return Traits(basis="identity" if options.about == "zero" else "any", dims=(2, 3))


@hookimpl
def ipx_components() -> Iterable[PriorSpec]:
    """Declare the prior."""
    return [
        PriorSpec(
            name="tikhonov",
            target="ipx_plugins.tikhonov.prior:Tikhonov",
            options=TikhonovOptions,
            provides=(Value, Grad, Prox, QuadraticPrior),
            traits=_traits,
            summary="Energy, 1/2 |x - mean|^2; a Wiener filter if lam is noise/signal power.",
            source="Tikhonov, Soviet Math. Dokl. 4, 1963",
            formula="R(x) = 1/2 |x - m|^2",
            advice="Classical Wiener filters and teaching; a weak prior for pictures.",
        )
    ]
