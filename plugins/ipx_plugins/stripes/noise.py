"""y_ij = g_j x_ij + o_j + n_ij, the columns' gains and offsets eliminated.

Solved for x, the model is x_ij = y_ij + a_j y_ij + b_j - n_ij, up to products of small numbers. It
is linear in a and b. With normal priors of these the data term is

    f(x) = min over a, b of 1/2 |x - y - Y c|^2 + sigma^2/2 (|a|^2 / gain^2 + |b|^2 / offset^2),

c = (a, b) and Y c = a_j y_ij + b_j, and a density of x in place of y adds H sigma^2 |a|^2 / 2 (the
logarithm of its Jacobian, to second order). What varies slowly across the columns cannot be told
from the scene: a and b have no components in the cosines of long periods. So c is a ridge
regression with a few linear constraints, two unknowns a column, in closed form.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from ipx import Noise, Scalar, ShapeError, Storage, image_sum, per_image
from ipx_plugins.stripes import StripesOptions

SIMULATED = 0.02
"""sigma of simulations, and where it is unknown."""

MAD = 0.6745
"""Median of |n| for a standard normal n."""


@dataclass(frozen=True)
class Fit:
    """The columns' coefficients, ``(B, C, W)`` each, and Y c, of the shape of the data.

    ``b`` is the offset at the mean of y.
    """

    a: Tensor
    b: Tensor
    moved: Tensor
    penalty: Tensor  # (B,)


class Stripes(Noise[StripesOptions]):
    """f(x) of the module's docstring, convex and quadratic, with curvature 1.

    ``level`` is sigma. Data are ``(B, C, ..., H, W)``; columns are those of the last axis, in each
    channel for itself. All values have to be measured.
    """

    per_image = ("level", "offset")

    def __init__(self, options: StripesOptions | None = None, **values: object) -> None:
        super().__init__(options, **values)
        self.offset: Scalar = self.options.offset  # in the unit of the data

    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """(1 + g_j) x_ij + o_j + sigma n_ij; g and o without long periods."""
        sigma = SIMULATED if self.level is None else self.level
        slow = self._slow(clean)

        def normal(shape: Sequence[int]) -> Tensor:
            drawn = torch.randn(tuple(shape), generator=generator, dtype=clean.dtype)
            return drawn.to(clean.device)

        def columns(spread: Scalar) -> Tensor:
            drawn = normal((*clean.shape[:2], *(1,) * (clean.ndim - 3), clean.shape[-1]))
            return per_image(spread, drawn) * (drawn - drawn @ slow @ slow.mT)

        gain, offset = columns(self.options.gain), columns(self.offset)
        return (1 + gain) * clean + offset + per_image(sigma, clean) * normal(clean.shape)

    def nll(self, pred: Tensor, y: Tensor) -> Tensor:
        """f(pred), ``(B,)``."""
        fit = self.fit(pred, y)
        return 0.5 * image_sum((pred - y - fit.moved) ** 2) + fit.penalty

    def grad(self, pred: Tensor, y: Tensor) -> Tensor:
        """pred - y - Y c: c is at its minimum."""
        return pred - y - self.fit(pred, y).moved

    def prox(self, v: Tensor, y: Tensor, t: Scalar | Tensor) -> Tensor:
        """(v + t (y + Y c)) / (1 + t), c the regression with weights 1 / (1 + t) at v."""
        step = per_image(t, v)
        keep = 1 / (1 + step)
        return keep * v + (1 - keep) * (y + self.fit(v, y, keep).moved)

    def fit(self, pred: Tensor, y: Tensor, weight: Scalar | None = None) -> Fit:
        """c for a prediction: pred is near y + a (y - m) + b, column by column.

        Args:
            pred: the picture, of the shape of y.
            y: data.
            weight: of each squared difference, of a shape that broadcasts to y; 1 when None.
        """
        if y.ndim < 4:
            raise ShapeError("noise stripes is for data with rows and columns, (B, C, H, W)")
        rows = tuple(range(2, y.ndim - 1))
        mean = y.mean((*rows, -1), keepdim=True)
        centred, m = y - mean, mean.flatten(2)  # Y c = a (y - m) + (b + a m)
        w = y.new_ones(()) if weight is None else torch.as_tensor(weight, dtype=y.dtype)
        w = w.to(y.device).expand_as(y)
        rest = w * (pred - y)
        sigma = SIMULATED if self.level is None else self.level
        each = y.new_ones(y.shape[0], 1, 1)
        ridge = (per_image(sigma, each) * each) ** 2
        ra = ridge * (1 / self.options.gain**2 + y[0, 0, ..., 0].numel())
        rb = ridge / (per_image(self.offset, each) * each) ** 2
        tiny = torch.finfo(y.dtype).tiny
        aa = (w * centred**2).sum(rows) + ra + rb * m * m + tiny
        ab, bb = (w * centred).sum(rows) - rb * m, w.sum(rows) + rb + tiny
        det = (aa * bb - ab * ab).clamp_min(tiny)
        aa, ab, bb = bb / det, -ab / det, aa / det  # the inverse
        ta, tb = (centred * rest).sum(rows), rest.sum(rows)
        a, b = self._fast(y, (aa, ab, bb), (aa * ta + ab * tb, ab * ta + bb * tb))
        wide = (*a.shape[:2], *(1,) * len(rows), a.shape[-1])
        moved = a.reshape(wide) * centred + b.reshape(wide)
        return Fit(a, b, moved, 0.5 * image_sum(ra * a * a + rb * (b - a * m) ** 2))

    def _fast(
        self, y: Tensor, inverse: tuple[Tensor, Tensor, Tensor], free: tuple[Tensor, Tensor]
    ) -> tuple[Tensor, Tensor]:
        """The minimiser with U^T a = U^T b = 0, from the free one, by Lagrange multipliers."""
        slow, (aa, ab, bb), (a, b) = self._slow(y), inverse, free

        def block(d: Tensor) -> Tensor:
            return slow.mT @ (d.unsqueeze(-1) * slow)

        top = torch.cat([block(aa), block(ab)], -1)
        low = torch.cat([block(ab), block(bb)], -1)
        wanted = torch.cat([a @ slow, b @ slow], -1).unsqueeze(-1)
        mu = torch.linalg.solve(torch.cat([top, low], -2), wanted).squeeze(-1)
        ma, mb = (part @ slow.mT for part in mu.chunk(2, -1))
        return a - aa * ma - ab * mb, b - ab * ma - bb * mb

    def _slow(self, y: Tensor) -> Tensor:
        """U: the cosines of periods above option ``period``, orthonormal, ``(W, k)``; k >= 1."""
        width = y.shape[-1]
        count = min(width, int(2 * width / self.options.period) + 1)
        at = torch.arange(width, dtype=torch.float64) + 0.5
        waves = torch.cos(torch.pi / width * at[:, None] * torch.arange(count))
        unit: Tensor = waves / waves.norm(dim=0)
        return unit.to(y)

    def cleaned(self, pred: Tensor, y: Tensor) -> Tensor:
        """y + Y c, c for this prediction: the data without their stripes."""
        return y + self.fit(pred, y).moved

    def expected(self, y: Tensor, count: Tensor) -> Tensor:
        """count sigma^2 / 2, ``(B,)``: the penalties make up for what a and b explain."""
        sigma = self.level if self.level is not None else self.estimated(y).level
        assert sigma is not None
        return 0.5 * count * per_image(sigma, count) ** 2

    def estimated(
        self, y: Tensor, known: Tensor | None = None, storage: Storage = Storage()
    ) -> Stripes:
        """sigma from the median of second differences along columns and rows; offsets cancel.

        Of fewer than three rows it is an upper bound, along the rows alone.
        """
        if self.level is not None:
            return self
        detail, norm = y.flatten(2, -2), 1.0
        if detail.shape[-1] < 3:
            raise ShapeError("the noise level needs at least 3 columns; give option sigma")
        for axis in (-2, -1):
            count = detail.shape[axis] - 2
            if count > 0:
                left, middle, right = (detail.narrow(axis, i, count) for i in range(3))
                detail, norm = left - 2 * middle + right, norm * math.sqrt(6)
        made = type(self)(self.options)
        found = detail.abs().flatten(1).median(1).values / (norm * MAD)
        made.level, made.offset = found.clamp_min(min(storage.errors, default=0.0)), self.offset
        return made

    def scaled(self, by: Tensor) -> Stripes:
        """This model for data divided by ``by``, ``(B,)``."""
        made = type(self)(self.options)
        made.level = self.level if self.level is None or self.silent else self.level / by
        made.offset = self.offset / by
        return made
