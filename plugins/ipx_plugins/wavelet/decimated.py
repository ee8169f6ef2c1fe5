"""The periodised discrete wavelet transform of images, as banded matrix products.

PyWavelets' mode "periodization", in the layout of Mallat: the approximation in the top left
corner, each finer scale around it, so that coefficients have the shape of the image. For an
orthogonal wavelet the transform is orthonormal.

One level along one axis is a banded circulant matrix. It is applied block by block: windows of
the signal, as rows of a matrix, times one small dense matrix, which is what processors do best;
a short axis takes the dense matrix at once. On an axis of odd length the last value is passed on
to the approximation as it is, which keeps the transform orthonormal for every size.
"""

from __future__ import annotations

import numpy as np
import pywt
import torch
from torch import Tensor

from ipx import LinearOperator, Norm, Shape, Spectral, Spectrum
from ipx_plugins.wavelet import ORTHOGONAL, WaveletOptions

_DENSE_UP_TO = 128
_BLOCK = 32


class Decimated(LinearOperator[WaveletOptions]):
    """W, ``(B, C, H, W)`` to coefficients of the same shape."""

    def __init__(
        self, image_shape: Shape, options: WaveletOptions | None = None, **values: object
    ) -> None:
        super().__init__(image_shape, options, **values)
        wavelet = pywt.Wavelet(self.options.wavelet)
        self._low = np.asarray(wavelet.dec_lo)
        self._high = np.asarray(wavelet.dec_hi)
        self.sizes = level_sizes(self.image_shape, self.options.levels)

    def forward(self, x: Tensor) -> Tensor:
        """The coefficients, in Mallat's layout."""
        out = x
        for i, (h, w) in enumerate(self.sizes):
            part = self._analyse(self._analyse(out[..., :h, :w], -1), -2)
            if i == 0:
                out = part.contiguous()
            else:
                out = out.clone() if out.requires_grad else out
                out[..., :h, :w] = part
        return out.clone() if out is x else out

    def adjoint(self, y: Tensor) -> Tensor:
        """W^T; for an orthogonal wavelet the inverse."""
        out = y.clone()
        for h, w in reversed(self.sizes):
            out = out.clone() if out.requires_grad else out
            part = self._synthesise(self._synthesise(out[..., :h, :w], -2), -1)
            out[..., :h, :w] = part
        return out

    def provides(self) -> frozenset[type]:
        return super().provides() - (frozenset() if self.orthonormal else {Spectrum, Norm})

    @property
    def orthonormal(self) -> bool:
        """True if W^T W = I."""
        return self.options.wavelet in ORTHOGONAL

    def spectrum(self, like: Tensor) -> Spectral:
        """W^T W = I, for an orthogonal wavelet."""
        return Spectral("any", torch.ones((), dtype=like.dtype, device=like.device))

    def norm(self) -> float:
        """1, for an orthogonal wavelet."""
        return 1.0

    def details(self, like: Tensor) -> Tensor:
        """1 where a coefficient is a detail, 0 on the approximation, ``(H, W)``."""

        def mask() -> Tensor:
            ones = torch.ones(self.image_shape[-2:], dtype=torch.float64)
            if self.sizes:
                h, w = self.sizes[-1]
                ones[: (h + 1) // 2, : (w + 1) // 2] = 0
            return ones

        return self.buffer("details", like, mask)

    def _analyse(self, x: Tensor, axis: int) -> Tensor:
        """One level along an axis (-1 or -2): low half, high half."""
        n = x.shape[axis]
        even = n - n % 2
        if not even:
            return x
        if n != even:
            c = self._analyse(x.narrow(axis, 0, even), axis)
            low, high = c.narrow(axis, 0, even // 2), c.narrow(axis, even // 2, even // 2)
            return torch.cat([low, x.narrow(axis, even, 1), high], axis)
        block = self._block(n)
        if not block:
            matrix = self.buffer(f"dense{n}", x, lambda: self._dense(n))
            return x @ matrix.mT if axis == -1 else matrix @ x
        c = self._banded(x, axis, n, block, transpose=False)
        if axis == -1:  # (..., blocks, block) -> (..., 2, blocks, block / 2)
            return torch.unflatten(c, -1, (2, block // 2)).transpose(-3, -2).flatten(-3)
        return torch.unflatten(c, -2, (2, block // 2)).transpose(-4, -3).flatten(-4, -2)

    def _synthesise(self, c: Tensor, axis: int) -> Tensor:
        """The transpose of `_analyse`."""
        n = c.shape[axis]
        even, half = n - n % 2, (n + 1) // 2
        if not even:
            return c
        if n != even:
            low, high = c.narrow(axis, 0, half - 1), c.narrow(axis, half, half - 1)
            x = self._synthesise(torch.cat([low, high], axis), axis)
            return torch.cat([x, c.narrow(axis, half - 1, 1)], axis)
        block = self._block(n)
        if not block:
            matrix = self.buffer(f"dense{n}", c, lambda: self._dense(n))
            return c @ matrix if axis == -1 else matrix.mT @ c
        blocks = (2, n // block, block // 2)
        if axis == -1:
            woven = torch.unflatten(c, -1, blocks).transpose(-3, -2).flatten(-3)
            return self._banded(woven, axis, n, block, transpose=True).flatten(-2)
        woven = torch.unflatten(c, -2, blocks).transpose(-4, -3).flatten(-4, -2)
        return self._banded(woven, axis, n, block, transpose=True).flatten(-3, -2)

    def _block(self, n: int) -> int:
        """Length of the blocks for an axis of n values; 0 for the dense matrix."""
        # a window, at most the filter and two more blocks, must not meet itself around the circle
        short = n < max(_DENSE_UP_TO, len(self._low) + 3 * _BLOCK)
        return 0 if short or n % _BLOCK else _BLOCK

    def _banded(self, x: Tensor, axis: int, n: int, block: int, transpose: bool) -> Tensor:
        """The band times x: the axis of n values becomes two, ``(n / block, block)``."""
        before, band = self._band(n, block, transpose)
        window = band.shape[0]
        matrix = self.buffer(f"band{n}{transpose}", x, lambda: band)
        head, tail = x.narrow(axis, n - before, before), x.narrow(axis, 0, window - block - before)
        wide = torch.cat([head, x, tail], axis)
        if axis == -1:
            return wide.unfold(-1, window, block) @ matrix
        return matrix.mT @ wide.unfold(-2, window, block).mT

    def _band(self, n: int, block: int, transpose: bool) -> tuple[int, Tensor]:
        """How far a window starts before its block, and the matrix ``(window, block)``."""
        if not hasattr(self, "_bands"):
            self._bands: dict[tuple[int, bool], tuple[int, Tensor]] = {}
        key = (n, transpose)
        if key not in self._bands:
            dense = self._dense(n)
            # rows block by block: the low and high outputs of each block side by side
            half = block // 2
            order = torch.arange(n).view(2, n // block, half).transpose(0, 1).reshape(-1)
            dense = dense[order]
            rows = dense.mT[:block] if transpose else dense[:block]
            columns = rows.abs().sum(0).nonzero().flatten()
            unit = block if transpose else 1  # coefficients come in whole blocks
            places = columns // unit
            places = torch.where(2 * places > n // unit, places - n // unit, places)
            low = min(int(places.min()) * unit, 0)
            high = max((int(places.max()) + 1) * unit, block)
            window = rows[:, torch.arange(low, high) % n]
            self._bands[key] = (-low, window.mT.contiguous())
        return self._bands[key]

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


def level_sizes(image_shape: Shape, levels: int) -> list[tuple[int, int]]:
    """Height and width that each level works on, coarser and coarser, while both are >= 2."""
    h, w = image_shape[-2:]
    sizes = []
    for _ in range(levels):
        if min(h, w) < 2:
            break
        sizes.append((h, w))
        h, w = (h + 1) // 2, (w + 1) // 2
    return sizes
