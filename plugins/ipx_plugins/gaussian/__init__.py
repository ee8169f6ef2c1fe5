"""White Gaussian noise: a least-squares data term."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import (
    NoiseGrad,
    NoiseProx,
    NoiseSpec,
    Options,
    Quadratic,
    Traits,
    hookimpl,
    opt,
)


class GaussianOptions(Options):
    """White Gaussian noise."""

    sigma: float | None = opt(
        default=None,
        min=0.0,
        unit="intensity",
        help="Standard deviation, for pictures in [0, 1]. By default it is estimated from the "
        "data, and 0.02 in simulations.",
    )


@hookimpl
def ipx_components() -> Iterable[NoiseSpec]:
    """Declare the noise."""
    return [
        NoiseSpec(
            name="gaussian",
            target="ipx_plugins.gaussian.noise:Gaussian",
            options=GaussianOptions,
            provides=(NoiseGrad, NoiseProx, Quadratic),
            traits=Traits(level="sigma"),
            summary="White Gaussian noise: 1/2 |Ax - y|^2.",
            source="level: MAD (Donoho, Johnstone 1994) over the smoothest parts",
        )
    ]
