"""R(x) = sum of Huber's function of the norms of the discrete gradient."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ipx import Scalar, image_sum, per_image
from ipx_plugins.tv import HuberTVOptions
from ipx_plugins.tv.fgp import denoise, huber
from ipx_plugins.tv.prior import TV


class HuberTV(TV):
    """R(x) = sum h(|Dx|), h(r) = r^2 / (2 d) for r <= d and r - d / 2 beyond, d the option width.

    It is the Moreau envelope of `TV` in the gradient domain, with the same groups. Its gradient is
    Lipschitz with the constant 8 / d. It differs from total variation by at most d / 2 a group.
    """

    options_type = HuberTVOptions
    options: HuberTVOptions

    def __init__(self, options: HuberTVOptions | None = None, **values: Any) -> None:
        super().__init__(options, **values)

    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        d = self.linear_part(tuple(x.shape[1:])).forward(x)
        return image_sum(huber(self._lengths(d), self.options.width))

    def grad(self, x: Tensor) -> Tensor:
        """D^T (Dx / max(|Dx|, d))."""
        part = self.linear_part(tuple(x.shape[1:]))
        d = part.forward(x)
        return part.adjoint(self._scaled(d, 1 / self._lengths(d).clamp_min(self.options.width)))

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """argmin_u R(u) + |u - x|^2 / (2t), to the relative duality gap of option ``tol``."""
        return denoise(x, t, self.options, self.options.width)

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """(1 - t / max(|u|, d + t)) u, group by group."""
        step = per_image(t, u)
        return self._scaled(u, 1 - step / self._lengths(u).clamp_min(self.options.width + step))

    def prox_conjugate(self, u: Tensor, t: Scalar, lam: Scalar = 1.0) -> Tensor:
        """u / (1 + t d / lam), projected onto the ball of radius lam, group by group."""
        radius, step = per_image(lam, u), per_image(t, u)
        scaled = u * (radius / (radius + step * self.options.width))
        return super().prox_conjugate(scaled, t, lam)
