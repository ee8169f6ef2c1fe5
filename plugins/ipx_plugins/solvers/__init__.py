"""The built-in solvers: one algorithm per file; this module declares them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any, Literal

from ipx import (
    DENOISER_SHARE,
    Options,
    SamplerSpec,
    SolverSpec,
    Traits,
    hookimpl,
    opt,
)
from ipx_plugins.solvers.needs import (
    ADAM,
    ADMM,
    CONDAT_VU,
    DIFFPIR,
    DIRECT,
    DIRECT_TOL,
    FISTA,
    GRADIENT,
    HQS,
    LANDWEBER,
    LBFGS,
    PDHG,
    PGD,
    PNP_ADMM,
    PNP_FISTA,
    PNP_HQS,
    RED,
    SIRT,
)
from ipx_plugins.solvers.taught import ADVICE, FORMULAS

DATA_PENALTY = 3.0
"""Penalty on w = Ax, for data terms of curvature about 1 on pictures in [0, 1]."""


class DirectOptions(Options):
    """Closed form, or conjugate gradients."""

    rcond: float | None = opt(
        default=None,
        min=0.0,
        max=1.0,
        help="With lam 0, squared singular values up to this fraction of the largest count as 0; "
        "by default 10 times the machine precision.",
    )
    iterations: int = opt(default=1000, min=1, max=1_000_000, help="Largest number of CG steps.")
    tol: float = opt(default=DIRECT_TOL, above=0.0, help="CG stops at this relative residual.")


class GradientOptions(Options):
    """Gradient descent."""

    barzilai_borwein: bool = opt(
        default=True, help="First trial step: Barzilai-Borwein; off: twice the last step."
    )


class FISTAOptions(Options):
    """Accelerated proximal gradient."""

    restart: bool = opt(default=True, help="Drop the momentum where it points uphill.")
    backtracking: bool = opt(
        default=True, help="Find the step by backtracking; off: 1 / Lipschitz constant."
    )


class LandweberOptions(Options):
    """Gradient steps of fixed length."""

    relaxation: float = opt(
        default=1.0, above=0.0, max=1.98, help="Step length as a multiple of 1 / |A|^2."
    )


class SIRTOptions(Options):
    """Gradient steps weighted by the sums of rows and columns."""

    relaxation: float = opt(default=1.0, above=0.0, max=1.98, help="Factor of each step.")


class ADMMOptions(Options):
    """Alternating direction method of multipliers."""

    rho: float | None = opt(
        default=None,
        above=0.0,
        help="Penalty on z = Kx; by default 5 lam for 8 steps, then 20 lam.",
    )
    data_rho: float | None = opt(
        default=None, above=0.0, help="Penalty on the copy w of the data term, if there is one."
    )
    relaxation: float | None = opt(
        default=None,
        min=1.0,
        max=1.99,
        help="Over-relaxation factor; by default 1.8, for redundant frames 1.5.",
    )


class HQSOptions(Options):
    """Half-quadratic splitting."""

    rho_start: float | None = opt(
        default=None, above=0.0, help="First penalty; 2 lam by default (threshold 0.5)."
    )
    rho_end: float | None = opt(
        default=None, above=0.0, help="Last penalty; 1000 lam by default (threshold 0.001)."
    )
    steps: int = opt(default=30, min=1, max=10000, help="Steps from the first penalty to the last.")


class PDHGOptions(Options):
    """Primal-dual hybrid gradient."""

    sigma: float | None = opt(
        default=None,
        above=0.0,
        help="Dual step; tau follows from it. By default 5 lam for 20 steps, then 20 lam.",
    )
    relaxation: float = opt(
        default=1.9, min=1.0, max=1.99, help="Over-relaxation factor; at most 1.4 if linearised."
    )


class CondatVuOptions(Options):
    """Primal-dual steps with the gradient of the data term."""

    sigma: float | None = opt(
        default=None,
        above=0.0,
        help="Dual step; tau follows from it. By default 20 lam.",
    )
    relaxation: float = opt(default=1.4, min=1.0, max=1.45, help="Over-relaxation factor.")


class LBFGSOptions(Options):
    """Limited-memory BFGS."""

    memory: int = opt(default=10, min=1, max=100, help="Number of curvature pairs.")


class AdamOptions(Options):
    """Adam."""

    step: float = opt(
        default=0.02, above=0.0, help="First step size, in image units (1 is black to white)."
    )
    decay: float = opt(
        default=50.0, above=0.0, help="Step size k is step / (1 + k / decay).", unit="steps"
    )
    beta1: float = opt(default=0.9, min=0.0, max=0.9999, help="Decay rate of the gradient mean.")
    beta2: float = opt(default=0.999, min=0.0, max=0.99999, help="Decay rate of its square.")


def _refresh(every: int) -> Any:
    return opt(
        default=every,
        min=1,
        help="Repeat the block matching every so many steps, for a denoiser that matches blocks; "
        "above 1 without ensemble.",
    )


class PnPOptions(Options):
    """A denoiser in place of the prior's proximal map."""

    steps: int | None = opt(
        default=None,
        min=1,
        max=10000,
        help="Steps from the first sigma to the last. By default 8; 1 for Gaussian denoising, "
        "except with a flow; with missing pixels 12 (pnp-admm) or 24 (pnp-hqs), unless the "
        "denoiser matches blocks.",
    )
    schedule: Literal["log", "linear", "constant"] = opt(
        default="log", help="Decrease of sigma; constant: the last sigma in all steps."
    )
    sigma_start: float | None = opt(
        default=None,
        above=0.0,
        help="First noise level of the denoiser; by default 49/255, or the largest that the prior "
        "handles.",
        unit="image range",
    )
    sigma_end: float | None = opt(
        default=None,
        above=0.0,
        help=f"Last noise level; by default sqrt(lam / {DENOISER_SHARE}), which for automatic lam "
        "is that of the data.",
        unit="image range",
    )
    ensemble: bool = opt(default=True, help="Rotate or flip the picture in each step.")
    refresh: int = _refresh(4)


class PnPFISTAOptions(PnPOptions):
    """Plug-and-play with the gradient of the data term."""

    steps: int = opt(default=30, min=1, max=10000, help="Steps from the first sigma to the last.")
    refresh: int = _refresh(1)


class DiffPIROptions(PnPOptions):
    """Diffusion sampling with a denoiser."""

    steps: int = opt(default=12, min=1, max=10000, help="Steps from the first sigma to the last.")
    refresh: int = _refresh(1)
    zeta: float = opt(
        default=1.0, min=0.0, max=1.0, help="Fraction of new noise in the variance of each step."
    )
    strength: float = opt(
        default=0.5, above=0.0, help="Weight of the denoised picture relative to the data."
    )
    seed: int = opt(default=0, min=0, help="Random seed of the noise.")


class DiffPIRDrawsOptions(DiffPIROptions):
    """The same, with the fraction of new noise that the paper takes for samples."""

    zeta: float = opt(
        default=0.3, min=0.0, max=1.0, help="Fraction of new noise in the variance of each step."
    )


@hookimpl
def ipx_components() -> Iterable[SolverSpec | SamplerSpec]:
    """Declare the solvers, and the sampler that is made of one."""
    here = "ipx_plugins.solvers."
    declared: list[SolverSpec | SamplerSpec] = [
        SolverSpec(
            name="direct",
            target=here + "direct:Direct",
            options=DirectOptions,
            summary="Quadratic problems in one step: Wiener, Tikhonov, pseudo-inverse.",
            needs=DIRECT,
            traits=Traits(buffers=6),
            source="Hestenes, Stiefel, J. Res. NBS 1952 (CG); Hunt, IEEE Trans. Comp. 1973",
        ),
        SolverSpec(
            name="gradient",
            target=here + "gradient:Gradient",
            options=GradientOptions,
            summary="Gradient descent with adaptive steps, image by image.",
            needs=GRADIENT,
            source="Barzilai, Borwein, IMA J. Numer. Anal. 1988",
        ),
        SolverSpec(
            name="fista",
            target=here + "fista:FISTA",
            options=FISTAOptions,
            summary="Accelerated proximal gradient with restart and backtracking.",
            needs=FISTA,
            source="Beck, Teboulle, SIAM J. Imaging Sci. 2009; O'Donoghue, Candes, FoCM 2015",
        ),
        SolverSpec(
            name="landweber",
            target=here + "landweber:Landweber",
            options=LandweberOptions,
            summary="Gradient steps of fixed length; without a prior it stops at the noise.",
            needs=LANDWEBER,
            source="Landweber, Amer. J. Math. 73, 1951; Daubechies et al., CPAM 57, 2004",
        ),
        SolverSpec(
            name="sirt",
            target=here + "sirt:SIRT",
            options=SIRTOptions,
            summary="Simultaneous iterative reconstruction, for tomography; stops at the noise.",
            needs=SIRT,
            source="Gilbert, J. Theor. Biol. 36, 1972; Gregor, Benson, IEEE TMI 27, 2008",
        ),
        SolverSpec(
            name="admm",
            target=here + "admm:ADMM",
            options=ADMMOptions,
            summary="ADMM; data and prior share one linear system where possible.",
            needs=ADMM,
            source="Boyd et al., FnT Machine Learning 2011; Afonso et al., IEEE TIP 2010, 2011",
        ),
        SolverSpec(
            name="hqs",
            target=here + "hqs:HQS",
            options=HQSOptions,
            summary="Half-quadratic splitting with a growing penalty.",
            needs=HQS,
            source="Geman, Yang, IEEE TIP 1995; Wang et al., SIAM J. Imaging Sci. 2008",
        ),
        SolverSpec(
            name="pdhg",
            target=here + "pdhg:PDHG",
            options=PDHGOptions,
            summary="Primal-dual hybrid gradient: products with A and K, no linear system.",
            needs=PDHG,
            source="Chambolle, Pock, JMIV 2011; Condat, JOTA 2013; Vu, ACM 2013",
        ),
        SolverSpec(
            name="condat-vu",
            target=here + "condat_vu:CondatVu",
            options=CondatVuOptions,
            summary="Primal-dual with the gradient of the data term; bounds in a sum hold exactly.",
            needs=CONDAT_VU,
            source="Condat, JOTA 158, 2013, algorithm 3.1; Vu, Adv. Comput. Math. 38, 2013",
        ),
        SolverSpec(
            name="lbfgs",
            target=here + "lbfgs:LBFGS",
            options=LBFGSOptions,
            summary="Quasi-Newton for smooth problems, with a line search for each image.",
            needs=LBFGS,
            traits=lambda options: Traits(buffers=12 + 2 * options.memory),
            source="Liu, Nocedal, Math. Programming 1989",
        ),
        SolverSpec(
            name="adam",
            target=here + "adam:Adam",
            options=AdamOptions,
            summary="Adam with a decaying step, for any gradient.",
            needs=ADAM,
            source="Kingma, Ba, ICLR 2015",
        ),
        SolverSpec(
            name="pgd",
            target=here + "pgd:PGD",
            summary="Gradient step on the prior, prox of the data term; F never increases.",
            needs=PGD,
            source="Hurault, Leclaire, Papadakis, ICLR 2022, algorithm 1",
        ),
        SolverSpec(
            name="pnp-hqs",
            target=here + "pnp_hqs:PnPHQS",
            options=PnPOptions,
            summary="Plug-and-play half-quadratic splitting with decreasing sigma (DPIR).",
            needs=PNP_HQS,
            traits=Traits(buffers=4),
            source="Zhang et al., IEEE TPAMI 44, 2022",
        ),
        SolverSpec(
            name="pnp-admm",
            target=here + "pnp_admm:PnPADMM",
            options=PnPOptions,
            summary="Plug-and-play ADMM.",
            needs=PNP_ADMM,
            traits=Traits(buffers=4),
            source="Venkatakrishnan et al., GlobalSIP 2013; Chan et al., IEEE TCI 3, 2017",
        ),
        SolverSpec(
            name="pnp-fista",
            target=here + "pnp_fista:PnPFISTA",
            options=PnPFISTAOptions,
            summary="Plug-and-play with the gradient of the data term, for any noise.",
            needs=PNP_FISTA,
            source="Kamilov, Mansour, Wohlberg, IEEE SPL 24, 2017",
        ),
        SolverSpec(
            name="diffpir",
            target=here + "diffpir:DiffPIR",
            options=DiffPIROptions,
            summary="A short diffusion with a learned denoiser; the seed changes the picture.",
            needs=DIFFPIR,
            traits=Traits(buffers=4),
            source="Zhu et al., CVPR Workshops 2023",
        ),
        SolverSpec(
            name="red",
            target=here + "red:RED",
            options=PnPFISTAOptions,
            summary="Regularisation by denoising: gradient descent with x - D(x).",
            needs=RED,
            source="Romano, Elad, Milanfar, SIAM J. Imaging Sci. 10, 2017",
        ),
        SamplerSpec(
            name="diffpir",
            target=here + "diffpir:DiffPIRDraws",
            options=DiffPIRDrawsOptions,
            summary="Independent pictures by short diffusions with a denoiser.",
            needs=DIFFPIR,
            source="Zhu et al., CVPR Workshops 2023",
        ),
    ]
    return [replace(s, formula=FORMULAS[s.name], advice=ADVICE[s.name]) for s in declared]
