"""Convolution with a PSF that varies over the picture, given on a grid.

``A x = V sum_k C_k W_k P x``: P is the extension beyond the border, W_k the weight of the PSF k at
the pixel that it spreads, C_k the convolution with it, and V the crop to the data. The weights
interpolate linearly between the middles of the parts of the grid and sum to 1. So each pixel is
spread by the interpolated PSF (efficient filter flow: Hirsch, Sra, Schoelkopf, Harmeling, CVPR
2010, equation 7). W_k vanishes beyond the neighbouring parts, and so C_k is an FFT of these only.
"""

from __future__ import annotations

import math
from functools import cached_property, lru_cache
from pathlib import Path

import numpy as np
import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn import functional

from ipx import InputError, LinearOperator, Shape, ShapeError, Spectral, irfft2, read_array
from ipx_plugins.blur import VaryingBlurOptions
from ipx_plugins.blur.borders import extended, folded

GRID = 5
"""Rows and columns of the grid of simulated PSFs."""

Window = tuple[int, int]
"""The first row or column, and the one behind the last."""


class VaryingBlur(LinearOperator[VaryingBlurOptions]):
    """A x, the same for each channel.

    Args:
        image_shape: ``(C, H, W)``. With boundaries valid and unknown the data are
            ``(C, H - h + 1, W - w + 1)`` for PSFs of ``h x w`` pixels; otherwise they have the
            image's shape.
        options: see `VaryingBlurOptions`.

    Raises:
        ShapeError: the PSFs are larger than the picture, or more than its pixels.
        InputError: the file of the PSFs cannot be used.
    """

    def __init__(
        self, image_shape: Shape, options: VaryingBlurOptions | None = None, **values: object
    ) -> None:
        super().__init__(image_shape, options, **values)
        if len(self.image_shape) != 3:
            raise ShapeError(
                f"varying-blur takes images (C, H, W), not of shape {self.image_shape}"
            )
        channels, height, width = self.image_shape
        self.psfs = psfs_for(self.options)  # (rows, columns, h, w) float64, sums 1
        rows, columns, h, w = self.psfs.shape
        if self.options.open:
            self.data_shape = (channels, height - h + 1, width - w + 1)
        data = self.data_shape[1:]
        if h > height or w > width or rows > data[0] or columns > data[1]:
            raise ShapeError(
                f"{rows} x {columns} PSFs of {h} x {w} pixels are too many or too large for the "
                f"picture of {height} x {width}; take a larger picture"
            )
        self._before = (h - 1 - h // 2, w - 1 - w // 2)
        self._after = (h // 2, w // 2)
        self._full = (data[0] + 2 * h - 2, data[1] + 2 * w - 2)
        self._down = hats(data[0], rows, self._before[0], h)
        self._right = hats(data[1], columns, self._before[1], w)
        self._fft = (
            next_fast_len(max(b - a for a, b in map(_support, self._down)) + h - 1),
            next_fast_len(max(b - a for a, b in map(_support, self._right)) + w - 1, real=True),
        )

    @classmethod
    def image_shape_of(cls, data_shape: Shape, options: VaryingBlurOptions) -> Shape:
        """The data's shape; for boundaries valid and unknown, larger by ``(h - 1, w - 1)``."""
        if not options.open:
            return data_shape
        h, w = psfs_for(options).shape[2:]
        return (*data_shape[:-2], data_shape[-2] + h - 1, data_shape[-1] + w - 1)

    @cached_property
    def _rows(self) -> list[Window]:
        """Of each row of the grid, the rows of pixels where its weights are not 0."""
        return [_support(w) for w in self._down]

    @cached_property
    def _columns(self) -> tuple[list[int], int]:
        """First columns of windows of one width that hold the weights of each column of the grid.

        Equal windows of a row of the grid are transformed together.
        """
        windows = [_support(w) for w in self._right]
        width = max(b - a for a, b in windows)
        return [min(a, self._right.shape[1] - width) for a, _ in windows], width

    def forward(self, x: Tensor) -> Tensor:
        """A x, ``(B, C, H, W)`` to ``(B, *data_shape)``."""
        x = self._extend(x)
        h, w = self.psfs.shape[2:]
        out = x.new_zeros(*x.shape[:-2], *self._full)
        transfer, (starts, width) = self._transfers(x), self._columns
        for i, (top, bottom) in enumerate(self._rows):
            part = _windows(x[..., top:bottom, :], starts, width) * self._weights(i, x)
            spread = irfft2(torch.fft.rfft2(part, s=self._fft) * transfer[i], self._fft)
            for left, one in zip(starts, spread.unbind(-3), strict=True):
                place = out[..., top : bottom + h - 1, left : left + width + w - 1]
                place += one[..., : bottom - top + h - 1, : width + w - 1]
        rows, columns = self.data_shape[-2:]
        return out[..., h - 1 : h - 1 + rows, w - 1 : w - 1 + columns].contiguous()

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y, ``(B, *data_shape)`` to ``(B, C, H, W)``."""
        h, w = self.psfs.shape[2:]
        y = functional.pad(y, (w - 1, w - 1, h - 1, h - 1))
        out = y.new_zeros(*y.shape[:-2], self._full[0] - h + 1, self._full[1] - w + 1)
        transfer, (starts, width) = self._transfers(y), self._columns
        for i, (top, bottom) in enumerate(self._rows):
            part = _windows(y[..., top : bottom + h - 1, :], starts, width + w - 1)
            back = irfft2(torch.fft.rfft2(part, s=self._fft) * transfer[i].conj(), self._fft)
            back = back[..., : bottom - top, :width] * self._weights(i, y)
            for left, one in zip(starts, back.unbind(-3), strict=True):
                place = out[..., top:bottom, left : left + width]
                place += one
        return self._fold(out)

    def _transfers(self, like: Tensor) -> Tensor:
        """Fourier transforms of the PSFs, their first pixel at the origin."""
        return self.buffer("transfers", like, lambda: torch.fft.rfft2(self.psfs, s=self._fft))

    def _weights(self, row: int, like: Tensor) -> Tensor:
        """W_k of a row of the grid on their windows, ``(columns, height, width)``."""

        def make() -> Tensor:
            starts, width = self._columns
            down = self._down[row][slice(*self._rows[row])]
            right = zip(self._right, starts, strict=True)
            return torch.stack([torch.outer(down, r[a : a + width]) for r, a in right])

        return self.buffer(f"weights {row}", like, make)

    def _extend(self, x: Tensor) -> Tensor:
        """P x."""
        return x if self.options.open else extended(x, self._before, self._after, self._border)

    def _fold(self, p: Tensor) -> Tensor:
        """P^T p."""
        return p if self.options.open else folded(p, self._before, self._after, self._border)

    @property
    def _border(self) -> str:
        return self.options.boundary

    def view(self, x: Tensor) -> Tensor:
        """For boundary unknown, the part of the picture that the data show."""
        if self.options.boundary != "unknown":
            return x
        (top, left), (rows, columns) = self._before, self.data_shape[-2:]
        return x[..., top : top + rows, left : left + columns]

    def preview(self, y: Tensor) -> Tensor:
        """The data; for boundaries valid and unknown, with their edge pixels around them."""
        if not self.options.open:
            return y
        (top, left), (bottom, right) = self._before, self._after
        return functional.pad(y, (left, right, top, bottom), mode="replicate")

    def near_dual(self, like: Tensor) -> Spectral | None:
        """The blur of the data with the mean of the PSFs and circular borders."""
        return Spectral("fft", self.buffer("dual", like, self._power))

    def _power(self) -> Tensor:
        """|H|^2 of the mean PSF, on the grid of the data."""
        mean, (rows, columns) = self.psfs.mean((0, 1)), self.data_shape[-2:]
        # a PSF that is larger than the data is cut: this is a preconditioner only
        size = (rows, columns)
        power: Tensor = torch.fft.rfft2(mean, s=size).abs() ** 2
        return power


def hats(data: int, nodes: int, before: int, taps: int) -> Tensor:
    """Weights ``(nodes, data + taps - 1)`` along one axis of the extended picture.

    Node i is in the middle of the i-th of equal parts of the data. The weights are 1 at their node,
    fall to 0 at the next ones, and are constant beyond the first and the last.
    """
    at = (torch.arange(data + taps - 1, dtype=torch.float64) - before + 0.5) * nodes / data - 0.5
    at = at.clamp(0, nodes - 1)
    nearness: Tensor = 1 - (at - torch.arange(nodes, dtype=torch.float64)[:, None]).abs()
    return nearness.clamp_min(0)


def _windows(x: Tensor, starts: list[int], width: int) -> Tensor:
    """Columns from each start on, ``(..., H, W)`` to ``(..., windows, H, width)``."""
    return torch.stack([x[..., a : a + width] for a in starts], -3)


def _support(weight: Tensor) -> Window:
    """Where a weight along one axis is not 0."""
    seen = torch.nonzero(weight)[:, 0]
    return (int(seen[0]), int(seen[-1]) + 1) if len(seen) else (0, 1)


def psfs_for(options: VaryingBlurOptions) -> Tensor:
    """The PSFs ``(rows, columns, h, w)``, float64, each with sum 1.

    Raises:
        InputError: the file cannot be used.
    """
    if options.kernels is not None:
        try:
            stamp = options.kernels.stat().st_mtime_ns
        except OSError:
            raise InputError(f"there is no file of PSFs {options.kernels}") from None
        return _read(options.kernels, stamp)
    reach = math.ceil(4 * max(options.sigma, options.corner))
    x = torch.arange(-reach, reach + 1, dtype=torch.float64)
    place = torch.linspace(-1, 1, GRID, dtype=torch.float64)
    far = torch.hypot(place[:, None], place) / math.sqrt(2)
    sigma = options.sigma + (options.corner - options.sigma) * far
    line = torch.exp(-0.5 * (x / sigma[..., None]) ** 2)
    line = line / line.sum(-1, keepdim=True)
    return line[..., :, None] * line[..., None, :]


@lru_cache(maxsize=4)
def _read(path: Path, stamp: int) -> Tensor:
    """Read, check and normalise; a new ``stamp`` invalidates the cache."""
    values = read_array(path, "PSF").astype(np.float64)
    if values.ndim != 4 or values.size == 0:
        raise InputError(
            f"{path} has shape {values.shape}; PSFs on a grid are (rows, columns, h, w)"
        )
    if not np.isfinite(values).all():
        raise InputError(f"{path} has values that are not finite (NaN or infinity)")
    total = values.sum((2, 3), keepdims=True)
    if (total <= 1e-12 * np.abs(values).sum((2, 3), keepdims=True)).any():
        raise InputError(f"{path}: a PSF sums to {total.min():g}; each sum has to be positive")
    return torch.from_numpy(np.ascontiguousarray(values / total))
