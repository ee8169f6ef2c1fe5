"""The built-in samplers of the posterior: one algorithm per file; this module declares them."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import (
    Adjoint,
    CodePenalty,
    DataGrad,
    DataQuadratic,
    Denoise,
    Grad,
    Knowledge,
    Need,
    Options,
    Prox,
    ProxConjugate,
    QuadraticPrior,
    SamplerSpec,
    TunerSpec,
    Value,
    hookimpl,
    opt,
)

_M = "ipx_plugins.samplers."


class LangevinOptions(Options):
    """Unadjusted Langevin steps."""

    step: float = opt(
        default=0.98,
        above=0.0,
        max=2.0,
        help="Step length, relative to 1/L, L the largest curvature of f + lam R.",
    )


class SmoothedOptions(LangevinOptions):
    """Langevin steps for a prior that is smoothed by its Moreau envelope."""

    smoothing: float = opt(
        default=1.0,
        above=0.0,
        help="Parameter of the Moreau envelope, relative to 1/L of the data term; less is nearer "
        "to the posterior, and slower.",
    )


class SKROCKOptions(SmoothedOptions):
    """Stabilised steps of several stages."""

    stages: int = opt(default=15, min=2, max=50, help="Gradients of each step.")
    smoothing: float = opt(
        default=0.25,
        above=0.0,
        help="Parameter of the Moreau envelope, relative to 1/L of the data term; less is nearer "
        "to the posterior, and slower. At 1 intervals of tv are too wide.",
    )
    damping: float = opt(default=0.01, above=0.0, max=1.0, help="Damping eta.")
    step: float = opt(
        default=0.8, above=0.0, max=1.0, help="Longest step, relative to the largest stable one."
    )


class MALAOptions(Options):
    """Metropolis-adjusted Langevin steps."""

    acceptance: float = opt(
        default=0.574, min=0.1, max=0.95, help="Acceptance to which the warm-up adapts the step."
    )


class HMCOptions(Options):
    """Hamiltonian Monte Carlo."""

    leapfrogs: int = opt(
        default=20,
        min=1,
        max=1000,
        help="Leapfrog steps of a proposal: at most so many, at random.",
    )
    acceptance: float = opt(
        default=0.7, min=0.1, max=0.95, help="Acceptance to which the warm-up adapts the step."
    )


class PCNOptions(Options):
    """Preconditioned Crank-Nicolson with parallel tempering."""

    temperatures: int = opt(
        default=5, min=1, max=50, help="Chains at rising temperatures that swap states."
    )
    ratio: float = opt(default=3.0, above=1.0, help="Ratio of neighbouring temperatures.")
    acceptance: float = opt(
        default=0.25, min=0.05, max=0.9, help="Acceptance to which the warm-up adapts the step."
    )


class PnPULAOptions(Options):
    """Langevin steps with the score of a denoiser."""

    sigma: float = opt(
        default=5 / 255, above=0.0, help="Noise level of the denoiser.", unit="image units"
    )
    step: float = opt(default=0.5, above=0.0, max=2.0, help="Step length, relative to 1/L.")
    low: float = opt(default=-1.0, help="Values below are drawn back.")
    high: float = opt(default=2.0, help="Values above are drawn back.")


class GibbsOptions(Options):
    """Exact draws of a Gaussian posterior."""

    noise: bool = opt(
        default=False, help="Draw the variance of the noise too (Gamma prior on its inverse)."
    )
    weight: bool = opt(default=False, help="Draw the weight of the prior too (Gamma prior on it).")
    shape: float = opt(default=1e-3, min=0.0, help="Shape of the Gamma priors.")
    rate: float = opt(default=1e-9, min=0.0, help="Rate of the Gamma priors.")
    tol: float = opt(default=1e-6, above=0.0, help="Conjugate gradients stop at this residual.")


class SplitGibbsOptions(Options):
    """Gibbs steps on a copy of the picture."""

    coupling: float = opt(
        default=1.0,
        above=0.0,
        help="Weight of the coupling, relative to |A|^2: more is nearer to "
        "the posterior, and slower.",
    )
    inner: int = opt(default=5, min=1, max=1000, help="Langevin steps of the copy for each draw.")


class LaplaceOptions(Options):
    """A Gaussian at the minimiser."""

    steps: int = opt(default=40, min=2, max=1000, help="Lanczos steps of each draw.")


class VIOptions(Options):
    """A Gaussian with independent pixels."""

    rounds: int = opt(
        default=30, min=1, max=1000, help="Updates of mean and variances, for norms such as tv."
    )
    tol: float = opt(default=1e-6, above=0.0, help="Conjugate gradients stop at this residual.")


class HierarchicalOptions(SmoothedOptions):
    """Weight and noise level drawn too."""

    noise: bool = opt(default=False, help="Draw the variance of the noise too.")
    shape: float = opt(default=1e-3, min=0.0, help="Shape of the Gamma priors.")
    rate: float = opt(default=1e-9, min=0.0, help="Rate of the Gamma priors.")


class SAPGOptions(Options):
    """Stochastic approximation."""

    steps: int = opt(default=400, min=10, max=1_000_000, help="Steps of the chain.")
    seed: int = opt(default=0, min=0, help="Random seed of the chain.")


class DPSOptions(Options):
    """Diffusion posterior sampling."""

    steps: int = opt(default=50, min=2, max=10_000, help="Steps of the diffusion.")
    scale: float = opt(default=1.0, above=0.0, help="Strength of the data.")
    sigma_start: float = opt(default=0.2, above=0.0, help="First noise level.", unit="image units")
    sigma_end: float = opt(default=0.01, above=0.0, help="Last noise level.", unit="image units")


@hookimpl
def ipx_components() -> Iterable[SamplerSpec | TunerSpec]:
    """Declare the samplers, and the tuner that is made of one."""
    smooth = Need((DataGrad,), (Value, Grad), rank=20)
    code = Need((DataGrad,), (CodePenalty, Grad), rank=20)
    return [
        SamplerSpec(
            name="ula",
            target=_M + "ula:ULA",
            summary="Unadjusted Langevin steps, for a smooth prior or a code; slightly biased.",
            options=LangevinOptions,
            needs=(Need((DataGrad,), (Grad,), rank=10),),
            source="Roberts and Tweedie, Bernoulli 2(4), 1996",
            formula="x <- x - t grad F(x) + sqrt(2 t) n",
            advice="Teaching; others mix faster.",
        ),
        SamplerSpec(
            name="myula",
            target=_M + "myula:MYULA",
            summary="Langevin steps with the Moreau envelope of the prior; slightly biased.",
            options=SmoothedOptions,
            needs=(Need((DataGrad,), (Prox,), rank=15),),
            source="Durmus, Moulines, Pereyra, SIAM J. Imaging Sci. 11(1), 2018",
            formula="as ula, R by its Moreau envelope",
            advice="tv and other priors with kinks; skrock is faster.",
        ),
        SamplerSpec(
            name="skrock",
            target=_M + "skrock:SKROCK",
            summary="Langevin steps of many stabilised stages: far longer steps; slightly biased.",
            options=SKROCKOptions,
            needs=(
                Need((DataGrad,), (Prox,), rank=40),
                Need((DataGrad,), (Value, Grad), rank=30),
            ),
            source="Pereyra, Vargas-Mieles, Zygalakis, SIAM J. Imaging Sci. 13(2), 2020",
            formula="Chebyshev stages of a Langevin step",
            advice="The usual choice for tv and other norms.",
        ),
        SamplerSpec(
            name="mala",
            target=_M + "mala:MALA",
            summary="Langevin steps with a Metropolis test: exact, for pictures and codes.",
            options=MALAOptions,
            needs=(smooth, code, Need((DataGrad,), (Value, Prox), rank=12)),
            source="Roberts and Tweedie 1996; Pereyra, Statistics and Computing 26, 2016",
            formula="x - t grad F + sqrt(2 t) n, accepted by Metropolis and Hastings",
            advice="Exact draws of small problems.",
        ),
        SamplerSpec(
            name="hmc",
            target=_M + "hmc:HMC",
            summary="Hamiltonian Monte Carlo: exact, for smooth priors and codes.",
            options=HMCOptions,
            needs=(
                Need((DataGrad,), (Value, Grad), rank=25),
                Need((DataGrad,), (CodePenalty, Grad), rank=25),
            ),
            source="Neal, Handbook of Markov Chain Monte Carlo, 2011",
            formula="leapfrog steps of (x, p), accepted by the change of energy",
            advice="Smooth priors and codes: exact, few steps between independent draws.",
        ),
        SamplerSpec(
            name="pcn",
            target=_M + "pcn:PCN",
            summary="Codes by Crank-Nicolson proposals and parallel tempering: exact, no gradient.",
            options=PCNOptions,
            needs=(Need((), (CodePenalty, Grad), rank=22),),
            source="Holden, Pereyra, Zygalakis, SIAM J. Imaging Sci. 15(2), 2022",
            formula="z <- sqrt(1 - b^2) z + b n, accepted by the likelihood",
            advice="Codes of generative models, without a gradient.",
        ),
        SamplerSpec(
            name="pnp-ula",
            target=_M + "pnp_ula:PnPULA",
            summary="Langevin steps with a denoiser as the score of the prior; slightly biased.",
            options=PnPULAOptions,
            needs=(Need((DataGrad,), (Denoise,), rank=35),),
            source="Laumont et al., SIAM J. Imaging Sci. 15(2), 2022",
            formula="x <- x - t (grad f + (x - D(x)) / s^2) + sqrt(2 t) n",
            advice="A denoiser as the prior.",
        ),
        SamplerSpec(
            name="gibbs",
            target=_M + "gibbs:Gibbs",
            summary="Independent exact draws of a Gaussian posterior; may draw sigma and lam too.",
            options=GibbsOptions,
            needs=(Need((DataQuadratic,), (QuadraticPrior,), rank=60),),
            examples=({"noise": True, "weight": True},),
            source="Orieux, Féron, Giovannelli, IEEE Signal Processing Letters 19(2), 2012",
            formula="x ~ N(m, (A^T A / s^2 + theta Q)^-1), s and theta from their Gammas",
            advice="Quadratic priors: exact and independent.",
        ),
        SamplerSpec(
            name="split-gibbs",
            target=_M + "split_gibbs:SplitGibbs",
            summary="Gibbs steps on the picture and a copy that the prior sees; slightly biased.",
            options=SplitGibbsOptions,
            needs=(Need((DataQuadratic,), (Prox,), rank=18),),
            source="Vono, Dobigeon, Chainais, IEEE Trans. Signal Processing 67(6), 2019",
            formula="x, v in turn, coupled by |x - v|^2 / (2 rho^2)",
            advice="Priors with a proximal map, behind operators with a closed form.",
        ),
        SamplerSpec(
            name="laplace",
            target=_M + "laplace:Laplace",
            summary="Independent draws of a Gaussian at the minimiser (Laplace's approximation).",
            options=LaplaceOptions,
            needs=(Need((DataGrad,), (Value, Grad), rank=5),),
            source="MacKay, Information Theory, Inference, and Learning Algorithms, chapter 27",
            formula="x ~ N(x_map, (Hessian of F / T)^-1)",
            advice="A quick first look at the spread around the minimiser.",
        ),
        SamplerSpec(
            name="vi",
            target=_M + "vi:VI",
            summary="Mean-field Gaussian, quick; its deviations are too small, often by far.",
            options=VIOptions,
            needs=(
                Need((DataQuadratic,), (QuadraticPrior,), rank=3),
                Need((DataQuadratic,), (ProxConjugate,), rank=2),
            ),
            source="Babacan, Molina, Katsaggelos, IEEE Trans. Image Processing 18(1), 2009",
            formula="q(x) = product of N(m_i, s_i^2), nearest to the posterior by KL(q, p)",
            advice="A quick mean of large pictures; take gibbs or skrock where bounds matter.",
        ),
        SamplerSpec(
            name="hierarchical",
            target=_M + "hierarchical:Hierarchical",
            summary="Picture, weight of the prior and noise level together; for norms and squares.",
            options=HierarchicalOptions,
            needs=(Need((DataGrad,), (Value, Prox), rank=8),),
            examples=({"noise": True},),
            source="Pereyra, Bioucas-Dias, Figueiredo, EUSIPCO 2015",
            formula="lam <- maximum of p(lam, given x), x by the sampler below",
            advice="The weight is unknown and should count in the intervals.",
        ),
        SamplerSpec(
            name="dps",
            target=_M + "dps:DPS",
            summary="Independent pictures by a reversed diffusion with a network as denoiser.",
            options=DPSOptions,
            needs=(Need((DataGrad,), (Denoise,), rank=4),),
            source="Chung et al., ICLR 2023; Song et al., ICLR 2023",
            formula="x_t - zeta grad |y - A D(x_t)|",
            advice="Plausible pictures behind any operator; slow, their spread is not calibrated.",
        ),
        TunerSpec(
            name="sapg",
            target=_M + "sapg:SAPG",
            summary="Empirical Bayes: the weight of greatest marginal likelihood, for norms.",
            options=SAPGOptions,
            needs=(Knowledge(data=(Adjoint,), prior=(Value, Prox), because="R is a norm"),),
            source="Vidal et al., SIAM J. Imaging Sci. 13(4), 2020",
            formula="lam <- lam exp(d (n / lam - R(x_k)))",
            advice="Norms such as tv, and draws from the posterior.",
        ),
    ]
