"""Declarations of the built-in bridges. Imports nothing heavy.

A bridge maps a `Problem` to a `Problem` with one more capability; see `ipx.solving.bridges`.
A plugin adds bridges by returning `AdapterSpec` from ``ipx_components``.
"""

from __future__ import annotations

from ipx.declare import capabilities as cap
from ipx.declare.specs import AdapterSpec

_B = "ipx.solving.bridges:"

CG_TOL = 1e-5
"""Relative residual at which conjugate gradients stop."""

DUAL_TOL = 1e-6
"""Relative change at which the inner iterations of the bridge ``dual-prox`` stop.

For total variation the relative error of the prox is then at most 12 times this for t up to 0.03,
and 75 times for t = 0.3 (64 to 65,536 pixels).
"""

SPLIT_TOL = 1e-3
"""Relative change at which the inner iterations of the bridge ``split-prox`` stop."""

BUILTIN: tuple[AdapterSpec, ...] = (
    AdapterSpec(
        name="chain-rule",
        target=_B + "chain_rule",
        summary="Gradient of the data term by the chain rule: A^T grad nll(A x).",
        side="data",
        gives=cap.DataGrad,
        needs=(cap.Adjoint, cap.NoiseGrad),
        exact=True,
        rank=10,
    ),
    AdapterSpec(
        name="autograd-data",
        target=_B + "autograd_data",
        summary="Gradient of the data term by automatic differentiation, for any operator.",
        side="data",
        gives=cap.DataGrad,
        needs=(cap.NoiseGrad,),
        exact=True,
        rank=5,
    ),
    AdapterSpec(
        name="elementwise",
        target=_B + "elementwise",
        summary="Prox of the data term, pixel by pixel, for a diagonal operator.",
        side="data",
        gives=cap.DataProx,
        needs=(cap.Diagonal, cap.NoiseProx),
        exact=True,
        rank=30,
    ),
    AdapterSpec(
        name="spectral",
        target=_B + "normal_prox",
        summary="Normal equations solved by one division in the Fourier or cosine domain.",
        side="data",
        gives=cap.DataProx,
        needs=(cap.Adjoint, cap.Spectrum, cap.Quadratic),
        exact=True,
        rank=20,
    ),
    AdapterSpec(
        name="closed-form",
        target=_B + "normal_prox",
        summary="Normal equations solved by the operator's own closed form.",
        side="data",
        gives=cap.DataProx,
        needs=(cap.Adjoint, cap.NormalSolve, cap.Quadratic),
        exact=True,
        rank=19,
    ),
    AdapterSpec(
        name="cg",
        target=_B + "normal_prox",
        summary="Normal equations solved by warm-started conjugate gradients.",
        side="data",
        gives=cap.DataProx,
        needs=(cap.Adjoint, cap.Quadratic),
        exact=True,
        tolerance=CG_TOL,
        cost=30,
    ),
    AdapterSpec(
        name="split-prox",
        target="ipx.solving.splitting:split_prox",
        summary="Prox of the data term by ADMM with w = A x and the prox of the noise.",
        side="data",
        gives=cap.DataProx,
        needs=(cap.Adjoint, cap.NoiseProx),
        lacks=(cap.NoiseGrad, cap.Quadratic),  # a gradient costs less
        exact=True,
        tolerance=SPLIT_TOL,
        cost=40,
    ),
    AdapterSpec(
        name="normal-equations",
        target=_B + "normal_equations",
        summary="Joint normal equations of data term and prior, in closed form.",
        side="data",
        gives=cap.DataQuadratic,
        needs=(cap.Adjoint, cap.Quadratic, cap.JointSolve),
        exact=True,
        rank=10,
    ),
    AdapterSpec(
        name="normal-cg",
        target=_B + "normal_equations",
        summary="Joint normal equations of data term and prior, by conjugate gradients.",
        side="data",
        gives=cap.DataQuadratic,
        needs=(cap.Adjoint, cap.Quadratic),
        exact=True,
        tolerance=CG_TOL,
    ),
    AdapterSpec(
        name="split",
        target=_B + "split",
        summary="Splitting w = A x: prox of the noise, linear system in closed form.",
        side="data",
        gives=cap.DataSplit,
        needs=(cap.Adjoint, cap.NoiseProx, cap.JointSolve),
        exact=True,
        rank=10,
    ),
    AdapterSpec(
        name="sampled",
        target=_B + "sampled",
        summary="Splitting w = B x of A = S B: prox of the noise, linear system in closed form.",
        side="data",
        gives=cap.DataSplit,
        needs=(cap.Sampled, cap.NoiseProx, cap.SampledSolve),
        exact=True,
        rank=9,
    ),
    AdapterSpec(
        name="sampled-cg",
        target=_B + "sampled",
        summary="Splitting w = B x of A = S B: prox of the noise, preconditioned CG.",
        side="data",
        gives=cap.DataSplit,
        needs=(cap.Sampled, cap.NoiseProx),
        exact=True,
        tolerance=CG_TOL,
        rank=8,
    ),
    AdapterSpec(
        name="split-cg",
        target=_B + "split",
        summary="Splitting w = A x: prox of the noise, linear system by conjugate gradients.",
        side="data",
        gives=cap.DataSplit,
        needs=(cap.Adjoint, cap.NoiseProx),
        exact=True,
        tolerance=CG_TOL,
    ),
    AdapterSpec(
        name="dual",
        target=_B + "dual",
        summary="Prox of the conjugate of nll(., y), for primal-dual solvers.",
        side="data",
        gives=cap.DataDual,
        needs=(cap.Adjoint, cap.NoiseProx),
        exact=True,
    ),
    AdapterSpec(
        name="identity-part",
        target=_B + "identity_part",
        summary="R(x) = g(Kx) with K = I.",
        side="prior",
        gives=cap.ProxConjugate,
        needs=(cap.Prox, cap.Value),
        basis="identity",
        exact=True,
        rank=10,
    ),
    AdapterSpec(
        name="auxiliary-field",
        target="ipx.solving.fields:auxiliary_field",
        summary="R(x) = min over w of G(x, w): x and the field w are found together.",
        side="prior",
        gives=cap.ProxConjugate,
        needs=(cap.AuxiliaryField,),
        widens=True,
        basis="",
        exact=True,
    ),
    AdapterSpec(
        name="dual-prox",
        target=_B + "dual_prox",
        summary="Prox of g(Kx) by accelerated proximal gradient steps on its dual.",
        side="prior",
        gives=cap.Prox,
        needs=(cap.ProxConjugate,),
        exact=True,
        tolerance=DUAL_TOL,
        cost=60,
    ),
    AdapterSpec(
        name="autograd-prior",
        target=_B + "autograd_prior",
        summary="Gradient of R by automatic differentiation of its value.",
        side="prior",
        gives=cap.Grad,
        needs=(cap.Value,),
        lacks=(cap.Prox, cap.ProxConjugate),  # such an R is nonsmooth
        exact=True,
    ),
    AdapterSpec(
        name="change-of-variable",
        target="ipx.solving.codes:change_of_variable",
        summary="Change of variable x = D(z): the unknown is the code z, the operator A D.",
        side="prior",
        gives=cap.Grad,
        needs=(cap.Latent, cap.CodePenalty),
        nonlinear=True,
        exact=True,
    ),
    AdapterSpec(
        name="moreau-envelope",
        target=_B + "moreau_envelope",
        summary="Moreau envelope, a smooth approximation of R: gradient (x - prox(x))/mu.",
        side="prior",
        gives=cap.Grad,
        needs=(cap.Prox, cap.Value),
        exact=False,
    ),
)
