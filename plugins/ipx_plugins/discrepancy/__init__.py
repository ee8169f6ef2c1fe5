"""Tuners that choose lam: by the noise level, cross-validation, risk, likelihood, or the truth."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import (
    Adjoint,
    Diagonal,
    Knowledge,
    Latent,
    NoiseGrad,
    Options,
    Quadratic,
    QuadraticPrior,
    Stabilised,
    TunerSpec,
    Value,
    hookimpl,
    opt,
)

NEAR = (
    "Distance in log lam from a weight tried within which one that follows from it needs no trial."
)


class DiscrepancyOptions(Options):
    """The discrepancy principle."""

    effective: bool = opt(
        default=True,
        help="Correct for the effective degrees of freedom of the restored picture.",
    )
    factor: float = opt(
        default=1.015,
        above=0.0,
        help="Target of the data term over its expected value; slightly above 1 allows for errors "
        "of the noise level.",
    )
    near: float = opt(default=0.35, above=0.0, help=NEAR)
    evaluations: int = opt(default=14, min=2, max=1000, help="Largest number of weights tried.")


class SearchOptions(Options):
    """The search for the least score."""

    step: float = opt(
        default=2.2,
        min=1.2,
        max=6.0,
        help="Factor between the first weights; it grows with each that brackets no least score.",
    )
    near: float = opt(default=0.4, above=0.0, help=NEAR)
    evaluations: int = opt(default=12, min=3, max=1000, help="Largest number of weights tried.")


class GCVOptions(SearchOptions):
    """Generalised cross-validation."""


class SUREOptions(SearchOptions):
    """The unbiased risk estimate."""


class GSUREOptions(SearchOptions):
    """The generalised risk estimate."""

    floor: float = opt(
        default=0.01,
        above=0.0,
        max=1.0,
        help="Singular values whose square is below this share of the largest hardly count.",
    )


class OracleOptions(SearchOptions):
    """The truth."""

    near: float = opt(default=0.02, above=0.0, help=NEAR)


class RadiusOptions(SearchOptions):
    """The length of the code."""

    radius: float = opt(
        default=1.0, above=0.0, max=100.0, help="Length of the code of a clean image over sqrt(n)."
    )


class HoldoutOptions(SearchOptions):
    """Measurements that are left out."""

    share: float = opt(
        default=0.07, above=0.0, max=0.5, help="Share of the measured values that is left out."
    )
    seed: int = opt(default=0, min=0, help="Seed of the choice of these values.")


class LCurveOptions(Options):
    """The corner of the L-curve."""

    lowest: float = opt(default=1e-5, above=0.0, help="Smallest weight.")
    highest: float = opt(default=1.0, above=0.0, help="Largest weight.")
    evaluations: int = opt(default=12, min=5, max=1000, help="Number of weights tried.")


class EMOptions(Options):
    """Expectation maximisation."""

    tol: float = opt(default=0.01, above=0.0, help="Relative precision of lam.")
    evaluations: int = opt(default=40, min=2, max=1000, help="Largest number of weights tried.")


_GAUSSIAN = "the noise level is estimated"  # to a few per cent, which behind a blur is too little
_KINKS = "the data term has kinks, and the operator mixes pixels"
_PHOTONS = "the operator mixes pixels, and the misfit of the noise is not known exactly"
_GCV = (
    # a prior that is not convex has minimisers that do not follow the data, unless pixels are apart
    Knowledge(
        data=(Quadratic, Adjoint), level="estimated", convex=True, rank=20, because=_GAUSSIAN
    ),
    Knowledge(data=(Quadratic, Adjoint, Diagonal), level="estimated", rank=20, because=_GAUSSIAN),
    Knowledge(
        data=(NoiseGrad,), lacks=(Quadratic, Diagonal), convex=True, rank=20, because=_PHOTONS
    ),
    Knowledge(data=(NoiseGrad,), lacks=(Adjoint, Diagonal), convex=True, rank=20, because=_PHOTONS),
    Knowledge(),
)


@hookimpl
def ipx_components() -> Iterable[TunerSpec]:
    """Declare the tuners."""
    return [
        TunerSpec(
            name="discrepancy",
            target="ipx_plugins.discrepancy.tuner:Discrepancy",
            options=DiscrepancyOptions,
            summary="Discrepancy principle: |Ax-y|^2 equals its expectation under the noise.",
            needs=(
                Knowledge(level="told", rank=10, because="the noise level is told"),
                Knowledge(level="estimated", rank=10, because="with the estimated noise level"),
            ),
            source="Morozov 1966; degrees of freedom: Efron 2004, probe: Ramani et al. 2008",
            formula="f(x_lam) = E nll (m - df) / m",
            advice="The noise level is known. The usual choice for Gaussian noise.",
        ),
        TunerSpec(
            name="gcv",
            target="ipx_plugins.discrepancy.gcv:GCV",
            options=GCVOptions,
            summary="Generalised cross-validation: needs no noise level.",
            needs=_GCV,
            compares=(
                Knowledge(data=(Quadratic, Adjoint)),
                # not behind a blur, of whose image they tell; nor of stripes, which are no noise
                # of each value
                Knowledge(data=(Stabilised, Diagonal)),
            ),
            partial=True,
            source="Golub, Heath, Wahba, Technometrics 21, 1979; probe: Girard 1989",
            formula="min |A x - y|^2 / (m - df)^2",
            advice="The noise level is not known, or is only estimated behind a blur.",
        ),
        TunerSpec(
            name="sure",
            target="ipx_plugins.discrepancy.sure:SURE",
            options=SUREOptions,
            summary="Stein's unbiased risk estimate, for denoising and holes.",
            needs=(
                Knowledge(
                    data=(Quadratic, Adjoint, Diagonal), rank=5, because="pixels are left apart"
                ),
            ),
            source="Ramani, Blu, Unser, IEEE TIP 17(9), 2008",
            formula="min |x - y|^2 / m - s^2 + 2 s^2 df / m",
            advice="Denoising and holes with Gaussian noise of known level.",
        ),
        TunerSpec(
            name="gsure",
            target="ipx_plugins.discrepancy.gsure:GSURE",
            options=GSUREOptions,
            summary="Generalised SURE: the risk in what the linear operator determines.",
            needs=(Knowledge(data=(Quadratic, Adjoint), rank=4, because="the operator is linear"),),
            source="Eldar, IEEE TSP 57(2), 2009; Ramani et al., IEEE TIP 21(8), 2012",
            formula="min of the unbiased risk in the range of A^T",
            advice="Gaussian noise of known level behind linear operators.",
        ),
        TunerSpec(
            name="l-curve",
            target="ipx_plugins.discrepancy.l_curve:LCurve",
            options=LCurveOptions,
            summary="The corner of the L-curve: needs nothing, and often smooths too much.",
            needs=(Knowledge(prior=(Value,), noisy=False, because="nothing else is known"),),
            partial=True,
            source="Hansen, O'Leary, SIAM J. Sci. Comput. 14(6), 1993",
            formula="the corner of log R(x) over log |A x - y|^2",
            advice="A classical look; it often smooths too much.",
        ),
        TunerSpec(
            name="holdout",
            target="ipx_plugins.discrepancy.holdout:Holdout",
            options=HoldoutOptions,
            summary="The best prediction of measurements that were left out.",
            needs=(
                Knowledge(data=(Adjoint,), lacks=(NoiseGrad, Diagonal), rank=20, because=_KINKS),
                Knowledge(data=(Adjoint,), noisy=False, rank=3, because="the operator is linear"),
            ),
            source="Stone, J. Royal Statistical Society B 36(2), 1974",
            formula="min of the data term of 7 % of the data that were left out",
            advice="Nothing is known of the noise, or there is none.",
        ),
        TunerSpec(
            name="radius",
            target="ipx_plugins.discrepancy.radius:Radius",
            options=RadiusOptions,
            summary="The code of the result has the length of codes of clean images.",
            needs=(Knowledge(prior=(Latent,), noisy=False, because="codes have a known length"),),
            source="|z| of z ~ N(0, I) in n dimensions is near sqrt(n)",
            formula="|z(x_lam)| = r sqrt(n)",
            advice="Codes of generative models.",
        ),
        TunerSpec(
            name="oracle",
            target="ipx_plugins.discrepancy.oracle:Oracle",
            options=OracleOptions,
            summary="The least error against the truth (--truth): for benchmarks.",
            needs=(Knowledge(noisy=False, truth=True),),
            source="none: it is what other rules are measured against",
            formula="min |x_lam - truth|",
            advice="Benchmarks: the best that any rule could do.",
        ),
        TunerSpec(
            name="em",
            target="ipx_plugins.discrepancy.em:EM",
            options=EMOptions,
            summary="EM for Gaussian noise and a quadratic prior: greatest marginal likelihood.",
            needs=(Knowledge(data=(Quadratic, Adjoint), prior=(QuadraticPrior, Value)),),
            source="Molina, Katsaggelos, Mateos, IEEE TIP 8(2), 1999; MacKay 1992",
            formula="theta <- n / E[x^T Q x, given y]",
            advice="Quadratic priors; it finds the noise level, too.",
        ),
    ]
