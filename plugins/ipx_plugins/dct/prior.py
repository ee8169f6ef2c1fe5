"""R(x) = the l1 norm of the cosine coefficients of blocks, without their means."""

from __future__ import annotations

import math
from functools import lru_cache
from itertools import pairwise, product
from typing import Any

import torch
from torch import Tensor

from ipx import LinearOperator, OuterProx, Scalar, Shape, Spectral, Traits, image_sum, per_image
from ipx.toolkit import dct_matrix
from ipx_plugins.dct import DCTOptions


class Blocks(LinearOperator[DCTOptions]):
    """K, ``(B, C, H, W)`` to ``(B, S C, H, W)``: the DCT-II of all blocks, for S grids of blocks.

    The grids begin at multiples of the stride in each direction, S = (block / stride)^2. Blocks at
    the border are cut off there and transformed at their own size, so that each grid gives an
    orthonormal transform. Divided by sqrt S, together they are a tight frame, K^T K = I.
    """

    def __init__(
        self, image_shape: Shape, options: DCTOptions | None = None, **values: object
    ) -> None:
        super().__init__(image_shape, options, **values)
        starts = range(0, self.options.block, self.options.stride)
        self.grids = tuple(product(starts, starts))
        channels, height, width = self.image_shape
        self.data_shape = (len(self.grids) * channels, height, width)
        self.traits = Traits(basis="any")

    def forward(self, x: Tensor) -> Tensor:
        """K x, grid by grid."""
        made = [self._both(x, down, right, False) for down, right in self.grids]
        return torch.cat(made, 1) / math.sqrt(len(made))

    def adjoint(self, y: Tensor) -> Tensor:
        """K^T y, a left inverse."""
        parts = zip(y.chunk(len(self.grids), 1), self.grids, strict=True)
        back = [self._both(c, down, right, True) for c, (down, right) in parts]
        return torch.stack(back).sum(0) / math.sqrt(len(back))

    def spectrum(self, like: Tensor) -> Spectral:
        """All eigenvalues of K^T K are 1."""
        return Spectral("any", torch.ones((), dtype=like.dtype, device=like.device))

    def norm(self) -> float:
        """1."""
        return 1.0

    def weights(self, like: Tensor) -> Tensor:
        """1 / sqrt S, and 0 for the mean of each block, ``(S, 1, H, W)``."""

        def make() -> Tensor:
            height, width = self.image_shape[-2:]
            out = torch.full((len(self.grids), 1, height, width), len(self.grids) ** -0.5)
            for grid, (down, right) in zip(out, self.grids, strict=True):
                rows = [a for a, _ in self._pieces(height, down)]
                columns = [a for a, _ in self._pieces(width, right)]
                grid[:, torch.tensor(rows)[:, None], torch.tensor(columns)] = 0
            return out.double()

        return self.buffer("weights", like, make)

    def _pieces(self, n: int, start: int) -> list[tuple[int, int]]:
        """Begin and length of each block along an axis of n pixels."""
        ends = [0, *range(start or self.options.block, n, self.options.block), n]
        return [(a, b - a) for a, b in pairwise(ends) if b > a]

    def _both(self, x: Tensor, down: int, right: int, inverse: bool) -> Tensor:
        return self._along(self._along(x, right, inverse).mT, down, inverse).mT

    def _along(self, x: Tensor, start: int, inverse: bool) -> Tensor:
        """The transform of the blocks of the last axis, or its inverse."""
        side, n = self.options.block, x.shape[-1]
        head = min(start, n)
        count = (n - head) // side
        tail = n - head - count * side
        out = []
        parts = torch.split(x, [head, count * side, tail], -1)
        for part, size in zip(parts, (head, side, tail), strict=True):
            if part.shape[-1]:
                matrix = dct_matrix(size, x.dtype, x.device)
                blocks = torch.unflatten(part, -1, (-1, size))
                out.append((blocks @ (matrix if inverse else matrix.mT)).flatten(-2))
        return torch.cat(out, -1)


class BlockDCT(OuterProx[DCTOptions]):
    """R(x) = 1/S sum over S grids of |W_s x|_1, W_s the cosine transform of all blocks of a grid.

    The mean of a block is not penalised. With one grid the prox is a soft threshold.
    """

    def __init__(self, options: DCTOptions | None = None, **values: Any) -> None:
        super().__init__(options, **values)
        self._blocks = lru_cache(maxsize=8)(lambda shape: Blocks(shape, self.options))

    def linear_part(self, image_shape: Shape) -> Blocks:
        """K: the transforms of all grids, over sqrt S."""
        return self._blocks(tuple(image_shape))

    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        c = self.linear_part(tuple(x.shape[1:])).forward(x)
        return image_sum(c.abs() * self._weights(c))

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """W^T soft(Wx, t), for blocks that do not overlap."""
        part = self.linear_part(tuple(x.shape[1:]))
        return part.adjoint(self.prox_outer(part.forward(x), t))

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """Soft threshold of all coefficients but the means."""
        return u - self._clipped(u, t)

    def prox_conjugate(self, u: Tensor, t: Scalar, lam: Scalar = 1.0) -> Tensor:
        """Coefficients clipped to [-lam, lam] times their weight, for every t."""
        return self._clipped(u, lam)

    def _clipped(self, u: Tensor, bound: Scalar) -> Tensor:
        most = per_image(bound, u) * self._weights(u)
        return u.clamp(-most, most)

    def _weights(self, c: Tensor) -> Tensor:
        """The weight of each coefficient, ``(S C, H, W)``."""
        grids = (self.options.block // self.options.stride) ** 2
        channels = c.shape[1] // grids
        w = self.linear_part((channels, *c.shape[2:])).weights(c)
        return w.expand(-1, channels, -1, -1).flatten(0, 1)
