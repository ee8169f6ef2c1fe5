"""Stripes: a gain and an offset for each column, as of sensors whose columns differ."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import NoiseGrad, NoiseProx, NoiseSpec, Options, Traits, hookimpl, opt


class StripesOptions(Options):
    """The noise and the spread of the columns."""

    sigma: float | None = opt(
        default=None,
        min=0.0,
        help="Standard deviation of the noise besides the stripes; estimated from the data when "
        "not given, 0.02 for simulations.",
        unit="image range",
    )
    gain: float = opt(
        default=0.05, above=0.0, max=0.2, help="Standard deviation of the gains of the columns."
    )
    offset: float = opt(
        default=0.05,
        above=0.0,
        max=1e6,
        help="Standard deviation of the offsets of the columns.",
        unit="image range",
    )
    period: float = opt(
        default=64.0,
        min=2.0,
        max=1e6,
        unit="pixels",
        help="Gains and offsets that vary more slowly than this across the columns count as scene.",
    )


@hookimpl
def ipx_components() -> Iterable[NoiseSpec]:
    """Declare the noise."""
    return [
        NoiseSpec(
            name="stripes",
            target="ipx_plugins.stripes.noise:Stripes",
            options=StripesOptions,
            provides=(NoiseGrad, NoiseProx),
            traits=Traits(level="sigma"),
            examples=({"gain": 0.1, "offset": 0.01, "period": 8.0},),
            summary="A gain and an offset of each column, found with the image; Gaussian noise.",
            source="variable projection: Golub, Pereyra, SIAM J. Numer. Anal. 10(2), 1973",
            explains="stripes",
            formula="min over gain g, offset o of 1/2 |A x - (y - o) / g|^2, by column",
            advice="Detectors that read out by columns or lines, and scanners: stripes along one "
            "axis.",
        )
    ]
