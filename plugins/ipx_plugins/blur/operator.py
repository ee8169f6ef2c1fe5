"""Convolution with a PSF under six boundary conditions, by one FFT and one inverse FFT.

``A = V C P`` with ``P`` the extension beyond the border, ``C`` the convolution and ``V`` the crop
to the data. ``A^T = P^T C^T V^T``, where ``P^T`` adds the extension back onto the picture. For
circular borders A is diagonal in the Fourier transform. For reflect borders (half-sample symmetric,
``b a | a b c``) and an even PSF, A is diagonal in the DCT-II (Ng, Chan, Tang 1999).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from scipy.fft import next_fast_len
from torch import Tensor
from torch.nn import functional

from ipx import LinearOperator, Shape, ShapeError, Spectral, irfftn
from ipx_plugins.blur import BlurOptions
from ipx_plugins.blur.borders import extended, folded
from ipx_plugins.blur.psf import core_of, off_centre, psf_for

QUIET, FEWEST = 0.05, 150
"""Share of the frequencies that tell the noise, and their least number in all channels."""

MIDDLE = 512
"""Side of the part of large data in which they are looked for."""

LOSS = 0.01
"""Largest distance of |A| to its bound."""

CROPPED = 0.9
"""Least share of a PSF that its middle has to hold for the rest to be cropped."""

REMOVED = 0.03
"""Largest factor of amplitudes that count as removed."""


class Blur(LinearOperator[BlurOptions]):
    """A x = h * x for each channel; h sums to 1 and is centred.

    Args:
        image_shape: ``(C, H, W)``, or ``(C, D, H, W)`` of volumes. With boundaries valid and
            unknown the data are ``(C, H - h + 1, W - w + 1)`` for a PSF of ``h x w`` pixels, and
            likewise in depth; otherwise they have the image's shape.
        options: see `BlurOptions`.

    Raises:
        ShapeError: the PSF is larger than the picture.
        InputError: the PSF file cannot be used.
    """

    def __init__(
        self, image_shape: Shape, options: BlurOptions | None = None, **values: object
    ) -> None:
        super().__init__(image_shape, options, **values)
        if len(self.image_shape) not in (3, 4):
            raise ShapeError(
                f"blur takes images (C, H, W) or volumes (C, D, H, W), not of shape "
                f"{self.image_shape}"
            )
        channels, *size = self.image_shape
        o = self.options
        self.error = o.error
        self.psf = self.psf_of(o, None if o.open else size, len(size))  # float64, sum 1
        sides = tuple(self.psf.shape)
        # of an unknown scene the data must show as much as the PSF; of a Gaussian, its core
        seen, least = tuple(size), sides
        if o.boundary == "unknown":
            seen = tuple(n - k + 1 for n, k in zip(size, sides, strict=True))
            least = self.core_of(o, len(size)) or sides
        if any(k > n for k, n in zip(least, seen, strict=True)):
            raise ShapeError(
                f"the PSF of {_product(sides)} pixels is larger than the picture of "
                f"{_product(seen)}; {_cure(self.psf, seen)}"
            )
        # rows and columns of the extension before and after the image
        self._before = tuple(k - 1 - k // 2 for k in sides)
        self._after = tuple(k // 2 for k in sides)
        if o.open:
            data = (n - k + 1 for n, k in zip(size, sides, strict=True))
            self.data_shape = (channels, *data)
        extended = (n + (0 if o.open else k - 1) for n, k in zip(size, sides, strict=True))
        self._extended = tuple(extended)
        if o.boundary == "circular":
            self._fft = tuple(size)
        else:
            *others, last = self._extended
            if o.boundary == "zero":  # zeros beyond one end of an axis stand for both
                *others, last = (n + k // 2 for n, k in zip(size, sides, strict=True))
            self._fft = (*map(next_fast_len, others), next_fast_len(last, real=True))
        self._centred = o.boundary in ("circular", "zero")
        self._dims = tuple(range(-len(size), 0))

    def doubts(self) -> tuple[str, ...]:
        """A measured PSF that lies off the middle of its array."""
        measured = isinstance(self.options, BlurOptions) and self.options.free
        away = off_centre(self.psf) if measured else None
        if away is None:
            return ()
        told = ", ".join(f"{d:+.1f}" for d in away)
        axes = "depth, rows and columns" if len(away) == 3 else "rows and columns"
        return (
            f"the PSF lies off the middle of its array, by {told} pixels in {axes}: the result is "
            "displaced by as much the other way; move the PSF to the middle",
        )

    @classmethod
    def image_shape_of(cls, data_shape: Shape, options: BlurOptions) -> Shape:
        """The data's shape; for boundaries valid and unknown, larger by ``(h - 1, w - 1)``."""
        if not options.open:
            return data_shape
        channels, *size = data_shape
        sides = cls.psf_of(options, None, len(size)).shape
        return (channels, *(n + k - 1 for n, k in zip(size, sides, strict=True)))

    @classmethod
    def psf_of(cls, options: BlurOptions, size: Sequence[int] | None, dims: int) -> Tensor:
        """The PSF, see `psf_for`."""
        return psf_for(options, size, dims)

    @classmethod
    def core_of(cls, options: BlurOptions, dims: int) -> Shape | None:
        """What the PSF may be cut to; None for all of it."""
        return core_of(options, dims)

    def _transfer(self, like: Tensor) -> Tensor:
        """Fourier transform of the PSF: its first pixel at the origin, if `_centred` its centre."""
        return self.buffer("transfer", like, self._exact_transfer)

    def _exact_transfer(self) -> Tensor:
        """`_transfer` in double precision."""
        padded = torch.zeros(self._fft, dtype=torch.float64)
        sides = self.psf.shape
        padded[tuple(slice(k) for k in sides)] = self.psf
        if self._centred:
            padded = padded.roll([-(k // 2) for k in sides], self._dims)
        transfer: Tensor = torch.fft.rfftn(padded)
        return transfer

    def forward(self, x: Tensor) -> Tensor:
        """h * x, ``(B, C, H, W)`` to ``(B, *data_shape)``."""
        c = torch.fft.rfftn(self._extend(x), s=self._fft, dim=self._dims)
        out = irfftn(c.mul_(self._transfer(x)), self._fft)
        if self.options.boundary == "circular":
            return out
        # the outputs that use the extended picture only
        first = [0 if self._centred else k - 1 for k in self.psf.shape]
        return self._cut(out, first, self.data_shape[1:]).contiguous()

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y, ``(B, *data_shape)`` to ``(B, C, H, W)``."""
        transfer, origin = self._transfer(y), [0] * len(self._dims)
        if not self._centred:
            y = functional.pad(y, _around([k - 1 for k in self.psf.shape]))
        c = torch.fft.rfftn(y, s=self._fft, dim=self._dims)
        out = irfftn(c.mul_(transfer.conj()), self._fft)
        if self._centred:
            return self._cut(out, origin, self.image_shape[1:]).contiguous()
        return self._fold(self._cut(out, origin, self._extended))

    @staticmethod
    def _cut(x: Tensor, first: Sequence[int], size: Sequence[int]) -> Tensor:
        """The part of this size from these indices on."""
        where: Any = (..., *(slice(i, i + n) for i, n in zip(first, size, strict=True)))
        return x[where]

    def _extend(self, x: Tensor) -> Tensor:
        """P x, ``(B, C, *extended)``; circular and zero borders need none."""
        if self.options.open or self._centred:
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
            power = self.buffer("gram", like, lambda: self._exact_transfer().abs() ** 2)
            return Spectral("fft", power)
        return Spectral("dct", self.buffer("gram", like, lambda: self._cosine() ** 2))

    def view(self, x: Tensor) -> Tensor:
        """For boundary unknown, the part of the picture that the data show."""
        return self.sample(x) if self.options.boundary == "unknown" else x

    def dense(self) -> Blur:
        """B of A = S B for boundaries valid and unknown: the blur with another border."""
        return type(self)(
            self.image_shape, replace(self.options, boundary=self.options.fast_boundary)
        )

    def sample(self, w: Tensor) -> Tensor:
        """The values of B x that depend on no border, ``(B, *data_shape)``."""
        return self._cut(w, self._before, self.data_shape[1:])

    def scatter(self, y: Tensor) -> Tensor:
        """The data at their places, zero around them, ``(B, C, H, W)``."""
        return functional.pad(y, _around(self._before, self._after))

    def part(self, top: int, left: int, height: int, width: int) -> Blur:
        """The same blur and boundary for a window, of all depths."""
        shape = self.image_shape_of((*self.data_shape[:-2], height, width), self.options)
        return type(self)(shape, self.options)

    def near_dual(self, like: Tensor) -> Spectral | None:
        """For boundaries valid and unknown, the blur of the data, with another border."""
        large = any(k > n for k, n in zip(self.psf.shape, like.shape[2:], strict=True))
        if not self.options.open or large:
            return None
        border = self.options.fast_boundary

        def gram() -> Tensor:
            small = type(self)(self.data_shape, replace(self.options, boundary=border))
            return small.spectrum(torch.zeros((), dtype=torch.float64)).gram

        return Spectral("dct" if border == "reflect" else "fft", self.buffer("dual", like, gram))

    def _cosine(self) -> Tensor:
        """Eigenvalues of A in the DCT-II: sum_mn h_mn cos(pi k m / H) cos(pi l n / W)."""

        def waves(n: int, taps: int) -> Tensor:
            k = torch.arange(n, dtype=torch.float64)
            m = torch.arange(taps, dtype=torch.float64) - taps // 2
            return torch.cos(math.pi / n * torch.outer(k, m))

        out = self.psf
        for n in self.image_shape[1:]:  # each axis in turn goes from the first place to the last
            out = torch.tensordot(out, waves(n, out.shape[0]), ([0], [1]))
        return out

    def quiet(self, y: Tensor) -> Tensor | None:
        """Frequencies of the data that the blur removes: noise alone, in its unit.

        They are the twentieth of least |H|, in the middle of large data. None if that is above
        `REMOVED`, or if they are few. A Hann window keeps the borders from leaking into them.
        """
        for axis in self._dims:
            length = min(y.shape[axis], MIDDLE)
            y = y.narrow(axis, (y.shape[axis] - length) // 2, length)
        size = tuple(y.shape[2:])
        gain = torch.fft.fftn(self.psf, s=size).abs().flatten()
        count = round(QUIET * gain.numel())
        larger = any(k > n for k, n in zip(self.psf.shape, size, strict=True))
        if larger or count * y.shape[1] < FEWEST:
            return None
        values, where = gain.topk(count, largest=False)
        if float(values[-1]) > REMOVED:
            return None
        taper = torch.ones((), dtype=y.dtype, device=y.device)
        for n in size:
            taper = taper[..., None] * torch.hann_window(n, periodic=False).to(y)
        middle = y - y.mean(self._dims, keepdim=True)
        c = torch.fft.fftn(taper * middle, dim=self._dims, norm="ortho")
        found = c.flatten(2)[..., where.to(y.device)]
        scale = (2 / (taper**2).mean()).sqrt()
        return scale * torch.cat([found.real, found.imag], 1).flatten(1)

    def norm(self) -> float:
        """The largest singular value, exactly."""
        circular = self.options.boundary == "circular"
        return float((self._exact_transfer() if circular else self._cosine()).abs().max())

    def bound(self) -> float | None:
        """1, the sum of a PSF without negative values, where |A| is within 1 % of it.

        Along an axis of n pixels a half-wave over the data, which vanishes at its ends, loses at
        most ``(pi s / n)^2 / 2`` by the blur, s^2 the second moment of the PSF about its centre,
        and ``2 pi^2 (s / n)^3`` of its energy to what lies beyond the border.
        """
        if self.options.boundary not in ("zero", "valid", "unknown") or bool((self.psf < 0).any()):
            return None
        loss = 0.0
        for axis, n in enumerate(self.data_shape[1:]):
            k = self.psf.shape[axis]
            along = self.psf.movedim(axis, 0).flatten(1).sum(1)
            place = torch.arange(k, dtype=torch.float64) - k // 2
            share = math.sqrt(float(along @ place**2)) / n
            loss += 0.5 * (math.pi * share) ** 2 + 2 * math.pi**2 * share**3
        return 1.0 if loss < LOSS else None

    def preview(self, y: Tensor) -> Tensor:
        """The data; for boundaries valid and unknown, with their edge pixels around them."""
        if not self.options.open:
            return y
        return functional.pad(y, _around(self._before, self._after), mode="replicate")


def _cure(psf: Tensor, size: Sequence[int]) -> str:
    """What to do about a PSF that is larger than the picture: often its rim is dark."""
    fits = [min(k, n - 1 + n % 2) for k, n in zip(psf.shape, size, strict=True)]
    middle = tuple(
        slice(k // 2 - f // 2, k // 2 + f // 2 + 1) for k, f in zip(psf.shape, fits, strict=True)
    )
    share = float(psf[middle].sum() / psf.sum())
    return (
        f"crop the file to its middle {_product(fits)} pixels, which hold {100 * share:.3g} % of it"
        if share > CROPPED
        else f"take a smaller PSF, of {_product(fits)} pixels at most"
    )


def _product(sizes: Sequence[int]) -> str:
    return " x ".join(map(str, sizes))


def _around(before: Sequence[int], after: Sequence[int] | None = None) -> list[int]:
    """Padding as `torch.nn.functional.pad` takes it, by default before the image only."""
    pairs = zip(before, [0] * len(before) if after is None else after, strict=True)
    return [n for pair in reversed([*pairs]) for n in pair]
