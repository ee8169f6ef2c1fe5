"""Bridges between capabilities: the declarations, and how one is chosen. Imports nothing heavy.

The implementations are in `ipx.bridges`. Third parties add theirs by returning an
`AdapterSpec` from ``ipx_components``; a data bridge is a class made with ``(operator, noise,
y)``, a prior bridge one made with ``(prior, image_shape)``; both have the methods of the
capability they give.
"""

from __future__ import annotations

from collections.abc import Iterable

from ipx.declare import capabilities as cap
from ipx.declare.specs import AdapterSpec, Spec

_B = "ipx.solving.bridges:"

BUILTIN: tuple[AdapterSpec, ...] = (
    AdapterSpec(
        name="chain-rule",
        target=_B + "ChainRule",
        summary="A^T grad nll(A x): the gradient of the data term.",
        side="data",
        gives=cap.DataGrad,
        needs=(cap.Adjoint, cap.NoiseGrad),
        exact=True,
        rank=10,
    ),
    AdapterSpec(
        name="autograd-data",
        target=_B + "AutogradData",
        summary="The gradient of the data term by automatic differentiation, any operator.",
        side="data",
        gives=cap.DataGrad,
        needs=(cap.NoiseGrad,),
        exact=True,
        rank=5,
    ),
    AdapterSpec(
        name="elementwise",
        target=_B + "Elementwise",
        summary="Pixel by pixel: the prox of the noise, scaled by a diagonal operator.",
        side="data",
        gives=cap.DataProx,
        needs=(cap.Diagonal, cap.NoiseProx),
        exact=True,
        rank=30,
    ),
    AdapterSpec(
        name="spectral",
        target=_B + "NormalProx",
        summary="One division in Fourier or cosine space solves the normal equations.",
        side="data",
        gives=cap.DataProx,
        needs=(cap.Adjoint, cap.Spectrum, cap.Quadratic),
        exact=True,
        rank=20,
    ),
    AdapterSpec(
        name="closed-form",
        target=_B + "NormalProx",
        summary="The operator's own closed form of the normal equations.",
        side="data",
        gives=cap.DataProx,
        needs=(cap.Adjoint, cap.NormalSolve, cap.Quadratic),
        exact=True,
        rank=19,
    ),
    AdapterSpec(
        name="cg",
        target=_B + "NormalProx",
        summary="Conjugate gradients on the normal equations, warm-started.",
        side="data",
        gives=cap.DataProx,
        needs=(cap.Adjoint, cap.Quadratic),
        exact=False,
    ),
    AdapterSpec(
        name="normal-equations",
        target=_B + "Normal",
        summary="1/2|Ax-y|^2 kept whole, for solvers that solve linear systems.",
        side="data",
        gives=cap.DataQuadratic,
        needs=(cap.Adjoint, cap.Quadratic),
        exact=True,
    ),
    AdapterSpec(
        name="dual",
        target=_B + "Dual",
        summary="The prox of the noise behind A, for primal-dual solvers.",
        side="data",
        gives=cap.DataDual,
        needs=(cap.Adjoint, cap.NoiseProx),
        exact=True,
    ),
    AdapterSpec(
        name="identity-part",
        target=_B + "IdentityPart",
        summary="R(x) = g(Kx) with K = I.",
        side="prior",
        gives=cap.ProxConjugate,
        needs=(cap.Prox, cap.Value),
        exact=True,
        rank=10,
    ),
    AdapterSpec(
        name="change-of-variable",
        target="ipx.solving.codes:ChangeOfVariable",
        summary="The unknown is the code z, the picture x = D(z), the operator A D.",
        side="prior",
        gives=cap.Grad,
        needs=(cap.Latent, cap.CodePenalty),
        exact=True,
    ),
    AdapterSpec(
        name="moreau-envelope",
        target=_B + "MoreauEnvelope",
        summary="A smooth R: its Moreau envelope, with gradient (x - prox(x))/mu.",
        side="prior",
        gives=cap.Grad,
        needs=(cap.Prox, cap.Value),
        exact=False,
    ),
)


def choose(
    gives: type,
    side: str,
    available: frozenset[type],
    extra: Iterable[Spec] = (),
    exact_only: bool = False,
) -> AdapterSpec | None:
    """The best bridge to a capability: exact first, then by rank; None when none fits."""
    fitting = [
        a
        for a in (*BUILTIN, *extra)
        if isinstance(a, AdapterSpec)
        and a.gives is gives
        and a.side == side
        and available.issuperset(a.needs)
        and (a.exact or not exact_only)
    ]
    return max(fitting, key=lambda a: (a.exact, a.rank, a.name), default=None)
