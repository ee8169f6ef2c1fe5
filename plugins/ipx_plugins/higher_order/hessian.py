"""R(x) = sum of the Schatten norms of the Hessian of each pixel."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ipx import (
    Gradient,
    LinearOperator,
    OuterProx,
    Scalar,
    Shape,
    Spectral,
    Traits,
    image_sum,
    per_image,
)
from ipx_plugins.higher_order import HessianOptions


class SecondDifferences(LinearOperator[HessianOptions]):
    """H x, ``(B, C, H, W)`` to ``(B, 3C, H, W)``: vertical, horizontal, sqrt 2 times mixed.

    With D_v and D_h the forward differences these are -D_v^T D_v x, -D_h^T D_h x and
    sqrt 2 D_v D_h x. So H^T H is the square of D^T D, and the transform that diagonalises the
    gradient (cosine for reflect, Fourier for circular) diagonalises H.
    """

    def __init__(
        self, image_shape: Shape, options: HessianOptions | None = None, **values: object
    ) -> None:
        super().__init__(image_shape, options, **values)
        self._gradient = Gradient(self.image_shape, boundary=self.options.boundary)
        channels, height, width = self.image_shape
        self.data_shape = (3 * channels, height, width)
        self.traits = Traits(basis=self._gradient.traits.basis)

    def forward(self, x: Tensor) -> Tensor:
        """H x."""
        down, right = self._ahead(x, -2), self._ahead(x, -1)
        mixed = math.sqrt(2) * self._ahead(down, -1)
        return torch.cat([-self._back(down, -2), -self._back(right, -1), mixed], 1)

    def adjoint(self, y: Tensor) -> Tensor:
        """H^T y."""
        a, b, c = y.chunk(3, 1)
        down = math.sqrt(2) * self._back(c, -1) - self._ahead(a, -2)
        return self._back(down, -2) - self._back(self._ahead(b, -1), -1)

    def spectrum(self, like: Tensor) -> Spectral:
        """Eigenvalues of H^T H, those of D^T D squared."""
        first = self._gradient.spectrum(like)
        return Spectral(first.basis, first.gram * first.gram)

    def norm(self) -> float:
        """The largest singular value; at most 8."""
        return self._gradient.norm() ** 2

    def _ahead(self, x: Tensor, axis: int) -> Tensor:
        """Forward differences along an axis; the last is 0, or periodic."""
        if self.options.boundary == "circular":
            return x.roll(-1, axis) - x
        n = x.shape[axis]
        d = x.narrow(axis, 1, n - 1) - x.narrow(axis, 0, n - 1)
        return torch.cat([d, torch.zeros_like(x.narrow(axis, 0, 1))], axis)

    def _back(self, y: Tensor, axis: int) -> Tensor:
        """The transpose of `_ahead`."""
        if self.options.boundary == "circular":
            return y.roll(1, axis) - y
        inner = y.narrow(axis, 0, y.shape[axis] - 1)
        zero = torch.zeros_like(y.narrow(axis, 0, 1))
        return torch.cat([zero, inner], axis) - torch.cat([inner, zero], axis)


class HessianSchatten(OuterProx[HessianOptions]):
    """R(x) = sum over pixels and channels of |H x|_{S_p}, p = 1, 2 or infinity.

    The dual ball of each norm has a projection in closed form on the eigenvalues of a symmetric
    2x2 matrix (Lefkimmiatis, Ward, Unser 2013, section IV.B).
    """

    def linear_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """K = H."""
        return SecondDifferences(image_shape, self.options)

    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        mean, radius = _spread(self.linear_part(tuple(x.shape[1:])).forward(x))[:2]
        a, b = (mean + radius).abs(), (mean - radius).abs()
        if self.options.norm == "nuclear":
            return image_sum(a + b)
        if self.options.norm == "spectral":
            return image_sum(a.maximum(b))
        return image_sum(_root(a * a + b * b))

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """u less its projection onto the dual ball of radius t."""
        return u - self._projected(u, per_image(t, u))

    def prox_conjugate(self, u: Tensor, t: Scalar, lam: Scalar = 1.0) -> Tensor:
        """Projection onto the dual ball of radius lam, for every t."""
        return self._projected(u, per_image(lam, u))

    def _projected(self, u: Tensor, bound: Scalar) -> Tensor:
        """Each matrix projected onto the ball of the dual norm."""
        limit = torch.as_tensor(bound, dtype=u.dtype, device=u.device)
        if self.options.norm == "frobenius":
            a, b, c = u.chunk(3, 1)
            length = _root(a * a + b * b + c * c)
            return u * (limit / length.maximum(limit).clamp_min(_tiny(u))).repeat(1, 3, 1, 1)
        mean, radius, half, mixed = _spread(u)
        first, second = mean + radius, mean - radius
        if self.options.norm == "nuclear":
            first, second = first.clamp(-limit, limit), second.clamp(-limit, limit)
        else:
            first, second = _onto_diamond(first, second, limit)
        mean = (first + second) / 2
        keep = (first - second) / (2 * radius.clamp_min(_tiny(u)))
        return torch.cat([mean + keep * half, mean - keep * half, keep * mixed], 1)


def _tiny(x: Tensor) -> float:
    return float(torch.finfo(x.dtype).tiny)


def _root(square: Tensor) -> Tensor:
    """The square root, with the derivative 0 at 0."""
    return (square.clamp_min(_tiny(square)) if square.requires_grad else square).sqrt()


def _spread(u: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Of [a, b, sqrt 2 c]: (a+b)/2, the distance r of the eigenvalues from it, (a-b)/2, sqrt 2 c.

    The eigenvalues of [[a, c], [c, b]] are (a+b)/2 + r and (a+b)/2 - r.
    """
    a, b, mixed = u.chunk(3, 1)
    half = (a - b) / 2
    return (a + b) / 2, _root(half * half + mixed * mixed / 2), half, mixed


def _onto_diamond(a: Tensor, b: Tensor, limit: Tensor) -> tuple[Tensor, Tensor]:
    """(a, b) projected onto |a| + |b| <= limit: both shrink by the same amount, down to zero."""
    long, short = a.abs().maximum(b.abs()), a.abs().minimum(b.abs())
    both = (long + short - limit) / 2
    shrink = torch.where(both > short, long - limit, both).clamp_min(0)
    return a - a.clamp(-shrink, shrink), b - b.clamp(-shrink, shrink)
