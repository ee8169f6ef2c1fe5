"""The measurement matrices, on rows of vectors: ``(K, n)`` to ``(K, m)`` and back.

Columns have norm 1 on average, so that E |A x|^2 = |x|^2.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property
from typing import Any, Protocol

import torch
from torch import Tensor

from ipx import ShapeError, Spectral
from ipx_plugins.compressed_sensing import CompressedSensingOptions

STORED = 256e6
"""Bytes up to which a matrix is kept; beyond, its rows are drawn anew in each product."""

_ROWS = 256
_EXACT = 2e10  # multiplications


class Matrix(Protocol):
    """A measurement matrix."""

    def forward(self, x: Tensor) -> Tensor:
        """A x, ``(K, n)`` to ``(K, m)``."""
        ...

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y, ``(K, m)`` to ``(K, n)``."""
        ...

    def norm(self) -> float:
        """The largest singular value, or a bound at most 1 % larger."""
        ...


class Random:
    """Independent entries of variance 1/m: normal, or +-1/sqrt(m).

    Rows are drawn in blocks, each from its own seed, so that a large matrix is never stored.
    """

    def __init__(self, options: CompressedSensingOptions, rows: int, columns: int) -> None:
        self.options, self.rows, self.columns = options, rows, columns
        self._kept: dict[Any, Tensor] = {}

    def _block(self, first: int) -> Tensor:
        """The rows from ``first`` on, float32, not yet divided by sqrt(m)."""
        rng = torch.Generator().manual_seed((self.options.seed << 20) + first // _ROWS)
        size = (min(_ROWS, self.rows - first), self.columns)
        if self.options.matrix == "gaussian":
            return torch.randn(size, generator=rng)
        return 2.0 * torch.randint(0, 2, size, generator=rng, dtype=torch.int8).float() - 1.0

    def blocks(self, like: Tensor) -> Iterator[tuple[slice, Tensor]]:
        """Rows of the matrix with their place."""
        whole = self.rows * self.columns * like.element_size() <= STORED
        key = (like.dtype, like.device)
        if whole and key not in self._kept:
            drawn = [self._block(first) for first in range(0, self.rows, _ROWS)]
            self._kept[key] = torch.cat(drawn).to(like) / math.sqrt(self.rows)
        if whole:
            yield slice(0, self.rows), self._kept[key]
            return
        for first in range(0, self.rows, _ROWS):
            block = self._block(first).to(like) / math.sqrt(self.rows)
            yield slice(first, first + len(block)), block

    def forward(self, x: Tensor) -> Tensor:
        """A x."""
        return torch.cat([x @ block.mT for _, block in self.blocks(x)], 1)

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y."""
        x = y.new_zeros(len(y), self.columns)
        for where, block in self.blocks(y):
            x = x + y[:, where] @ block
        return x

    @cached_property
    def _norm(self) -> float:
        entries = self.rows * self.columns
        if 8 * entries <= STORED and min(self.rows, self.columns) * entries <= _EXACT:
            (_, a), *_ = self.blocks(torch.zeros((), dtype=torch.float64))
            gram = a @ a.mT if self.rows <= self.columns else a.mT @ a
            return math.sqrt(float(torch.linalg.eigvalsh(gram)[-1])) * (1 + 1e-9)
        # the edge of the spectrum of a large random matrix (Marchenko, Pastur 1967)
        return 1.005 * (1 + math.sqrt(self.columns / self.rows))

    def norm(self) -> float:
        """The largest singular value; of a large matrix its limit."""
        return self._norm


class Rows:
    """A = sqrt(n/m) S T D: random signs D, an orthonormal transform T, m random rows S.

    The rows are orthogonal, A A^T = (n/m) I.
    """

    def __init__(self, options: CompressedSensingOptions, rows: int, size: tuple[int, int]) -> None:
        self.options, self.size = options, size
        n = size[0] * size[1]
        if options.matrix == "hadamard" and n & (n - 1):
            raise ShapeError(
                f"hadamard takes a power of two of pixels, not {size[0]} x {size[1]}; give block 8 "
                "or 16, or matrix dct"
            )
        rng = torch.Generator().manual_seed(options.seed)
        self._signs = torch.randint(0, 2, (n,), generator=rng) * 2 - 1
        self._chosen = torch.randperm(n, generator=rng)[:rows].sort().values
        self.gain = math.sqrt(n / rows)

    def forward(self, x: Tensor) -> Tensor:
        """A x."""
        return self.gain * self._transform(x * self._signs.to(x))[:, self._chosen.to(x.device)]

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y."""
        c = y.new_zeros(len(y), len(self._signs))
        c = c.index_copy(1, self._chosen.to(y.device), y)
        return self.gain * self._transform(c, back=True) * self._signs.to(y)

    def norm(self) -> float:
        """sqrt(n/m)."""
        return self.gain

    def _transform(self, x: Tensor, back: bool = False) -> Tensor:
        if self.options.matrix == "hadamard":
            return hadamard(x)
        cosine, planes = Spectral("dct", x.new_ones(self.size)), x.reshape(-1, *self.size)
        return (cosine.inverse(planes, self.size) if back else cosine.forward(planes)).flatten(1)


def hadamard(x: Tensor) -> Tensor:
    """The orthonormal Walsh-Hadamard transform of each row, its own inverse.

    Args:
        x: ``(K, n)``, n a power of two.
    """
    count, n = x.shape
    step = 1
    while step < n:
        a, b = x.reshape(count, -1, 2, step).unbind(2)
        x = torch.stack([a + b, a - b], 2)
        step *= 2
    return x.reshape(count, n) / math.sqrt(n)
