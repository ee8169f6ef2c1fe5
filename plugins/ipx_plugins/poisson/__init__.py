"""Poisson noise of photons, alone and with Gaussian read-out noise."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import (
    NoiseGrad,
    NoiseProx,
    NoiseSpec,
    Options,
    Stabilised,
    Traits,
    hookimpl,
    opt,
)


class PoissonOptions(Options):
    """Poisson noise."""

    peak: float | None = opt(
        default=None,
        above=0.0,
        unit="photons at intensity 1",
        help="Brightness of the data. By default it is estimated from them, and 100 in "
        "simulations.",
    )
    offset: float = opt(
        default=0.0,
        unit="intensity",
        help="What a camera adds to the counts, in the unit of the data: y = Poisson(peak x) / "
        "peak + offset. It is not in the restored picture.",
    )


class PoissonGaussianOptions(PoissonOptions):
    """Poisson noise and Gaussian read-out noise."""

    sigma: float | None = opt(
        default=None,
        min=0.0,
        unit="intensity",
        help="Standard deviation of the read-out noise. By default it is estimated from the "
        "data, and 0.01 in simulations.",
    )


@hookimpl
def ipx_components() -> Iterable[NoiseSpec]:
    """Declare the noises."""
    return [
        NoiseSpec(
            name="poisson",
            target="ipx_plugins.poisson.noise:Poisson",
            options=PoissonOptions,
            traits=Traits(counts=True, level="peak", dims=(2, 3)),
            provides=(NoiseGrad, NoiseProx, Stabilised),
            examples=({"offset": 0.005},),
            summary="Poisson noise: the Kullback-Leibler divergence of y from Ax.",
            source="Bertero et al., Inverse Problems 25, 2009",
            explains="growing noise",
            formula="f(x) = sum A x - y log(A x)",
            advice="Photon counts: microscopes, telescopes, low light. Give the photons at "
            "intensity 1 if they are known.",
        ),
        NoiseSpec(
            name="poisson-gaussian",
            target="ipx_plugins.poisson.noise:PoissonGaussian",
            options=PoissonGaussianOptions,
            traits=Traits(counts=True, level="peak", dims=(2, 3)),
            provides=(NoiseGrad, NoiseProx, Stabilised),
            summary="Poisson and read-out noise, approximated by shifted Poisson noise.",
            source="Snyder et al., J. Opt. Soc. Am. A 10(5), 1993",
            explains="growing noise",
            formula="f(x) = sum (A x + s^2) - (y + s^2) log(A x + s^2)",
            advice="Photon counts with read-out noise of a camera.",
        ),
    ]
