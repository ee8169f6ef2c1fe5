"""Priors: what a picture looks like before anything was measured.

A prior is R(x) up to its weight lam. It has no fixed set of methods: what it can do
(`ipx.capabilities`: Value, Grad, Prox, ProxConjugate, ...) decides which solvers take it.
"""

from __future__ import annotations

from torch import Tensor

from ipx.declare.capabilities import Scalar, Shape
from ipx.numerics.tensors import per_image
from ipx.parts.component import Component, O


class Prior(Component[O]):
    """Base of all priors; what it is, convex or not for example, is in its `Traits`."""

    kind = "prior"

    @property
    def unit(self) -> float:
        """The trait of this name; a prior that learns it with its weights may override this."""
        return self.traits.unit

    def typical(self, image_shape: Shape) -> float | None:
        """Expected R of a clean image of this shape; iterations stop there. None: they do not.

        For penalties that are no -log p of pictures, whose minimum is no picture.
        """
        return None


class OuterProx(Prior[O]):
    """R(x) = g(K x) given through prox_g: the conjugate's prox follows by Moreau's identity.

    A subclass gives ``linear_part`` and ``prox_outer``; it may override ``prox_conjugate`` where
    that is the cheaper of the two (for a norm it is a projection).
    """

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """argmin_z g(z) + |z - u|^2 / (2 t)."""
        raise NotImplementedError(f"{type(self).__name__} must define prox_outer")

    def prox_conjugate(self, u: Tensor, t: Scalar, lam: Scalar = 1.0) -> Tensor:
        """argmin_z (lam g)*(z) + |z - u|^2 / (2 t) = u - t prox_{(lam/t) g}(u / t)."""
        step = per_image(t, u)
        return u - step * self.prox_outer(u / step, per_image(lam, u) / step)
