"""TGV(x) = min_w |Dx - w|_{2,1} + r |Ew|_{2,1}: total generalised variation of second order."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import pad

from ipx import (
    LinearOperator,
    OuterProx,
    Prior,
    ProxConjugate,
    Scalar,
    Shape,
    Value,
    image_sum,
    per_image,
)
from ipx_plugins.higher_order import TGVOptions


class TGV(Prior[TGVOptions]):
    """The minimum over a field w of slopes, ``(B, 2C, H, W)``, which is found together with x.

    Bredies, Kunisch, Pock 2010, in the form of Knoll et al. (MRM 65, 2011, equation 3), with the
    weights 1 and r. Images of constant slope cost nothing, also at the border.
    """

    def joint(self) -> Joint:
        """G(x, w) = |Dx - w|_{2,1} + r |Ew|_{2,1}."""
        return Joint(self.options)

    def field(self, x: Tensor) -> Tensor:
        """w = 0, for which G is total variation."""
        return x.new_zeros(x.shape[0], 2 * x.shape[1], *x.shape[2:])


class Slopes(LinearOperator[TGVOptions]):
    """K [x; w] = [Dx - w; r Ew], ``(B, 3C, H, W)`` to ``(B, 5C, H, W)``.

    D are forward differences. E w is the symmetrised derivative: vertical, horizontal, and
    sqrt 2 times mixed. Differences across the border are zero, and so are the components of
    Dx - w there.
    """

    def __init__(
        self, image_shape: Shape, options: TGVOptions | None = None, **values: object
    ) -> None:
        super().__init__(image_shape, options, **values)
        channels, height, width = self.image_shape
        self.data_shape = (5 * channels // 3, height, width)

    def forward(self, x: Tensor) -> Tensor:
        """K [x; w]."""
        x, v, h = x.chunk(3, 1)
        r, mixed = self.options.ratio, self.options.ratio / math.sqrt(2)
        return torch.cat(
            [
                _down(x) - _above(v),
                _right(x) - _left(h),
                r * _down(v),
                r * _right(h),
                mixed * (_right(v) + _down(h)),
            ],
            1,
        )

    def adjoint(self, y: Tensor) -> Tensor:
        """K^T y."""
        a, b, vv, hh, vh = y.chunk(5, 1)
        r, mixed = self.options.ratio, self.options.ratio / math.sqrt(2)
        return torch.cat(
            [
                _up_again(a) + _left_again(b),
                r * _up_again(vv) + mixed * _left_again(vh) - _above(a),
                r * _left_again(hh) + mixed * _up_again(vh) - _left(b),
            ],
            1,
        )


class Joint(OuterProx[TGVOptions]):
    """G(x, w) = g(K [x; w]), g the sum of the lengths of Dx - w and of r Ew."""

    provides = ()

    def __init__(self, options: TGVOptions) -> None:
        super().__init__(options)
        self.capabilities = frozenset({Value, ProxConjugate})

    def linear_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """K."""
        return Slopes(image_shape, self.options)

    def value(self, x: Tensor) -> Tensor:
        """G(x, w), ``(B,)``."""
        parts = self._lengths(Slopes(tuple(x.shape[1:]), self.options).forward(x))
        return image_sum(parts[0]) + image_sum(parts[1])

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """Shrink the length of each group by t."""
        lengths = self._lengths(u)
        step = per_image(t, lengths[0])
        keep = [(1 - step / v.clamp_min(_tiny(u))).clamp_min(0) for v in lengths]
        return self._scaled(u, keep)

    def prox_conjugate(self, u: Tensor, t: Scalar, lam: Scalar = 1.0) -> Tensor:
        """Project each group onto the ball of radius lam, for every t."""
        lengths = self._lengths(u)
        radius = torch.as_tensor(per_image(lam, lengths[0]), dtype=u.dtype, device=u.device)
        keep = [radius / v.maximum(radius).clamp_min(_tiny(u)) for v in lengths]
        return self._scaled(u, keep)

    def _groups(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """First and second differences, ``(B, 2, C, H, W)`` and ``(B, 3, C, H, W)``."""
        first = 2 * (u.shape[1] // 5)
        return torch.unflatten(u[:, :first], 1, (2, -1)), torch.unflatten(u[:, first:], 1, (3, -1))

    def _lengths(self, u: Tensor) -> tuple[Tensor, Tensor]:
        """The length of each group, ``(B, 1, 1 or C, H, W)``."""
        axes = (1, 2) if self.options.coupled else (1,)
        first, second = ((v * v).sum(axes, keepdim=True) for v in self._groups(u))
        if u.requires_grad:  # the derivative at length 0 is taken as 0
            first, second = first.clamp_min(_tiny(u)), second.clamp_min(_tiny(u))
        return first.sqrt(), second.sqrt()

    def _scaled(self, u: Tensor, factors: list[Tensor]) -> Tensor:
        """Each group times its factor."""
        parts = zip(self._groups(u), factors, strict=True)
        return torch.cat([(v * f).flatten(1, 2) for v, f in parts], 1)


def _tiny(x: Tensor) -> float:
    return float(torch.finfo(x.dtype).tiny)


def _above(x: Tensor) -> Tensor:
    """x without its last row, which becomes 0."""
    return pad(x[..., :-1, :], (0, 0, 0, 1))


def _left(x: Tensor) -> Tensor:
    """x without its last column, which becomes 0."""
    return pad(x[..., :-1], (0, 1))


def _down(x: Tensor) -> Tensor:
    """Vertical forward differences; the last row is 0."""
    return pad(x[..., 1:, :] - x[..., :-1, :], (0, 0, 0, 1))


def _right(x: Tensor) -> Tensor:
    """Horizontal forward differences; the last column is 0."""
    return pad(x[..., 1:] - x[..., :-1], (0, 1))


def _up_again(y: Tensor) -> Tensor:
    """The transpose of `_down`."""
    inner = y[..., :-1, :]
    return pad(inner, (0, 0, 1, 0)) - pad(inner, (0, 0, 0, 1))


def _left_again(y: Tensor) -> Tensor:
    """The transpose of `_right`."""
    inner = y[..., :-1]
    return pad(inner, (1, 0)) - pad(inner, (0, 1))
