"""The periodised discrete wavelet transform of images, as banded matrix products.

PyWavelets' mode "periodization", in the layout of Mallat: the approximation in the top left
corner, each finer scale around it, so that coefficients have the shape of the image. For an
orthogonal wavelet the transform is orthonormal.

One level along one axis is a banded circulant matrix. It is applied block by block: a window of
the signal is multiplied by one small dense matrix for the low half and one for the high half, which
is fast on CPUs and GPUs. A short axis uses the full matrix. On an axis of odd length the last value
passes unchanged to the approximation, which keeps the transform orthonormal for every size.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pywt
import torch
from torch import Tensor

from ipx import LinearOperator, Norm, Shape, Spectral, Spectrum
from ipx.toolkit import linear_map
from ipx_plugins.wavelet import ORTHOGONAL, WaveletOptions

_DENSE_UP_TO = 128
_BLOCK = 64


class Decimated(LinearOperator[WaveletOptions]):
    """W, ``(B, C, H, W)`` or ``(B, C, D, H, W)`` to coefficients of the same shape."""

    def __init__(
        self, image_shape: Shape, options: WaveletOptions | None = None, **values: object
    ) -> None:
        super().__init__(image_shape, options, **values)
        wavelet = pywt.Wavelet(self.options.wavelet)
        self._low = np.asarray(wavelet.dec_lo)
        self._high = np.asarray(wavelet.dec_hi)
        self.sizes = level_sizes(self.image_shape, self.options.levels)
        if self.options.wavelet not in ORTHOGONAL:
            self.capabilities = self.capabilities - {Spectrum, Norm}

    def forward(self, x: Tensor) -> Tensor:
        """The coefficients, in Mallat's layout."""
        return linear_map(x, self._decompose, self._recompose)

    def adjoint(self, y: Tensor) -> Tensor:
        """W^T; for an orthogonal wavelet the inverse."""
        return linear_map(y, self._recompose, self._decompose)

    def _decompose(self, x: Tensor) -> Tensor:
        out = x.clone() if not self.sizes else x
        for i, size in enumerate(self.sizes):
            corner = _corner(size)
            part = out[corner]
            for axis in range(-1, -len(size) - 1, -1):
                part = self._analyse(part, axis)
            if i == 0:
                out = part
            else:
                out[corner] = part
        return out

    def _recompose(self, y: Tensor) -> Tensor:
        out = y.clone()
        for size in reversed(self.sizes):
            corner = _corner(size)
            part = out[corner]
            for axis in range(-len(size), 0):
                part = self._synthesise(part, axis)
            out[corner] = part
        return out

    def spectrum(self, like: Tensor) -> Spectral:
        """Eigenvalues of W^T W: all 1; only for an orthogonal wavelet."""
        return Spectral("any", torch.ones((), dtype=like.dtype, device=like.device))

    def norm(self) -> float:
        """1; only for an orthogonal wavelet."""
        return 1.0

    def details(self, like: Tensor) -> Tensor:
        """1 where a coefficient is a detail, 0 on the approximation, of the size of an image."""

        def mask() -> Tensor:
            ones = torch.ones(self.image_shape[1:], dtype=torch.float64)
            if self.sizes:
                ones[_corner([(n + 1) // 2 for n in self.sizes[-1]])] = 0
            return ones

        return self.buffer("details", like, mask)

    def _analyse(self, x: Tensor, axis: int) -> Tensor:
        """One level along an axis, counted from the end: low half, high half."""
        n = x.shape[axis]
        if n < 2:
            return x.clone()
        if n % 2:
            c = self._analyse(x.narrow(axis, 0, n - 1), axis)
            half = n // 2
            low, high = c.narrow(axis, 0, half), c.narrow(axis, half, half)
            return torch.cat([low, x.narrow(axis, n - 1, 1), high], axis)
        if self._short(n):
            return _product(x, self.buffer(f"dense{n}", x, lambda: self._dense(n)), axis)
        out, half = x.new_empty(x.shape), n // 2
        first = len(self._low) // 2 - len(self._low) + 1
        for start in range(0, n, _BLOCK):
            size = min(_BLOCK, n - start)
            low, high = self._bands(size, x)
            window = _window(x, axis, start + first, low.shape[1])
            for matrix, offset in ((low, 0), (high, half)):
                part = out.narrow(axis, offset + start // 2, size // 2)
                part.copy_(_product(window, matrix, axis))
        return out

    def _synthesise(self, c: Tensor, axis: int) -> Tensor:
        """The transpose of `_analyse`."""
        n = c.shape[axis]
        half = (n + 1) // 2
        if n < 2:
            return c.clone()
        if n % 2:
            low, high = c.narrow(axis, 0, half - 1), c.narrow(axis, half, half - 1)
            x = self._synthesise(torch.cat([low, high], axis), axis)
            return torch.cat([x, c.narrow(axis, half - 1, 1)], axis)
        if self._short(n):
            return _product(c, self.buffer(f"dense{n}", c, lambda: self._dense(n)).mT, axis)
        out = c.new_empty(c.shape)
        low, high = c.narrow(axis, 0, half), c.narrow(axis, half, half)
        for start in range(0, n, _BLOCK):
            size = min(_BLOCK, n - start)
            first, rows = self._rows(size, c)
            at, count = start // 2 + first, rows.shape[1] // 2
            both = torch.cat([_window(low, axis, at, count), _window(high, axis, at, count)], axis)
            out.narrow(axis, start, size).copy_(_product(both, rows, axis))
        return out

    def _short(self, n: int) -> bool:
        """True if the axis is too short for blocks, whose windows must not wrap onto themselves."""
        return n < max(_DENSE_UP_TO, 2 * (len(self._low) + _BLOCK))

    def _bands(self, size: int, like: Tensor) -> tuple[Tensor, Tensor]:
        """Low and high rows for a block of ``size`` values, ``(size / 2, size - 2 + taps)``."""
        taps = len(self._low)

        def make(filter_: np.ndarray) -> Tensor:
            band = torch.zeros(size // 2, size - 2 + taps, dtype=torch.float64)
            for k in range(size // 2):
                band[k, 2 * k : 2 * k + taps] = torch.from_numpy(filter_[::-1].copy())
            return band

        low = self.buffer(f"low{size}", like, lambda: make(self._low))
        return low, self.buffer(f"high{size}", like, lambda: make(self._high))

    def _rows(self, size: int, like: Tensor) -> tuple[int, Tensor]:
        """Offset of the coefficients of a block of values, and the matrix of their synthesis."""
        taps = len(self._low)
        first = -((taps // 2) // 2)
        last = (size - 1 + taps - 1 - taps // 2) // 2
        count = last - first + 1

        def make() -> Tensor:
            rows = torch.zeros(size, 2 * count, dtype=torch.float64)
            for k in range(count):
                for m in range(taps):
                    j = 2 * (k + first) + taps // 2 - m
                    if 0 <= j < size:
                        rows[j, k] = self._low[m]
                        rows[j, count + k] = self._high[m]
            return rows

        return first, self.buffer(f"rows{size}", like, make)

    def _dense(self, n: int) -> Tensor:
        """The matrix of one level on n (even) values: n/2 low rows, then n/2 high rows."""
        matrix = torch.zeros(n, n, dtype=torch.float64)
        taps = len(self._low)
        k = torch.arange(n // 2)
        for m in range(taps):
            column = (2 * k + taps // 2 - m) % n
            matrix.index_put_((k, column), torch.tensor(self._low[m]), accumulate=True)
            matrix.index_put_((k + n // 2, column), torch.tensor(self._high[m]), accumulate=True)
        return matrix


def _window(x: Tensor, axis: int, start: int, length: int) -> Tensor:
    """``length`` values from ``start`` along an axis, periodically."""
    n = x.shape[axis]
    if start < 0:
        rest = x.narrow(axis, 0, length + start)
        return torch.cat([x.narrow(axis, n + start, -start), rest], axis)
    over = start + length - n
    if over > 0:
        return torch.cat([x.narrow(axis, start, length - over), x.narrow(axis, 0, over)], axis)
    return x.narrow(axis, start, length)


def _product(x: Tensor, matrix: Tensor, axis: int) -> Tensor:
    """The matrix times x along an axis."""
    if axis == -3:
        return torch.unflatten(matrix @ x.flatten(-2), -1, x.shape[-2:])
    return x @ matrix.mT if axis == -1 else matrix @ x


def _corner(size: Sequence[int]) -> tuple[Any, ...]:
    """The index of the first so many values along the last axes."""
    return (..., *map(slice, size))


def level_sizes(image_shape: Shape, levels: int) -> list[tuple[int, ...]]:
    """Height and width of the input of each level, fine to coarse, while all are >= 2.

    With the depth of volumes before them.
    """
    size = tuple(image_shape[1:])
    sizes = []
    for _ in range(levels):
        if min(size) < 2:
            break
        sizes.append(size)
        size = tuple((n + 1) // 2 for n in size)
    return sizes
