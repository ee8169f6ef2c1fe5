"""White noise, Gaussian or bounded: a least-squares data term."""

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


class UniformOptions(Options):
    """Uniform noise."""

    width: float | None = opt(
        default=None,
        min=0.0,
        max=1e6,
        unit="intensity",
        help="Largest size of the noise, which is uniform between -width and width. By default "
        "it is estimated from the data, and 0.1 in simulations.",
    )


class QuantisationOptions(Options):
    """Rounding to multiples of a step."""

    step: float | None = opt(
        default=None,
        min=0.0,
        max=1e6,
        unit="intensity",
        help="Distance of two levels. By default it is the smallest difference of two values of "
        "the data, and 1/7 in simulations, which is 3 bits.",
    )


@hookimpl
def ipx_components() -> Iterable[NoiseSpec]:
    """Declare the noises."""
    provides = (NoiseGrad, NoiseProx, Quadratic)
    return [
        NoiseSpec(
            name="gaussian",
            target="ipx_plugins.gaussian.noise:Gaussian",
            options=GaussianOptions,
            provides=provides,
            traits=Traits(level="sigma", dims=(2, 3)),
            summary="White Gaussian noise: 1/2 |Ax - y|^2.",
            source="level: MAD (Donoho, Johnstone 1994) over the smoothest parts",
            explains="noise",
            formula="f(x) = 1/2 |A x - y|^2",
            advice="Most pictures, and whenever nothing better is known. The level is estimated "
            "unless it is given.",
        ),
        NoiseSpec(
            name="uniform",
            target="ipx_plugins.gaussian.bounded:Uniform",
            options=UniformOptions,
            provides=provides,
            traits=Traits(level="width", dims=(2, 3)),
            examples=({"width": 0.05},),
            summary="Uniform noise: 1/2 |Ax - y|^2 with sigma = width / sqrt(3).",
            source="variance of a uniform variable",
            formula="f(x) = 1/2 |A x - y|^2, sigma = width / sqrt(3)",
            advice="Errors known to be within a width, such as after a subtractive dither.",
        ),
        NoiseSpec(
            name="quantisation",
            target="ipx_plugins.gaussian.bounded:Quantisation",
            options=QuantisationOptions,
            provides=provides,
            traits=Traits(level="step", drawn=False, dims=(2, 3)),
            examples=({"step": 0.2},),
            summary="Rounding to few levels: 1/2 |Ax - y|^2 with sigma = step / sqrt(12).",
            source="Bennett, Bell System Technical Journal 27, 1948",
            formula="f(x) = 1/2 |A x - y|^2, sigma = step / sqrt(12)",
            advice="Pictures of few grey levels, which show bands.",
        ),
    ]
