"""Filter and decimate, A = S H: every ``s``-th pixel of a circular convolution.

In the Fourier domain decimation sums groups of ``s^2`` aliased frequencies, so ``A^T A`` couples
only these. In each group it is ``a a^H``, with ``a_l`` the conjugate of the filter's response at
alias ``l``, over ``s``. The normal equations decouple into small systems ``(W + a a^H) x = b``, W
diagonal, which have a closed-form solution (Zhao et al. 2016).
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ipx import LinearOperator, PlanError, Shape, ShapeError, Spectral, irfft2
from ipx_plugins.super_resolution import SuperResolutionOptions
from ipx_plugins.super_resolution.aliases import Aliases


class _Taps(NamedTuple):
    """A filter along one axis: coarse pixel i is sum_j weights[j] x[i s + first + j]."""

    weights: Tensor
    first: int


class SuperResolution(LinearOperator[SuperResolutionOptions]):
    """A x = S H x for each channel, with periodic borders; a constant is preserved.

    Coarse pixels are centred on their ``s x s`` blocks. ``mean`` is exactly the block average and
    independent of the border. ``gaussian`` is truncated at 4 sigma. ``bicubic`` is Keys' kernel
    (IEEE Trans. ASSP 29(6), 1981, a = -1/2), stretched by the factor.

    Args:
        image_shape: ``(C, H, W)``, H and W multiples of the factor; the data are
            ``(C, H/s, W/s)``.
        options: see `SuperResolutionOptions`.

    Raises:
        ShapeError: H or W is no multiple of the factor.
    """

    def __init__(
        self, image_shape: Shape, options: SuperResolutionOptions | None = None, **values: object
    ) -> None:
        super().__init__(image_shape, options, **values)
        s = self.options.factor
        if len(self.image_shape) != 3:
            raise ShapeError(
                f"super-resolution takes images (C, H, W), not of shape {self.image_shape}"
            )
        channels, height, width = self.image_shape
        if height % s or width % s:
            near = f"{max(s, height - height % s)} x {max(s, width - width % s)}"
            raise ShapeError(
                f"super-resolution by {s} needs height and width that are multiples of {s}, "
                f"not {height} x {width}; crop to {near}"
            )
        self.data_shape = (channels, height // s, width // s)
        self._taps = tuple(_wrapped(_taps(self.options), n) for n in (height, width))
        self._aliases = Aliases(height, width, s)

    @classmethod
    def image_shape_of(cls, data_shape: Shape, options: SuperResolutionOptions) -> Shape:
        """Height and width times the factor."""
        s = options.factor
        return (*data_shape[:-2], data_shape[-2] * s, data_shape[-1] * s)

    def forward(self, x: Tensor) -> Tensor:
        """S H x, ``(B, C, H, W)`` to ``(B, C, H/s, W/s)``."""
        s = self.options.factor
        if self.options.filter == "mean":
            return functional.avg_pool2d(x, s)
        for axis in (0, 1):
            x = self._decimate(x, axis)
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        """H^T S^T y, ``(B, C, H/s, W/s)`` to ``(B, C, H, W)``."""
        s = self.options.factor
        if self.options.filter == "mean":
            return functional.interpolate(y / s**2, scale_factor=s, mode="nearest")
        for axis in (1, 0):
            y = self._spread(y, axis)
        return y

    def part(self, top: int, left: int, height: int, width: int) -> SuperResolution:
        """The same filter and factor for a window, whose border is periodic as well."""
        shape = (self.image_shape[0], height, width)
        return SuperResolution(self.image_shape_of(shape, self.options), self.options)

    def _line(self, like: Tensor, axis: int) -> Tensor:
        """The filter of one axis as a weight ``(1, 1, taps, 1)`` or ``(1, 1, 1, taps)``."""
        weights = self.buffer(f"taps{axis}", like, lambda: self._taps[axis].weights)
        return weights.view(1, 1, -1, 1) if axis == 0 else weights.view(1, 1, 1, -1)

    def _decimate(self, x: Tensor, axis: int) -> Tensor:
        """Filter one image axis, then keep every s-th value."""
        s, dim = self.options.factor, axis - 2
        taps, n = self._taps[axis], x.shape[dim]
        x = x.roll(-taps.first, dim) if taps.first else x
        more = len(taps.weights) - s
        x = torch.cat([x, x.narrow(dim, 0, more)], dim) if more > 0 else x
        images = x.reshape(-1, 1, *x.shape[-2:])
        stride = (s, 1) if axis == 0 else (1, s)
        out = functional.conv2d(images, self._line(x, axis), stride=stride)
        return out.narrow(dim, 0, n // s).reshape(*x.shape[:-2], *out.shape[-2:])

    def _spread(self, y: Tensor, axis: int) -> Tensor:
        """The transpose of `_decimate`."""
        s, dim = self.options.factor, axis - 2
        taps, n = self._taps[axis], y.shape[dim] * s
        images = y.reshape(-1, 1, *y.shape[-2:])
        stride = (s, 1) if axis == 0 else (1, s)
        long = functional.conv_transpose2d(images, self._line(y, axis), stride=stride)
        out = long.narrow(dim, 0, n).clone()
        more = long.shape[dim] - n
        if more > 0:
            out.narrow(dim, 0, more).add_(long.narrow(dim, n, more))
        out = out.roll(taps.first, dim) if taps.first else out
        return out.reshape(*y.shape[:-2], *out.shape[-2:])

    def _response(self) -> Tensor:
        """``a`` of every alias group, complex128, ``(s^2, H/s, W/(2s)+1)``."""
        h: list[Tensor] = []
        for taps, n in zip(self._taps, self.image_shape[-2:], strict=True):
            line = torch.zeros(n, dtype=torch.float64)
            line[: len(taps.weights)] = taps.weights
            h.append(torch.fft.fft(line.roll(taps.first)))  # conjugate of the filter's response
        response = h[0][:, None] * h[1][: self.image_shape[-1] // 2 + 1]
        return self._aliases.gather(response) / self.options.factor

    def _coarse_gram(self, like: Tensor) -> Tensor:
        """Eigenvalues of A A^T, a circular filter of the coarse grid, ``(H/s, W/(2s)+1)``."""
        return self.buffer("coarse", like, lambda: (self._response().abs() ** 2).sum(0))

    def norm(self) -> float:
        """The largest singular value, exactly; 1/s for the block mean."""
        coarse = self._coarse_gram(torch.zeros((), dtype=torch.float64))
        return math.sqrt(float(coarse.max()))

    def solve_normal(self, b: Tensor, weight: Spectral) -> Tensor:
        """x with (A^T A + W) x = b, ``(B, C, H, W)``.

        Args:
            b: right-hand side.
            weight: W, a multiple of the identity or diagonal in the real FFT; > 0, or 0 only at
                the lowest frequency of a group (for a gradient: the mean).

        Raises:
            PlanError: W is diagonal in another transform.
        """
        if weight.scalar:
            return self._solve_identity(b, weight.gram)
        weight = weight.within("fft")
        if weight.basis != "fft":
            raise PlanError(
                f"super-resolution solves with weights diagonal in the FFT, not the {weight.basis}"
            )
        return self._solve_fourier(b, weight.gram)

    def _solve_identity(self, b: Tensor, rho: Tensor) -> Tensor:
        """W = rho I: x = (b - A^T (rho I + A A^T)^-1 A b) / rho (Woodbury), on the coarse grid."""
        r = self.forward(b)
        if self.options.filter == "mean":  # A A^T = I / s^2
            t = r / (rho + 1 / self.options.factor**2)
        else:
            size = (r.shape[-2], r.shape[-1])
            t = irfft2(torch.fft.rfft2(r) / (rho + self._coarse_gram(b)), size)
        return (b - self.adjoint(t)) / rho

    def _solve_fourier(self, b: Tensor, gram: Tensor) -> Tensor:
        """W diagonal in Fourier: the rank-one systems of the alias groups.

        The member of lowest frequency (index 0) is eliminated last, so that its weight may be
        zero. With ``c = a^H x``, ``x_l = (b_l - a_l c) / w_l`` for l > 0, and with
        ``beta = sum_l>0 conj(a_l) b_l / w_l``, ``tau = 1 + sum_l>0 |a_l|^2 / w_l``,
        ``x_0 = (b_0 tau - a_0 beta) / (|a_0|^2 + w_0 tau)``, ``c = (conj(a_0) x_0 + beta) / tau``.
        """
        size = (b.shape[-2], b.shape[-1])
        a = self.buffer("response", b, self._response)
        bs = self._aliases.gather(torch.fft.rfft2(b))
        half = gram.new_zeros((size[0], size[1] // 2 + 1))
        w = self._aliases.gather((gram + half).to(b.dtype))
        tiny = torch.finfo(b.dtype).eps * w.amax((-3, -2, -1), keepdim=True)
        w0, ws = w[..., 0, :, :], torch.maximum(w[..., 1:, :, :], tiny)
        a0, al, b0, bl = a[0], a[1:], bs[..., 0, :, :], bs[..., 1:, :, :]
        ratio = al.conj() / ws
        beta = (ratio * bl).sum(-3)
        tau = 1 + (ratio * al).real.sum(-3)
        x0 = (b0 * tau - a0 * beta) / ((a0 * a0.conj()).real + w0 * tau)
        c = (a0.conj() * x0 + beta) / tau
        rest = (bl - al * c.unsqueeze(-3)) / ws
        x = self._aliases.scatter(torch.cat([x0.unsqueeze(-3), rest], -3))
        return irfft2(x, size)

    def preview(self, y: Tensor) -> Tensor:
        """`interpolated`."""
        return self.interpolated(y)

    def interpolated(self, y: Tensor) -> Tensor:
        """Bicubic interpolation, with coarse pixels at the centres of their blocks."""
        return functional.interpolate(
            y, scale_factor=self.options.factor, mode="bicubic", align_corners=False
        )


def _taps(options: SuperResolutionOptions) -> _Taps:
    """The filter, with sum 1, centred on the middle (s - 1) / 2 of a block."""
    s, middle = options.factor, (options.factor - 1) / 2
    if options.filter == "mean":
        return _Taps(torch.full((s,), 1 / s, dtype=torch.float64), 0)
    sigma = options.sigma if options.sigma is not None else 0.4 * s
    reach = max(4 * sigma, middle) if options.filter == "gaussian" else 2.0 * s  # a whole block
    first = math.ceil(middle - reach)
    x = torch.arange(first, math.floor(middle + reach) + 1, dtype=torch.float64) - middle
    if options.filter == "gaussian":
        weights = torch.exp(-0.5 * (x / sigma) ** 2)
    else:
        t = x.abs() / s
        near = (1.5 * t - 2.5) * t * t + 1
        far = ((-0.5 * t + 2.5) * t - 4) * t + 2
        weights = torch.where(t <= 1, near, torch.where(t < 2, far, torch.zeros_like(t)))
    return _Taps(weights / weights.sum(), first)


def _wrapped(taps: _Taps, n: int) -> _Taps:
    """The filter on a periodic axis of n pixels: taps beyond n are wrapped around and added."""
    if len(taps.weights) <= n:
        return _Taps(taps.weights, taps.first)
    weights = torch.zeros(n, dtype=torch.float64)
    weights.index_add_(0, torch.arange(len(taps.weights)) % n, taps.weights)
    return _Taps(weights, taps.first)
