"""Convolution with a PSF under six boundary conditions, by one FFT and one inverse FFT.

``A = V C P`` with ``P`` the extension beyond the border, ``C`` the convolution and ``V`` the crop
to the data. ``A^T = P^T C^T V^T``, where ``P^T`` adds the extension back onto the picture. For
circular borders A is diagonal in the Fourier transform. For reflect borders (half-sample symmetric,
``b a | a b c``) and an even PSF, A is diagonal in the DCT-II (Ng, Chan, Tang 1999).
"""

from __future__ import annotations

import math
from dataclasses import replace

import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn import functional

from ipx import LinearOperator, Shape, ShapeError, Spectral, irfft2
from ipx_plugins.blur import BlurOptions
from ipx_plugins.blur.borders import extended, folded
from ipx_plugins.blur.psf import core_of, psf_for

QUIET, FEWEST = 0.05, 150
"""Share of the frequencies that tell the noise, and their least number in all channels."""

REMOVED = 0.03
"""Largest factor of amplitudes that count as removed."""


class Blur(LinearOperator[BlurOptions]):
    """A x = h * x for each channel; h sums to 1 and is centred.

    Args:
        image_shape: ``(C, H, W)``. With boundaries valid and unknown the data are
            ``(C, H - h + 1, W - w + 1)`` for a PSF of ``h x w`` pixels; otherwise they have the
            image's shape.
        options: see `BlurOptions`.

    Raises:
        ShapeError: the PSF is larger than the picture.
        InputError: the PSF file cannot be used.
    """

    def __init__(
        self, image_shape: Shape, options: BlurOptions | None = None, **values: object
    ) -> None:
        super().__init__(image_shape, options, **values)
        if len(self.image_shape) != 3:
            raise ShapeError(f"blur takes images (C, H, W), not of shape {self.image_shape}")
        channels, height, width = self.image_shape
        o = self.options
        self.error = o.error
        limit = None if o.open else min(height, width)
        self.psf = psf_for(o, limit)  # (h, w) float64, sum 1
        h, w = self.psf.shape
        # of an unknown scene the data must show as much as the PSF; of a Gaussian, its core
        seen, least = (height, width), (h, w)
        if o.boundary == "unknown":
            seen, least = (height - h + 1, width - w + 1), core_of(o) or (h, w)
        if least[0] > seen[0] or least[1] > seen[1]:
            raise ShapeError(
                f"the PSF of {h} x {w} pixels is larger than the picture of {seen[0]} x {seen[1]}; "
                "take a smaller PSF"
            )
        # rows and columns of the extension before and after the image
        self._before = (h - 1 - h // 2, w - 1 - w // 2)
        self._after = (h // 2, w // 2)
        if o.open:
            self.data_shape = (channels, height - h + 1, width - w + 1)
        extended = (height, width) if o.open else (height + h - 1, width + w - 1)
        self._extended = extended
        self._fft = (next_fast_len(extended[0]), next_fast_len(extended[1], real=True))
        if o.boundary == "circular":
            self._fft = (height, width)

    @classmethod
    def image_shape_of(cls, data_shape: Shape, options: BlurOptions) -> Shape:
        """The data's shape; for boundaries valid and unknown, larger by ``(h - 1, w - 1)``."""
        if not options.open:
            return data_shape
        h, w = psf_for(options, None).shape
        return (*data_shape[:-2], data_shape[-2] + h - 1, data_shape[-1] + w - 1)

    def _transfer(self, like: Tensor) -> Tensor:
        """Fourier transform of the PSF, its centre (circular) or first pixel at the origin."""

        def make() -> Tensor:
            padded = torch.zeros(self._fft, dtype=torch.float64)
            h, w = self.psf.shape
            padded[:h, :w] = self.psf
            if self.options.boundary == "circular":
                padded = padded.roll((-(h // 2), -(w // 2)), (0, 1))
            transfer: Tensor = torch.fft.rfft2(padded)
            return transfer

        return self.buffer("transfer", like, make)

    def forward(self, x: Tensor) -> Tensor:
        """h * x, ``(B, C, H, W)`` to ``(B, *data_shape)``."""
        transfer, circular = self._transfer(x), self.options.boundary == "circular"
        c = torch.fft.rfft2(x if circular else self._extend(x), s=self._fft)
        out = irfft2(c * transfer, self._fft)
        if circular:
            return out
        (top, left), (rows, columns) = self._first(), self.data_shape[-2:]
        return out[..., top : top + rows, left : left + columns].contiguous()

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y, ``(B, *data_shape)`` to ``(B, C, H, W)``."""
        transfer, circular = self._transfer(y), self.options.boundary == "circular"
        if not circular:
            top, left = self._first()
            y = functional.pad(y, (left, 0, top, 0))
        out = irfft2(torch.fft.rfft2(y, s=self._fft) * transfer.conj(), self._fft)
        if circular:
            return out
        return self._fold(out[..., : self._extended[0], : self._extended[1]])

    def _first(self) -> tuple[int, int]:
        """Index of the first output that uses pixels of the extended picture only."""
        h, w = self.psf.shape
        return h - 1, w - 1

    def _extend(self, x: Tensor) -> Tensor:
        """P x, ``(B, C, *extended)``."""
        if self.options.open:
            return x
        return extended(x, self._before, self._after, self.options.boundary)

    def _fold(self, p: Tensor) -> Tensor:
        """P^T p, ``(B, C, H, W)``."""
        if self.options.open:
            return p.contiguous()
        return folded(p, self._before, self._after, self.options.boundary)

    def spectrum(self, like: Tensor) -> Spectral:
        """Eigenvalues of A^T A: |H|^2 (circular) or the squared cosine transform of h (reflect)."""
        if self.options.boundary == "circular":

            def power() -> Tensor:
                return self._transfer(torch.zeros((), dtype=torch.float64)).abs() ** 2

            return Spectral("fft", self.buffer("gram", like, power))
        return Spectral("dct", self.buffer("gram", like, lambda: self._cosine() ** 2))

    def view(self, x: Tensor) -> Tensor:
        """For boundary unknown, the part of the picture that the data show."""
        return self.sample(x) if self.options.boundary == "unknown" else x

    def dense(self) -> Blur:
        """B of A = S B for boundaries valid and unknown: the blur with another border."""
        return Blur(self.image_shape, replace(self.options, boundary=self.options.fast_boundary))

    def sample(self, w: Tensor) -> Tensor:
        """The values of B x that depend on no border, ``(B, *data_shape)``."""
        (top, left), (rows, columns) = self._before, self.data_shape[-2:]
        return w[..., top : top + rows, left : left + columns]

    def scatter(self, y: Tensor) -> Tensor:
        """The data at their places, zero around them, ``(B, C, H, W)``."""
        (top, left), (bottom, right) = self._before, self._after
        return functional.pad(y, (left, right, top, bottom))

    def part(self, top: int, left: int, height: int, width: int) -> Blur:
        """The same blur and boundary for a window."""
        shape = self.image_shape_of((self.image_shape[0], height, width), self.options)
        return Blur(shape, self.options)

    def near_dual(self, like: Tensor) -> Spectral | None:
        """For boundaries valid and unknown, the blur of the data, with another border."""
        h, w = self.psf.shape
        if not self.options.open or h > like.shape[-2] or w > like.shape[-1]:
            return None
        border = self.options.fast_boundary

        def gram() -> Tensor:
            small = Blur(self.data_shape, replace(self.options, boundary=border))
            return small.spectrum(torch.zeros((), dtype=torch.float64)).gram

        return Spectral("dct" if border == "reflect" else "fft", self.buffer("dual", like, gram))

    def _cosine(self) -> Tensor:
        """Eigenvalues of A in the DCT-II: sum_mn h_mn cos(pi k m / H) cos(pi l n / W)."""

        def waves(n: int, taps: int) -> Tensor:
            k = torch.arange(n, dtype=torch.float64)
            m = torch.arange(taps, dtype=torch.float64) - taps // 2
            return torch.cos(math.pi / n * torch.outer(k, m))

        (height, width), (h, w) = self.image_shape[-2:], self.psf.shape
        return waves(height, h) @ self.psf @ waves(width, w).mT

    def quiet(self, y: Tensor) -> Tensor | None:
        """Frequencies of the tapered data that the blur removes: noise alone, in its unit.

        They are the twentieth of least |H|. None if that is above `REMOVED`, or if they are few.
        A Hann window keeps the borders from leaking into them.
        """
        size = y.shape[-2:]
        gain = torch.fft.fft2(self.psf, s=tuple(size)).abs().flatten()
        count = round(QUIET * gain.numel())
        values, where = gain.topk(count, largest=False)
        if count * y.shape[1] < FEWEST or float(values[-1]) > REMOVED:
            return None
        rows, columns = (torch.hann_window(n, periodic=False).to(y) for n in size)
        taper = rows[:, None] * columns
        c = torch.fft.fft2(taper * (y - y.mean((-2, -1), keepdim=True)), norm="ortho")
        found = c.flatten(2)[..., where.to(y.device)]
        scale = (2 / (taper**2).mean()).sqrt()
        return scale * torch.cat([found.real, found.imag], 1).flatten(1)

    def norm(self) -> float:
        """The largest singular value, exactly."""
        return math.sqrt(float(self.spectrum(torch.zeros((), dtype=torch.float64)).gram.max()))

    def preview(self, y: Tensor) -> Tensor:
        """The data; for boundaries valid and unknown, with their edge pixels around them."""
        if not self.options.open:
            return y
        (top, left), (bottom, right) = self._before, self._after
        return functional.pad(y, (left, right, top, bottom), mode="replicate")
