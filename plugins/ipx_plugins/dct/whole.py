"""R(x) = |C x|_1 without the mean, C the orthonormal two-dimensional cosine transform."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ipx import (
    LinearOperator,
    NoOptions,
    OuterProx,
    Scalar,
    Shape,
    Spectral,
    Traits,
    image_sum,
    per_image,
)


class Cosine(LinearOperator[NoOptions]):
    """C x for each channel, the frequencies in the order of the DCT-II."""

    traits = Traits(basis="any")

    def forward(self, x: Tensor) -> Tensor:
        """C x, of the shape of x."""
        return _transform(x).forward(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """C^T y, the inverse."""
        return _transform(y).inverse(y, (y.shape[-2], y.shape[-1]))

    def spectrum(self, like: Tensor) -> Spectral:
        """C^T C = I."""
        return Spectral("any", torch.ones((), dtype=like.dtype, device=like.device))

    def norm(self) -> float:
        """1."""
        return 1.0


def _transform(x: Tensor) -> Spectral:
    return Spectral("dct", x.new_ones(x.shape[-2:]))


class DCT(OuterProx[NoOptions]):
    """The l1 norm of all cosine coefficients except the mean of each channel."""

    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        c = self.linear_part(tuple(x.shape[1:])).forward(x)
        return image_sum(c.abs() * _free_mean(c))

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """C^T soft(C x, t)."""
        part = self.linear_part(tuple(x.shape[1:]))
        return part.adjoint(self.prox_outer(part.forward(x), t))

    def linear_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """C."""
        return Cosine(image_shape)

    def orthonormal_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """C."""
        return Cosine(image_shape)

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """Soft threshold at t."""
        step = per_image(t, u) * _free_mean(u)
        return u - u.clamp(-step, step)

    def prox_conjugate(self, u: Tensor, t: Scalar, lam: Scalar = 1.0) -> Tensor:
        """Coefficients clipped to [-lam, lam], the mean set to 0."""
        bound = per_image(lam, u) * _free_mean(u)
        return u.clamp(-bound, bound)


def _free_mean(like: Tensor) -> Tensor:
    """1, and 0 at the mean, ``(H, W)``."""
    weight = like.new_ones(like.shape[-2:])
    weight[0, 0] = 0
    return weight
