"""Speckle: multiplicative noise of coherent imaging."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import NoiseGrad, NoiseProx, NoiseSpec, Options, Stabilised, Traits, hookimpl, opt


class SpeckleOptions(Options):
    """Speckle."""

    looks: float | None = opt(
        default=None,
        above=0.0,
        help="Number of looks that were averaged: the noise has variance x^2 / looks. By default "
        "it is estimated from the data, and 10 in simulations.",
    )


@hookimpl
def ipx_components() -> Iterable[NoiseSpec]:
    """Declare the noise."""
    return [
        NoiseSpec(
            name="speckle",
            target="ipx_plugins.speckle.noise:Speckle",
            options=SpeckleOptions,
            provides=(NoiseGrad, NoiseProx, Stabilised),
            traits=Traits(counts=True, level="looks"),
            examples=({"looks": 4.0},),
            summary="Speckle: y = x g, g of a Gamma distribution of mean 1.",
            source="Aubert, Aujol, SIAM J. Appl. Math. 68(4), 2008",
            explains="growing noise",
            formula="f(x) = L sum (log A x + y / A x), L looks",
            advice="Coherent imaging: radar, ultrasound, lasers. The noise grows with the signal.",
        )
    ]
