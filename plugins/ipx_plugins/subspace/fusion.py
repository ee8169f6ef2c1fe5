"""Two instruments see one scene: an imager of few channels, a spectrometer of coarse pixels.

    Y_m = L M(X) + noise,    Y_h = S H(X) + noise

M and H blur each band with its own PSF, L adds up bands to the channels of the imager, S takes the
means of s x s pixels. Borders are circular. In Fourier space a pixel of the spectrum of Y_h sees
the s^2 frequencies that are aliased to it; so A^T A couples these and the bands, nothing else
(Guilloteau et al. 2020). With X = V z, z of k bands, (A^T A + W) z = b is one system of s^2 k
unknowns for each of the H W / s^2 groups of frequencies.
"""

from __future__ import annotations

import math
from typing import Any, TypeVar

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ipx import (
    Adjoint,
    InputError,
    LinearOperator,
    NoOptions,
    NormalSolve,
    Shape,
    ShapeError,
    Spectral,
    Traits,
    irfft2,
    read_array,
)
from ipx_plugins.subspace import FusionOptions, PansharpenOptions

O = TypeVar("O", bound=PansharpenOptions)  # noqa: E741  # the options, as in Operator[O]

AT_ONCE = 2**23
"""Entries of the matrices that are inverted at once."""

KEPT = 2**26
"""Entries of matrices A^T A and of inverses that are kept, 512 MB in single precision."""


def whole_of(half: Tensor, width: int) -> Tensor:
    """The spectrum ``(..., H, W)`` of a real image from its columns ``(..., H, W/2+1)``."""
    rest = half[..., 1 : (width + 1) // 2].flip(-1)
    rest = torch.cat([rest[..., :1, :], rest[..., 1:, :].flip(-2)], -2)
    return torch.cat([half, rest.conj()], -1)


def across(matrix: Tensor, x: Tensor) -> Tensor:
    """A real matrix ``(m, C)`` times the bands of x, ``(B, C, H, W)``, real or complex."""
    if not x.is_complex():
        return torch.einsum("mc,bchw->bmhw", matrix, x)
    parts = torch.einsum("mc,bchwr->bmhwr", matrix, torch.view_as_real(x))
    return torch.view_as_complex(parts.contiguous())


class TwoInstruments(LinearOperator[O]):
    """A x, ``(C, H, W)`` to ``(1, 1, n)``: the imager's data, then the spectrometer's, in a row.

    `split` gives both as images, and `joined` makes data of them.

    Args:
        image_shape: ``(C, H, W)``, H and W multiples of the factor.
        options: those of a subclass.
        basis: V, ``(C, k)``: the operator is then A V on images ``(k, H, W)``; from `turned`.

    Raises:
        ShapeError: the image does not fit the options.
    """

    def __init__(
        self,
        image_shape: Shape,
        options: O | None = None,
        *,
        basis: Tensor | None = None,
        **values: object,
    ) -> None:
        super().__init__(image_shape, options, **values)
        o, s = self.options, self.options.factor
        if len(self.image_shape) != 3:
            raise ShapeError(f"fusion takes images (C, H, W), not of shape {self.image_shape}")
        self.bands = self.image_shape[0] if basis is None else basis.shape[0]
        height, width = self.size = (self.image_shape[1], self.image_shape[2])
        if self.bands != o.bands or self.size != (o.size or (height, height)):
            raise ShapeError(
                f"for an image of {self.bands} bands and {height} x {width} pixels give bands "
                f"{self.bands} and size {height},{width}"
            )
        if height % s or width % s:
            raise ShapeError(f"{height} x {width} pixels are no multiple of the factor {s}")
        self.basis = basis
        self.mixing = self._mixing()  # L, (m, C)
        self.coarse = (height // s, width // s)
        counts = (self.mixing.shape[0] * height * width, self.bands * math.prod(self.coarse))
        self.counts, self.data_shape = counts, (1, 1, sum(counts))

    @classmethod
    def image_shape_of(cls, data_shape: Shape, options: Any) -> Shape:
        """From options ``bands`` and ``size``.

        Raises:
            ShapeError: no image has such data.
        """
        o, count = options, math.prod(data_shape)
        whole = cls.channels_of(o) + o.bands / o.factor**2
        side = round(math.sqrt(count / whole))
        size = o.size or (side, side)
        if round(math.prod(size) * whole) != count:
            raise ShapeError(
                f"{count} numbers are no data of an image of {o.bands} bands and {size[0]} x "
                f"{size[1]} pixels at factor {o.factor}; give bands, size and factor"
            )
        return (o.bands, *size)

    @classmethod
    def channels_of(cls, options: Any) -> int:
        """The channels of the imager."""
        return 1

    def _mixing(self) -> Tensor:
        """L: the means of equal runs of bands, with the weights of the bands."""
        weights = torch.ones(self.bands, dtype=torch.float64)
        if self.options.weights is not None:
            if len(self.options.weights) != self.bands or not any(self.options.weights):
                raise ShapeError(f"{self.bands} bands need {self.bands} weights, not all zero")
            weights = torch.tensor(self.options.weights, dtype=torch.float64)
        m = self.channels_of(self.options)
        if m > self.bands:
            raise ShapeError(f"an imager of {m} channels needs {m} bands, not {self.bands}")
        channel = torch.arange(self.bands) * m // self.bands
        mixing = weights * (channel == torch.arange(m)[:, None])
        return mixing / mixing.sum(1, keepdim=True).clamp_min(1e-12)

    def _sigmas(self) -> tuple[tuple[float, float], tuple[float, float]]:
        """Widths of the PSFs of imager and spectrometer, at the first and at the last band."""
        return (0.0, 0.0), (0.0, 0.0)

    # ------------------------------------------------------------ in Fourier space

    def lines(self, like: Tensor, spectrometer: bool) -> tuple[Tensor, Tensor]:
        """The transfer function of M or H of each band, the outer product of two lines.

        Those of H have the means of s pixels besides, and are complex.

        Returns:
            ``(C, H)`` and ``(C, W)``.
        """

        def line(n: int) -> Tensor:
            name = f"line {n} {spectrometer}"
            return self.buffer(name, like, lambda: self._line(n, spectrometer))

        return line(self.size[0]), line(self.size[1])

    def _line(self, n: int, spectrometer: bool) -> Tensor:
        """That of one axis: a Gaussian whose width is linear in the band, ``(C, n)``."""
        ends, s = self._sigmas()[spectrometer], self.options.factor
        sigma = torch.linspace(*ends, self.bands, dtype=torch.float64)[:, None]
        blur = torch.exp(-2 * (math.pi * sigma * torch.fft.fftfreq(n, dtype=torch.float64)) ** 2)
        if not spectrometer:
            return blur
        box = torch.zeros(n, dtype=torch.float64)
        box[:s] = 1 / s
        blurred: Tensor = blur * torch.fft.fft(box).conj()
        return blurred

    def _seen(self, x: Tensor, spectrometer: bool, back: bool = False) -> Tensor:
        """M or H of a spectrum ``(B, C, H, W/2+1)``, or its adjoint."""
        rows, columns = self.lines(x.real, spectrometer)
        rows, columns = (line.conj() if back else line for line in (rows, columns))
        blurred: Tensor = x * rows[:, :, None]
        return blurred.mul_(columns[:, None, : x.shape[-1]])

    def _mix(self, x: Tensor, back: bool = False) -> Tensor:
        """V x, or V^T x."""
        if self.basis is None:
            return x
        v = self.buffer("basis", x.real, lambda: self.v)
        return across(v.mT if back else v, x)

    def _channels(self, x: Tensor) -> Tensor:
        return self.buffer("mixing", x.real, lambda: self.mixing)

    @property
    def v(self) -> Tensor:
        """V in double precision, ``(C, k)``."""
        assert self.basis is not None
        return self.basis.double().cpu()

    def folded(self, x: Tensor) -> Tensor:
        """``(..., H, W)`` as aliases and groups, ``(..., s, H/s, s, W/s)``."""
        s = self.options.factor
        return x.reshape(*x.shape[:-2], s, self.coarse[0], s, self.coarse[1])

    # ------------------------------------------------------------ A, A^T

    def forward(self, x: Tensor) -> Tensor:
        """Both data in a row, ``(B, 1, 1, n)``."""
        s, spectrum = self.options.factor, self._mix(torch.fft.rfft2(x))
        sharp = across(self._channels(spectrum), self._seen(spectrum, False))
        half, (h, w) = self.size[1] // 2 + 1, self.coarse
        seen = self._seen(spectrum, True).reshape(len(x), -1, s, h, half).sum(2)  # rows aliased
        seen = whole_of(seen, self.size[1]).reshape(len(x), -1, h, s, w).sum(3) / s**2
        few = irfft2(seen[..., : w // 2 + 1], self.coarse)
        return self.joined(irfft2(sharp, self.size), few)

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y, the shape of the image."""
        sharp, few = self.split(y)
        half = self.size[1] // 2 + 1
        alias = torch.arange(half, device=y.device) % self.coarse[1]
        spectrum = torch.fft.fft2(few).repeat(1, 1, self.options.factor, 1)[..., alias]
        back = self._seen(spectrum, True, back=True)
        spread = across(self._channels(back).mT, torch.fft.rfft2(sharp))
        back = self._mix(back + self._seen(spread, False, back=True), back=True)
        return irfft2(back, self.size)

    # ------------------------------------------------------------ the two data

    def joined(self, sharp: Tensor, few: Tensor) -> Tensor:
        """Data ``(B, 1, 1, n)`` of the images ``(B, m, H, W)`` and ``(B, C, H/s, W/s)``."""
        return torch.cat([sharp.flatten(1), few.flatten(1)], 1)[:, None, None]

    def split(self, y: Tensor) -> tuple[Tensor, Tensor]:
        """The images of imager and spectrometer."""
        sharp, few = torch.split(y.flatten(1), list(self.counts), 1)
        return (
            sharp.reshape(y.shape[0], -1, *self.size),
            few.reshape(y.shape[0], -1, *self.coarse),
        )

    def preview(self, y: Tensor) -> Tensor:
        """Bicubic interpolation of the spectrometer's data."""
        few = interpolate(self.split(y)[1], size=self.size, mode="bicubic", align_corners=False)
        return self._mix(few, back=True)

    def spectra(self, y: Tensor) -> Tensor:
        """Those of the spectrometer."""
        return self.split(y)[1].flatten(2)

    def turned(self, basis: Tensor) -> Components:
        """A V."""
        shape = (basis.shape[1], *self.size)
        return Components(type(self)(shape, self.options, basis=basis))


class Components(LinearOperator[NoOptions]):
    """A V on images of few components, with its normal system solved in Fourier space."""

    provides = (Adjoint, NormalSolve)
    traits = Traits(basis="fft")

    def __init__(self, both: TwoInstruments[Any]) -> None:
        super().__init__(both.image_shape)
        self.both, self.data_shape = both, both.data_shape
        # by rows of groups: A^T A; W and the inverse
        self._grams: dict[Any, Tensor] = {}
        self._kept: dict[Any, tuple[Tensor, Tensor]] = {}

    def forward(self, x: Tensor) -> Tensor:
        """Both data in a row, ``(B, 1, 1, n)``."""
        return self.both.forward(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """The components, ``(B, k, H, W)``."""
        return self.both.adjoint(y)

    def preview(self, y: Tensor) -> Tensor:
        """That of both instruments."""
        return self.both.preview(y)

    def solve_normal(self, b: Tensor, weight: Spectral) -> Tensor:
        """x with (A^T A + W) x = b, the same W for each band.

        A^T A and the inverse of A^T A + W are kept for the next b, up to `KEPT` entries.

        Args:
            b: right-hand side.
            weight: W, a multiple of the identity or diagonal in the real FFT.
        """
        w = self.both.folded(self._whole(weight, b))
        right = self.both.folded(torch.fft.fft2(b))[..., : self.half]
        out = torch.empty_like(right)
        rows, n = self.both.coarse[0], self.both.options.factor**2 * b.shape[1]
        step = max(1, AT_ONCE // (n**2 * self.half))
        for top in range(0, rows, step):
            cut = slice(top, top + step)
            for image in range(b.shape[0]):
                one = right[image, :, :, cut].permute(2, 4, 1, 3, 0)
                own = w[min(image, len(w) - 1), :, cut, :, : self.half]
                inverse = self._inverse(b, cut, own, image)
                x = inverse @ one.flatten(2).unsqueeze(-1)
                out[image, :, :, cut] = x.reshape(one.shape).permute(4, 2, 0, 3, 1)
        whole: Tensor = torch.fft.ifft2(self._mirrored(out))
        return whole.real

    @property
    def half(self) -> int:
        """Columns of groups to solve for; the others are conjugate, as images are real."""
        return self.both.coarse[1] // 2 + 1

    def _inverse(self, like: Tensor, cut: slice, own: Tensor, image: int) -> Tensor:
        """(A^T A + W)^-1 of some rows of groups, W ``(s, g, s, half)``."""
        key = (like.dtype, like.device, cut.start, image)
        weights, inverse = self._kept.get(key, (None, None))
        if weights is not None and inverse is not None and torch.equal(weights, own):
            return inverse
        aliases = own.permute(1, 3, 0, 2).flatten(2).repeat_interleave(like.shape[1], -1)
        gram = self._grams.get(key[:3])
        gram = self._gram(like, cut) if gram is None else gram
        system = gram + torch.diag_embed(aliases)
        factor, failed = torch.linalg.cholesky_ex(system)
        definite = not bool(failed.any())  # not to rounding where W is tiny
        found: Tensor = torch.cholesky_inverse(factor) if definite else torch.linalg.inv(system)
        if found[0].numel() * self.both.coarse[0] * (1 + like.shape[0]) <= KEPT:
            self._grams[key[:3]], self._kept[key] = gram, (own.clone(), found)
        return found

    def _mirrored(self, half: Tensor) -> Tensor:
        """The whole spectrum ``(B, k, H, W)`` of a real image from its first columns of groups."""
        height, width = self.both.size
        whole = half.new_zeros(*half.shape[:-1], self.both.coarse[1])
        whole[..., : self.half] = half
        whole = whole.reshape(*half.shape[:2], height, width)
        other = whole.roll((-1, -1), (-2, -1)).flip(-2, -1).conj()  # at minus the frequency
        solved = torch.arange(width, device=half.device) % self.both.coarse[1] < self.half
        return torch.where(solved, whole, other)

    def _gram(self, like: Tensor, cut: slice) -> Tensor:
        """A^T A of some rows of groups, ``(g, half, s^2 k, s^2 k)``: aliases, then bands."""
        v, mixing = self.both.v.to(like), self.both.mixing.to(like)
        q = torch.einsum("mc,ck,gwac->gwamk", mixing, v, self._aliases(like, cut, False))
        h = self._aliases(like, cut, True)
        own = torch.diag_embed((q.mT @ q).movedim(2, -1))  # (g, w, k, k, a, a)
        own = own.permute(0, 1, 4, 2, 5, 3).flatten(4, 5).flatten(2, 3)
        seen = (h.unsqueeze(-1) * v).movedim(3, 2).flatten(3, 4)  # (g, w, C, s^2 k)
        gram: Tensor = own + seen.mH @ seen / self.both.options.factor**2
        return gram

    def _aliases(self, like: Tensor, cut: slice, spectrometer: bool) -> Tensor:
        """The transfer function of M or H at some rows of groups, ``(g, half, s^2, C)``."""
        lines = self.both.lines(like, spectrometer)
        rows, columns = (x.reshape(len(x), self.both.options.factor, -1) for x in lines)
        rows, columns = rows[..., cut].permute(2, 1, 0), columns[..., : self.half].permute(2, 1, 0)
        both: Tensor = rows[:, None, :, None] * columns[:, None]
        return both.flatten(2, 3)

    def _whole(self, weight: Spectral, like: Tensor) -> Tensor:
        """Eigenvalues of W on all frequencies, ``(B or 1, H, W)``."""
        half = weight.within("fft").gram + like.new_zeros(1, 1, 1, self.both.size[1] // 2 + 1)
        if weight.scalar:
            return half[:, 0, :1, :1].expand(-1, *self.both.size)
        half = half + like.new_zeros(1, 1, self.both.size[0], 1)
        return whole_of(half, self.both.size[1])[:, 0]


class Pansharpen(TwoInstruments[PansharpenOptions]):
    """A panchromatic imager, and no blur but the coarse pixels of the other."""


class Fusion(TwoInstruments[FusionOptions]):
    """Several channels of the imager, and PSFs whose width depends on the band."""

    @classmethod
    def channels_of(cls, options: Any) -> int:
        """Option ``channels``, or the rows of the file of responses."""
        return options.channels if options.responses is None else len(_responses(options))

    def _mixing(self) -> Tensor:
        """L, from the file if there is one."""
        if self.options.responses is None:
            return super()._mixing()
        found = _responses(self.options)
        if found.shape[1] != self.bands:
            raise ShapeError(
                f"{self.options.responses} has the responses of {found.shape[1]} bands, the image "
                f"has {self.bands}"
            )
        return torch.from_numpy(found)

    def _sigmas(self) -> tuple[tuple[float, float], tuple[float, float]]:
        return self.options.imager_sigma, self.options.spectrometer_sigma


def _responses(options: FusionOptions) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    """The file of responses, ``(m, C)``."""
    assert options.responses is not None
    found = read_array(options.responses, "responses").astype(np.float64)
    if found.ndim != 2 or not np.isfinite(found).all() or not found.any():
        raise InputError(f"{options.responses}: responses are numbers (channels, bands)")
    return found
