"""Stripes: each column has an offset of its own."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import NoiseGrad, NoiseProx, NoiseSpec, Options, Traits, hookimpl, opt


class StripeOptions(Options):
    """Offsets of the columns, and white noise."""

    offset: float | None = opt(
        default=None,
        min=0.0,
        unit="intensity",
        help="Standard deviation of the offsets. By default it is estimated from the data, and "
        "0.05 in simulations.",
    )
    sigma: float = opt(
        default=0.01,
        above=0.0,
        unit="intensity",
        help="Standard deviation of the white noise besides.",
    )


@hookimpl
def ipx_components() -> Iterable[NoiseSpec]:
    """Declare the noise."""
    return [
        NoiseSpec(
            name="stripe",
            target="ipx_plugins.stripe.noise:Stripe",
            options=StripeOptions,
            provides=(NoiseGrad, NoiseProx),
            traits=Traits(level="offset"),
            examples=({"offset": 0.1, "sigma": 0.02},),
            summary="Each column has an offset, as from the detectors of a line scanner.",
            source="Bouali, Ladjal, IEEE Trans. Geosci. Remote Sens. 49(8), 2011",
        )
    ]
