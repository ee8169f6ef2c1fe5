"""Priors: what a picture looks like before anything was measured.

A prior is R(x) up to its weight lam. It has no fixed set of methods: what it can do
(`ipx.capabilities`: Value, Grad, Prox, ProxConjugate, ...) decides which solvers take it.
"""

from __future__ import annotations

import math

from torch import Tensor

from ipx.declare.capabilities import Scalar, Shape
from ipx.parts.component import Component, O, per_image


class Prior(Component[O]):
    """Base of all priors.

    ``weighted`` says whether the weight lam has any effect on it, ``informs`` whether it says
    anything at all, ``pixelwise`` whether it looks at each pixel by itself (the same values as in
    its `PriorSpec`).

    ``lam_per_variance`` is set by priors that stand for -log p of pictures: their weight follows
    from the noise, lam = lam_per_variance * sigma^2, and lam="auto" needs no search.
    ``convex`` is False where R has hollows to be caught in: line searches then look closer.
    ``upright`` is True for one that knows which way is up: pictures are then not turned for it.
    ``start_from`` is where iterations are best begun, see `ipx.starts`. ``unit`` is the size of a
    usual change of the unknown, 1 for pictures in [0, 1]: the scale of steps of fixed length.
    ``strongest`` is the largest noise level that a denoiser is good for: plug-and-play begins
    with no more.
    """

    weighted: bool = True
    informs: bool = True
    pixelwise: bool = False
    lam_per_variance: float | None = None
    convex: bool = True
    upright: bool = False
    start_from: str = "preview"
    unit: float = 1.0
    strongest: float = math.inf

    def typical(self, image_shape: Shape) -> float | None:
        """R of a clean picture of this shape, where a lower value is no better: it ends iterations.

        For penalties that are no -log p of pictures, whose minimum is no picture. None for others.
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
