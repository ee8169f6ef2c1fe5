"""Priors R(x).

A prior has no fixed set of methods: its capabilities (`ipx.declare.capabilities`: `Value`, `Grad`,
`Prox`, `ProxConjugate`, ...) decide which solvers can use it.
"""

from __future__ import annotations

from torch import Tensor

from ipx.declare.capabilities import Scalar
from ipx.numerics.tensors import per_image
from ipx.parts.component import Component, O


class Prior(Component[O]):
    """Base of all priors."""

    kind = "prior"

    @property
    def unit(self) -> float:
        """The trait ``unit``; a prior whose weights determine it overrides this."""
        return self.traits.unit


class OuterProx(Prior[O]):
    """R(x) = g(K x) given by prox_g; the prox of the conjugate follows by Moreau's identity.

    A subclass defines ``linear_part`` and ``prox_outer``; it may override ``prox_conjugate`` if
    that is cheaper (for a norm it is a projection).
    """

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """argmin_z g(z) + |z - u|^2 / (2 t)."""
        raise self.undefined("prox_outer")

    def prox_conjugate(self, u: Tensor, t: Scalar, lam: Scalar = 1.0) -> Tensor:
        """argmin_z (lam g)*(z) + |z - u|^2 / (2 t) = u - t prox_{(lam/t) g}(u / t)."""
        step = per_image(t, u)
        return u - step * self.prox_outer(u / step, per_image(lam, u) / step)
