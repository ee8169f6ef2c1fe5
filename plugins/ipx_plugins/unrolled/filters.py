"""A bank of learned filters, and learned shrinkage curves."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from ipx import LinearOperator, NoOptions, Scalar, Shape, Spectral, Traits, irfft2
from ipx.toolkit import dct_matrix


class Bank(LinearOperator[NoOptions]):
    """K x = (d_1 * x, ..., d_L * x), circular convolutions of each channel.

    Args:
        image_shape: ``(C, H, W)``; K x has shape ``(C L, H, W)``.
        filters: ``(L, f, f)``, f no larger than the picture.
    """

    traits = Traits(basis="fft")

    def __init__(self, image_shape: Shape, filters: Tensor) -> None:
        super().__init__(image_shape)
        self.filters = filters
        channels, height, width = self.image_shape
        self.data_shape = (channels * len(filters), height, width)

    def _response(self, like: Tensor) -> Tensor:
        """Fourier transforms of the filters, ``(L, H, W//2+1)``."""
        height, width = self.image_shape[1:]
        side = self.filters.shape[-1]
        wide = self.filters.to(like).new_zeros(len(self.filters), height, width)
        wide[:, :side, :side] = self.filters.to(like)
        response: Tensor = torch.fft.rfft2(wide.roll((-(side // 2), -(side // 2)), (1, 2)))
        return response

    def forward(self, x: Tensor) -> Tensor:
        """K x, ``(B, C L, H, W)``."""
        spectrum = torch.fft.rfft2(x)[:, :, None] * self._response(x)
        return irfft2(spectrum, (x.shape[-2], x.shape[-1])).flatten(1, 2)

    def adjoint(self, y: Tensor) -> Tensor:
        """K^T y, ``(B, C, H, W)``."""
        split = torch.fft.rfft2(split_up(y, len(self.filters)))
        total = (split * self._response(y).conj()).sum(2)
        return irfft2(total, (y.shape[-2], y.shape[-1]))

    def spectrum(self, like: Tensor) -> Spectral:
        """Eigenvalues of K^T K."""
        response = self._response(like)
        return Spectral("fft", (response.real**2 + response.imag**2).sum(0))

    def norm(self) -> float:
        """The largest singular value."""
        with torch.no_grad():
            return math.sqrt(float(self.spectrum(self.filters).gram.max()))


class Curves(nn.Module):
    """A shrinkage curve for each of L filters: soft thresholding plus a learned correction.

    The correction is linear between control points on [-1, 1] (Yang et al. 2016, section 3.1) and
    constant beyond. Before training it is zero, and the curve is the prox of t |.|_1 for every t.
    """

    def __init__(self, count: int, points: int) -> None:
        super().__init__()
        self.values = nn.Parameter(torch.zeros(count, points))

    def forward(self, u: Tensor, t: Scalar) -> Tensor:
        """``(B, C L, H, W)`` to the same shape; ``t`` is one or per image."""
        v = split_up(u, len(self.values))
        threshold = torch.as_tensor(t, dtype=v.dtype, device=v.device).reshape(-1, 1, 1, 1, 1)
        soft = v - torch.minimum(torch.maximum(v, -threshold), threshold)
        last = self.values.shape[1] - 1
        place = (v.clamp(-1, 1) + 1) * (last / 2)
        left = place.detach().floor().clamp(max=last - 1)
        share = place - left
        row = torch.arange(len(self.values), device=v.device).view(-1, 1, 1) * (last + 1)
        index = left.long() + row
        table = self.values.to(v.dtype).flatten()
        bent = soft + torch.lerp(table[index], table[index + 1], share)
        return bent.flatten(1, 2)


def split_up(x: Tensor, count: int) -> Tensor:
    """``(B, C L, H, W)`` as ``(B, C, L, H, W)``, L = ``count``."""
    return x.reshape(x.shape[0], -1, count, *x.shape[2:])


def cosines(side: int) -> Tensor:
    """The ``side^2`` filters of the two-dimensional DCT, of norm 1, ``(side^2, side, side)``."""
    waves = dct_matrix(side)
    return torch.einsum("ka,lb->klab", waves, waves).flatten(0, 1).float()
