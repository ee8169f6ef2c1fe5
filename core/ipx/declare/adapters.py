"""The built-in bridges, declared. Imports nothing heavy.

A bridge maps a problem to a problem that has one capability more; see `ipx.solving.bridges`.
Third parties add theirs by returning an `AdapterSpec` from ``ipx_components``.
"""

from __future__ import annotations

from ipx.declare import capabilities as cap
from ipx.declare.specs import AdapterSpec

_B = "ipx.solving.bridges:"
_OPERATOR = cap.known("operator")

CG_TOL = 1e-5
"""Relative residual at which the conjugate gradients of bridges stop."""

DUAL_TOL = 1e-5
"""Relative change at which the inner iterations of `dual-prox` stop."""

BUILTIN: tuple[AdapterSpec, ...] = (
    AdapterSpec(
        name="chain-rule",
        target=_B + "chain_rule",
        summary="A^T grad nll(A x): the gradient of the data term.",
        side="data",
        gives=cap.DataGrad,
        needs=(cap.Adjoint, cap.NoiseGrad),
        exact=True,
        rank=10,
    ),
    AdapterSpec(
        name="autograd-data",
        target=_B + "autograd_data",
        summary="The gradient of the data term by automatic differentiation, any operator.",
        side="data",
        gives=cap.DataGrad,
        needs=(cap.NoiseGrad,),
        exact=True,
        rank=5,
    ),
    AdapterSpec(
        name="elementwise",
        target=_B + "elementwise",
        summary="Pixel by pixel: the prox of the noise, scaled by a diagonal operator.",
        side="data",
        gives=cap.DataProx,
        needs=(cap.Diagonal, cap.NoiseProx),
        exact=True,
        rank=30,
    ),
    AdapterSpec(
        name="spectral",
        target=_B + "normal_prox",
        summary="One division in Fourier or cosine space solves the normal equations.",
        side="data",
        gives=cap.DataProx,
        needs=(cap.Adjoint, cap.Spectrum, cap.Quadratic),
        exact=True,
        rank=20,
    ),
    AdapterSpec(
        name="closed-form",
        target=_B + "normal_prox",
        summary="The operator's own closed form of the normal equations.",
        side="data",
        gives=cap.DataProx,
        needs=(cap.Adjoint, cap.NormalSolve, cap.Quadratic),
        exact=True,
        rank=19,
    ),
    AdapterSpec(
        name="cg",
        target=_B + "normal_prox",
        summary="Conjugate gradients on the normal equations, warm-started.",
        side="data",
        gives=cap.DataProx,
        needs=(cap.Adjoint, cap.Quadratic),
        exact=True,
        tolerance=CG_TOL,
        cost=30,
    ),
    AdapterSpec(
        name="normal-equations",
        target=_B + "normal_equations",
        summary="The normal equations of data and prior together, in closed form.",
        side="data",
        gives=cap.DataQuadratic,
        needs=(cap.Adjoint, cap.Quadratic, cap.JointSolve),
        exact=True,
        rank=10,
    ),
    AdapterSpec(
        name="normal-cg",
        target=_B + "normal_equations",
        summary="The normal equations of data and prior together, by conjugate gradients.",
        side="data",
        gives=cap.DataQuadratic,
        needs=(cap.Adjoint, cap.Quadratic),
        exact=True,
        tolerance=CG_TOL,
    ),
    AdapterSpec(
        name="split",
        target=_B + "split",
        summary="The noise's prox at w = A x; one system in closed form.",
        side="data",
        gives=cap.DataSplit,
        needs=(cap.Adjoint, cap.NoiseProx, cap.JointSolve),
        exact=True,
        rank=10,
    ),
    AdapterSpec(
        name="split-cg",
        target=_B + "split",
        summary="The noise's prox at w = A x; one system by conjugate gradients.",
        side="data",
        gives=cap.DataSplit,
        needs=(cap.Adjoint, cap.NoiseProx),
        exact=True,
        tolerance=CG_TOL,
    ),
    AdapterSpec(
        name="dual",
        target=_B + "dual",
        summary="The prox of the noise behind A, for primal-dual solvers.",
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
        name="dual-prox",
        target=_B + "dual_prox",
        summary="The prox of g(Kx) by accelerated projections of its dual.",
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
        summary="The gradient of R by automatic differentiation of its value.",
        side="prior",
        gives=cap.Grad,
        needs=(cap.Value,),
        lacks=(cap.Prox, cap.ProxConjugate),  # those have corners
        exact=True,
    ),
    AdapterSpec(
        name="change-of-variable",
        target="ipx.solving.codes:change_of_variable",
        summary="The unknown is the code z, the picture x = D(z), the operator A D.",
        side="prior",
        gives=cap.Grad,
        needs=(cap.Latent, cap.CodePenalty),
        removes=_OPERATOR,
        exact=True,
    ),
    AdapterSpec(
        name="moreau-envelope",
        target=_B + "moreau_envelope",
        summary="A smooth R: its Moreau envelope, with gradient (x - prox(x))/mu.",
        side="prior",
        gives=cap.Grad,
        needs=(cap.Prox, cap.Value),
        exact=False,
    ),
)
