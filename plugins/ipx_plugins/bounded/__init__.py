"""Noise of bounded size: uniform noise and rounding."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import NoiseProx, NoiseSpec, Options, Traits, hookimpl, opt


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
        unit="intensity",
        help="Distance of two levels. By default it is the smallest difference of two values of "
        "the data, and 1/7 in simulations, which is 3 bits.",
    )
    narrow: float = opt(
        default=0.2,
        min=0.0,
        max=0.5,
        help="Half the width of the interval, as a share of the step. 0.5 holds for sure, less is "
        "nearer to the truth for most.",
    )


@hookimpl
def ipx_components() -> Iterable[NoiseSpec]:
    """Declare the noises."""
    here = "ipx_plugins.bounded.noise:"
    return [
        NoiseSpec(
            name="uniform",
            target=here + "Uniform",
            options=UniformOptions,
            provides=(NoiseProx,),
            traits=Traits(level="width", interval=True),
            examples=({"width": 0.05},),
            summary="Uniform noise: Ax is within an interval around y.",
            source="Weiss, Blanc-Feraud, Aubert, SIAM J. Sci. Comput. 31(3), 2009",
        ),
        NoiseSpec(
            name="quantisation",
            target=here + "Quantisation",
            options=QuantisationOptions,
            provides=(NoiseProx,),
            traits=Traits(level="step", interval=True, drawn=False),
            examples=({"step": 0.2},),
            summary="Rounding to few levels: Ax is within an interval around y.",
            source="Weiss, Blanc-Feraud, Aubert, SIAM J. Sci. Comput. 31(3), 2009",
        ),
    ]
