"""R(x) = sum over blocks of the nuclear norm of bands x pixels."""

from __future__ import annotations

from itertools import product

import torch
from torch import Tensor
from torch.nn.functional import pad

from ipx import (
    LinearOperator,
    OuterProx,
    Scalar,
    Shape,
    Spectral,
    Traits,
    image_sum,
    per_image,
)
from ipx_plugins.low_rank import LowRankOptions


class Neighbours(LinearOperator[LowRankOptions]):
    """K x: the image shifted by all offsets within a patch, over its side; ``(B, p^2 C, H, W)``.

    Shifts are periodic, so that K^T K = I.
    """

    def __init__(
        self, image_shape: Shape, options: LowRankOptions | None = None, **values: object
    ) -> None:
        super().__init__(image_shape, options, **values)
        channels, height, width = self.image_shape
        steps = range(self.options.patch)
        self.offsets = tuple(product(steps, steps))
        self.data_shape = (len(self.offsets) * channels, height, width)
        self.traits = Traits(basis="any")

    def forward(self, x: Tensor) -> Tensor:
        """K x, offset by offset."""
        moved = [x.roll((-a, -b), (-2, -1)) for a, b in self.offsets]
        return torch.cat(moved, 1) / self.options.patch

    def adjoint(self, y: Tensor) -> Tensor:
        """K^T y."""
        parts = zip(y.chunk(len(self.offsets), 1), self.offsets, strict=True)
        back = [part.roll(offset, (-2, -1)) for part, offset in parts]
        return torch.stack(back).sum(0) / self.options.patch

    def spectrum(self, like: Tensor) -> Spectral:
        """All eigenvalues of K^T K are 1."""
        return Spectral("any", torch.ones((), dtype=like.dtype, device=like.device))

    def norm(self) -> float:
        """1."""
        return 1.0


class LowRank(OuterProx[LowRankOptions]):
    """R(x) = sum over blocks of |M|_*, M the values of K x in a block, ``(p^2 C, pixels)``.

    With patch 1, M has a row for each band: bands that are alike up to a factor have rank 1 (Cai,
    Candes and Shen 2010 for one matrix, Trzasko and Manduca 2011 block by block). Larger patches
    add the neighbours of each pixel as bands. The last blocks of a row or column are smaller where
    the side of the image is no multiple of theirs.
    """

    def linear_part(self, image_shape: Shape) -> Neighbours:
        """K."""
        return Neighbours(image_shape, self.options)

    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        m = self._matrices(self.linear_part(tuple(x.shape[1:])).forward(x))
        return image_sum(torch.linalg.svdvals(m))

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """Singular values less t, down to zero (Cai, Candes, Shen 2010, theorem 2.1)."""
        return u - self.prox_conjugate(u, 1.0, t)

    def prox_conjugate(self, u: Tensor, t: Scalar, lam: Scalar = 1.0) -> Tensor:
        """Singular values clipped at lam, for every t."""
        m = self._matrices(u)
        # M f(M^T M): eigenvectors of the smaller Gram matrix, in float64 since it squares
        tall = m.shape[-2] > m.shape[-1]
        m = m.mT if tall else m
        wide = m.double()
        squares, vectors = torch.linalg.eigh(wide @ wide.mT)
        size = squares.clamp_min(0).sqrt()
        bound = torch.as_tensor(per_image(lam, size), dtype=size.dtype, device=size.device)
        keep = bound / size.maximum(bound).clamp_min(1e-300)
        out = ((vectors * keep.unsqueeze(-2)) @ (vectors.mT @ wide)).to(u.dtype)
        return self._image(out.mT if tall else out, u)

    def _side(self, u: Tensor) -> tuple[int, int]:
        height, width = u.shape[-2:]
        block = self.options.block
        return (height, width) if block is None else (min(block, height), min(block, width))

    def _matrices(self, u: Tensor) -> Tensor:
        """``(B, N, S, n)``: N blocks, S rows, n pixels; zeros beyond the border."""
        (height, width), (a, b) = u.shape[-2:], self._side(u)
        u = pad(u, (0, -width % b, 0, -height % a))
        # S, rows of blocks, row, columns of blocks, column
        blocks = torch.unflatten(torch.unflatten(u, -1, (-1, b)), -3, (-1, a))
        return blocks.permute(0, 2, 4, 1, 3, 5).flatten(4).flatten(1, 2)

    def _image(self, m: Tensor, like: Tensor) -> Tensor:
        """The inverse of `_matrices`."""
        (height, width), (a, b) = like.shape[-2:], self._side(like)
        rows, columns = -(-height // a), -(-width // b)
        blocks = torch.unflatten(torch.unflatten(m, 1, (rows, columns)), -1, (a, b))
        out = blocks.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)
        return out[..., :height, :width]
