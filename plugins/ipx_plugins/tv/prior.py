"""R(x) = sum of the norms of the discrete gradient."""

from __future__ import annotations

from functools import reduce
from typing import Any

import torch
from torch import Tensor

from ipx import Gradient, LinearOperator, OuterProx, Scalar, Shape, per_image
from ipx_plugins.tv import TVOptions
from ipx_plugins.tv.fgp import denoise, root


class TV(OuterProx[TVOptions]):
    """R(x) = |Dx|_{2,1} (isotropic) or |Dx|_1, D the forward differences.

    The norm of a gradient is taken over all directions (isotropic), over all channels (coupled:
    the vectorial TV of Blomgren and Chan, 1998), or both.
    """

    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        d = self.linear_part(tuple(x.shape[1:])).forward(x)
        return self._lengths(d).flatten(1).sum(1)

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """argmin_u R(u) + |u - x|^2 / (2t), to the relative duality gap of option ``tol``."""
        return denoise(x, t, self.options)

    def linear_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """K = D."""
        return Gradient(image_shape, boundary=self.options.boundary, depth=self.options.depth)

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """Shrink the norm of every group by t."""
        length = self._lengths(u)
        step = per_image(t, u)
        keep = 1 - step / length.clamp_min(1e-30)
        return self._scaled(u, keep.clamp_min(0))

    def prox_conjugate(self, u: Tensor, t: Scalar, lam: Scalar = 1.0) -> Tensor:
        """Project every group onto the ball of radius lam, for every t."""
        radius = per_image(lam, u)
        return self._scaled(u, radius / self._lengths(u).clamp_min(radius).clamp_min(1e-30))

    def _grouped(self, u: Tensor) -> tuple[Tensor, tuple[int, ...]]:
        """``(B, nC, ...)`` as ``(B, n, C, ...)``, n = 2 or 3, and the axes of a group."""
        axes = ((1,) if self.options.isotropic else ()) + ((2,) if self.options.coupled else ())
        return torch.unflatten(u, 1, (u.ndim - 2, -1)), axes

    def _lengths(self, u: Tensor) -> Tensor:
        """Norms of the groups of `_grouped`, ``(B, 1 or n or C or nC, ...)``."""
        g, axes = self._grouped(u)
        axes = tuple(a for a in axes if g.shape[a] > 1)
        if not axes:
            return g.abs().flatten(1, 2)
        if axes == (1,):  # without the squares of all directions at a time
            first, *others = torch.split(g, 1, 1)
            square = reduce(lambda total, d: torch.addcmul(total, d, d), others, first * first)
            return root(square).flatten(1, 2)
        return root((g * g).sum(axes, keepdim=True)).flatten(1, 2)

    def _scaled(self, u: Tensor, factor: Tensor) -> Tensor:
        """Each group times its factor."""
        g, axes = self._grouped(u)
        rows, channels = (1 if a in axes else g.shape[a] for a in (1, 2))
        return (g * torch.unflatten(factor, 1, (rows, channels))).flatten(1, 2)
