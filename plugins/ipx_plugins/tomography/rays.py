"""The weights of pixels along rays, as rows of A and as rows of A^T.

Coordinates are in pixels with the origin on the rotation axis, in the middle of the picture: x to
the right, y up. At angle b the detector lies along ``(cos b, sin b)``; its bins are at s. A ray
meets each row of pixels (or column, whichever it crosses more steeply) in one point. Joseph's
method interpolates there linearly between the two nearest pixels. The weight of a pixel at
distance r from the ray is therefore ``(1 - r/m) / m`` where r < m, with m the larger of the sine
and cosine of the ray's direction. In this form both rows are products of gathers: nothing is
transposed or scattered. If bins are further apart than pixels, m is multiplied by a whole number,
so that no pixel is missed and a constant is still integrated exactly. A^T that is stored is the
transpose of A; the rows of A^T are for matrices that are too large to be stored.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

import torch
from torch import Tensor

from ipx_plugins.tomography import TomographyOptions

Row = tuple[Tensor, Tensor]
"""Indices into the columns (int32) and weights (float64), of the same shape."""


@dataclass(frozen=True)
class Rays:
    """All rays of a geometry through a square picture; float64 on the CPU.

    Attributes:
        side: N, of the picture.
        angles: ``(A,)``, radians.
        bins: ``(S,)``, their positions.
        spacing: distance of neighbouring bins.
        source: distance of the source from the axis; infinite for parallel rays.
    """

    side: int
    angles: Tensor
    bins: Tensor
    spacing: float
    source: float

    @classmethod
    def of(cls, options: TomographyOptions, side: int) -> Rays:
        """The rays that the options describe."""
        count = side if options.bins is None else options.bins
        angles = torch.tensor(options.degrees, dtype=torch.float64) * (math.pi / 180)
        index = torch.arange(count, dtype=torch.float64)
        bins = (index - (count - 1) / 2 - options.offset) * options.spacing
        return cls(side, angles, bins, options.spacing, options.source(side))

    @property
    def wide(self) -> int:
        """The factor of m for bins that are further apart than pixels."""
        return max(1, round(self.spacing))

    @property
    def positions(self) -> Tensor:
        """x of the columns, and -y of the rows, ``(N,)``."""
        return torch.arange(self.side, dtype=torch.float64) - (self.side - 1) / 2

    def axes(self, angle: Tensor) -> tuple[Tensor, Tensor]:
        """cos and sin of angles."""
        return torch.cos(angle), torch.sin(angle)

    def forward_rows(self, a: int) -> Row:
        """The rows of A of angle ``a``, in pixels: ``(S, 2 wide N)``.

        Weights outside of the picture are 0.
        """
        n, k = self.side, self.wide
        normal_x, normal_y, offset = self._normals(a)
        steep = normal_x.abs() >= normal_y.abs()  # then the ray is followed row by row
        # rows go down: the row at position q has y = -q
        main = torch.where(steep, normal_x, -normal_y)[:, None]
        other = torch.where(steep, -normal_y, normal_x)[:, None]
        crossing = (offset[:, None] - self.positions * other) / main + (n - 1) / 2
        low = crossing.floor() - (k - 1)
        first, away = low.int(), crossing - low
        along, across = torch.where(steep, n, 1).int(), torch.where(steep, 1, n).int()
        start = torch.arange(n, dtype=torch.int32) * along[:, None]
        columns, weights, largest = [], [], 1 / (main.abs() * k)
        for i in range(2 * k):
            at = first + i
            inside = (at >= 0) & (at < n)
            weight = (1 - (away - i).abs() / k) * largest
            weights.append(torch.where(inside, weight, 0.0))
            columns.append(torch.where(inside, start + at * across[:, None], 0))
        return torch.cat(columns, 1), torch.cat(weights, 1)

    def _normals(self, a: int) -> tuple[Tensor, Tensor, Tensor]:
        """The rays of an angle are ``x normal_x + y normal_y = offset``, each ``(S,)``."""
        c, s = self.axes(self.angles[a])
        if math.isinf(self.source):
            ones = torch.ones_like(self.bins)
            return c * ones, s * ones, self.bins
        length = torch.hypot(self.bins, torch.tensor(self.source, dtype=torch.float64))
        normal_x = (self.source * c - self.bins * s) / length
        normal_y = (self.source * s + self.bins * c) / length
        return normal_x, normal_y, self.bins * self.source / length

    def shadow(self, x: Tensor, y: Tensor, angles: Tensor) -> tuple[Tensor, Tensor]:
        """Where points are seen on the detector, and their magnification; arguments broadcast."""
        c, s = self.axes(angles)
        seen = x * c + y * s
        if math.isinf(self.source):
            return seen, torch.ones_like(seen)
        grown = self.source / (self.source - (y * c - x * s))
        return seen * grown, grown

    def adjoint_rows(self, row: int, most: int) -> Row:
        """The rows of A^T of the pixels of a row, in pixels: ``(N, A most)``; see `most`."""
        seen, grown = self.shadow(self.positions[:, None], -self.positions[row], self.angles)
        first = ((seen - self._reach(grown) - self.bins[0]) / self.spacing).floor().int() + 1
        c, s = self.axes(self.angles)
        size, steps = (
            len(self.bins),
            torch.arange(len(self.angles), dtype=torch.int32) * len(self.bins),
        )
        columns, weights = [], []
        for i in range(most):
            at = first + i
            inside = (at >= 0) & (at < size)
            at = torch.where(inside, at, 0)
            if math.isinf(self.source):
                m, away = torch.maximum(c.abs(), s.abs()), seen - self.bins[at]
            else:
                bins = self.bins[at]
                length = torch.hypot(bins, torch.tensor(self.source, dtype=torch.float64))
                along, up = self.source * c - bins * s, self.source * s + bins * c
                m = torch.maximum(along.abs(), up.abs()) / length
                away = self.source / grown * (seen - bins) / length
            m = m * self.wide
            weight = ((1 - away.abs() / m) / m).clamp_min(0)
            weights.append(torch.where(inside, weight, 0.0))
            columns.append(steps + at)
        return torch.cat(columns, 1), torch.cat(weights, 1)

    @cached_property
    def most(self) -> int:
        """The largest number of bins of one angle that see a pixel."""
        if math.isinf(self.source):
            largest = torch.maximum(*(v.abs() for v in self.axes(self.angles))).max()
            return math.ceil(float(2 * self.wide * largest / self.spacing))
        nearest = self.source / (self.source - self.side / math.sqrt(2))
        reach = self._reach(torch.tensor(nearest, dtype=torch.float64))
        return math.ceil(float(2 * reach / self.spacing))

    def _reach(self, grown: Tensor) -> Tensor:
        """A bound on the distance from the shadow of a pixel to a bin that sees it."""
        if math.isinf(self.source):
            return self.wide * torch.maximum(*(v.abs() for v in self.axes(self.angles)))
        slant = math.hypot(1.0, float(self.bins.abs().max()) / self.source)
        return self.wide * grown * slant
