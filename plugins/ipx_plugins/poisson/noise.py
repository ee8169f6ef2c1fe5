"""Poisson noise, y = Poisson(peak A x) / peak + offset, alone and with read-out noise.

The data term is the Kullback-Leibler divergence, the negative log-likelihood over peak,

    g(p) = p - y + y log(y / p),     g'(p) = 1 - y / p,     g''(p) = y / p^2,

which is undefined at p <= 0 and has unbounded curvature. Below ``eps``, a tenth of a photon, g is
continued by a parabola of the same value and slope and of curvature ``max(y, eps) / eps^2``. So g
is finite and convex with a Lipschitz gradient for every p, and its minimum stays at p = y >= 0.
Where y >= eps the parabola is the second-order Taylor polynomial and g is twice differentiable.
Where y < eps a constant is subtracted, so that the minimum is always 0: dark pixels, and missing
ones, which are 0 in y and in the prediction, contribute nothing.

The offset, a pedestal that the camera adds to the counts, is subtracted from y first. y below it
(read-out noise, subtracted background) counts as 0, as no photon count explains it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from typing import TypeVar, cast

import torch
from torch import Tensor
from torch.nn import functional

from ipx import Noise, Options, Scalar, Storage, image_sum, per_image
from ipx_plugins.poisson import PoissonGaussianOptions, PoissonOptions
from ipx_plugins.poisson.anscombe import inverse_anscombe
from ipx_plugins.poisson.level import hardly_grows, pedestal, photon_level

_P = TypeVar("_P", bound=Options)
_PEAK, _SIGMA = 100.0, 0.01  # in simulations
_CONSTANT = (
    "the noise hardly grows with the brightness here, so that its level in photons is uncertain, "
    "as of small or dim pictures: give --noise.peak, or restore the planes of a volume together, "
    "as one file with --axes ZYX"
)
_LEAST_PHOTON = 0.1
_FEW = 20.0  # photons; above, the expansion in 1 / mean is exact to 1e-3
_ANSCOMBE = 0.375
_PLANES = 16  # of a volume, evenly spaced, tell its offset
_BLOCK = 1 << 22  # values worked on at once: each takes ten times its memory


def _sums(work: Callable[..., Tensor], *values: Tensor) -> Tensor:
    """The sums of ``work(*values)``, value by value, of each image: ``(B,)``."""
    return torch.stack([image_sum(work(*block)) for block in _blocks(*values)]).sum(0)


def _blocks(*values: Tensor) -> Iterable[tuple[Tensor, ...]]:
    """Arrays ``(B, ...)`` in blocks ``(B, n)``, so that temporaries stay small."""
    each = max(1, _BLOCK // len(values[0]))
    return zip(*(torch.split(v.flatten(1), each, 1) for v in values), strict=True)


def _is_map(value: object) -> bool:
    """True for numbers that are not one, or one per image."""
    return isinstance(value, Tensor) and value.ndim > 1


def _divergence(mean: Tensor) -> Tensor:
    """E [K log(K / mean) - K + mean] for a Poisson variable K; 1/2 for many photons."""
    nodes = torch.logspace(-4, math.log10(_FEW), 200, dtype=torch.float64)
    k = torch.arange(80, dtype=torch.float64)
    chance = torch.exp(torch.xlogy(k, nodes[:, None]) - nodes[:, None] - torch.lgamma(k + 1))
    loss = torch.xlogy(k, k / nodes[:, None]) - k + nodes[:, None]
    table = (chance * loss).sum(1).to(mean)
    place = (torch.log10(mean.clamp(1e-4, _FEW)) + 4) / (4 + math.log10(_FEW)) * (len(nodes) - 1)
    low = place.long().clamp(0, len(nodes) - 2)
    some = torch.lerp(table[low], table[low + 1], place - low)
    many = 0.5 + 1 / (12 * mean.clamp_min(1.0))
    return torch.where(mean < _FEW, some * (mean / 1e-4).clamp_max(1.0), many)


def _local(y: Tensor) -> Tensor:
    """The mean over 5 x 5 values of pictures and planes of volumes; other data as they are."""
    if y.ndim == 5:
        return _local(y.flatten(1, 2)).view_as(y)
    return functional.avg_pool2d(y, 5, 1, 2, count_include_pad=False) if y.ndim == 4 else y


class _Photons(Noise[_P]):
    """Base of both models: the divergence of y - offset + c from pred + c, c = peak sigma^2.

    ``level`` is peak, in photons at intensity 1, once peak and sigma are known.
    """

    per_image = ("level", "peak", "sigma", "offset")
    peak: Scalar | None = None
    sigma: Scalar | None = 0.0  # of the read-out noise
    offset: Scalar = 0.0

    def centred(self, y: Tensor) -> Tensor:
        """y without the offset."""
        none = not isinstance(self.offset, Tensor) and self.offset == 0
        return y if none else y - per_image(self.offset, y)

    def shifted(self, pred: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """pred + c and y - offset + c."""
        c = self._shift(y)
        return pred + c, self.centred(y) + c

    def shown(self, y: Tensor) -> dict[str, float]:
        """The offset of the first image, where none was given."""
        if isinstance(self.offset, Tensor) or self.offset != 0 or y.ndim not in (4, 5):
            return {}
        first = y[:1].detach()
        if y.ndim == 5:
            first = first[0].transpose(0, 1)[:: -(-y.shape[2] // _PLANES)]
        found = pedestal(first)
        return {} if found is None else {"offset": float(f"{found:.3g}")}

    def untold(self, y: Tensor) -> tuple[str, ...]:
        """An offset that the first image shows and nobody has told."""
        return tuple(
            f"no value is below {float(y[:1].amin()):.3g}, and the noise vanishes near {found:g} "
            f"in place of 0: if that is what the camera adds to the counts, tell it: "
            f"--noise.offset {found:g}"
            for found in self.shown(y).values()
        )

    def _shift(self, like: Tensor) -> Scalar:
        """c = peak sigma^2."""
        return per_image(self._peak(), like) * per_image(self._read_out(), like) ** 2

    def _peak(self) -> Scalar:
        return _PEAK if self.peak is None else self.peak

    def _read_out(self) -> Scalar:
        return _SIGMA if self.sigma is None else self.sigma

    @property
    def _mapped(self) -> bool:
        """True if a level is told value by value, so that data cannot be cut into blocks."""
        return any(_is_map(each) for each in (self.offset, self._peak(), self._read_out()))

    def _parts(self, pred: Tensor, y: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """``pred`` and the counted ``y`` shifted by c, and eps, which broadcasts against y."""
        eps = torch.as_tensor(_LEAST_PHOTON / per_image(self._peak(), y), dtype=y.dtype)
        pred, y = self.shifted(pred, y)
        return pred, y.clamp_min(0.0), eps.to(y.device)

    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Poisson(peak clean) / peak + sigma n + offset, drawn on the CPU.

        Negative intensities give no photons. By default peak is 100 and sigma 0.01.
        """
        peak = per_image(self._peak(), clean)
        rate = (clean.clamp_min(0.0) * peak).cpu()
        y = torch.poisson(rate, generator=generator).to(clean.device) / peak
        if self.sigma is None or isinstance(self.sigma, Tensor) or self.sigma > 0:
            normal = torch.randn(clean.shape, generator=generator, dtype=clean.dtype)
            y = y + per_image(self._read_out(), clean) * normal.to(clean.device)
        return y + per_image(self.offset, clean)

    def nll(self, pred: Tensor, y: Tensor) -> Tensor:
        """The sum of g per image, ``(B,)``."""
        return image_sum(self._losses(pred, y)) if self._mapped else _sums(self._losses, pred, y)

    def _losses(self, pred: Tensor, y: Tensor) -> Tensor:
        """g of each value."""
        p, y, eps = self._parts(pred, y)
        q = torch.maximum(p, eps)
        below = p - q  # <= 0
        value = q - y + y * torch.log(torch.where(y > 0, y, torch.ones_like(y)) / q)
        bend = torch.maximum(y, eps) / eps**2
        r = (y / eps).clamp_max(1.0)
        least = eps * (0.5 * (1 - r**2) + torch.xlogy(r, r))
        return value + (1 - y / q) * below + 0.5 * bend * below**2 - least

    def grad(self, pred: Tensor, y: Tensor) -> Tensor:
        """g'(pred), shape of y."""
        p, y, eps = self._parts(pred, y)
        q = torch.maximum(p, eps)
        return 1 - y / q + torch.maximum(y, eps) / eps**2 * (p - q)

    def prox(self, v: Tensor, y: Tensor, t: Scalar) -> Tensor:
        """argmin_p g(p) + (p - v)^2 / (2 t).

        The positive root of ``p^2 + (t - v) p - t y = 0`` where that is at least eps, else the
        minimum of the parabola.
        """
        if v.numel() <= _BLOCK or self._mapped or _is_map(t):
            return self._near(v, y, t)
        found = [self._near(part, data, t) for part, data in _blocks(v, y)]
        return torch.cat(found, 1).view_as(v)

    def _near(self, v: Tensor, y: Tensor, t: Scalar) -> Tensor:
        """`prox` of some values."""
        u, z, eps = self._parts(v, y)
        step = torch.as_tensor(per_image(t, v), dtype=v.dtype, device=v.device)
        gap = u - step
        root = torch.sqrt(gap**2 + 4 * step * z)
        # the form of the root without cancellation, for each sign of the gap
        small = 2 * step * z / torch.where(gap < 0, root - gap, torch.ones_like(gap))
        upper = torch.where(gap < 0, small, 0.5 * (gap + root))
        bend = torch.maximum(z, eps) / eps**2
        lower = (u / step + bend * eps - 1 + z / eps) / (bend + 1 / step)
        return torch.where(upper >= eps, upper, lower) - self._shift(v)

    def expected(self, y: Tensor, count: Tensor) -> Tensor:
        """About count / (2 peak), ``(B,)``; less for few photons.

        It is the expectation of g for Poisson variables with the local means of the data.
        """
        made = self if self.level is not None else cast("_Photons[_P]", self.estimated(y))
        _, counted, _ = made._parts(y, y)
        photons = _local(counted) * per_image(made._peak(), y)
        each = _sums(_divergence, photons) / photons[0].numel()
        return count * each / per_image(made._peak(), count)

    def deviation(self, y: Tensor) -> Tensor:
        """sqrt(p / peak) with p the local mean of the data and of the read-out noise."""
        made = self if self.level is not None else cast("_Photons[_P]", self.estimated(y))
        _, counted, eps = made._parts(y, y)
        return (torch.maximum(_local(counted), eps) / per_image(made._peak(), y)).sqrt()

    def stabilised(self, y: Tensor) -> tuple[Tensor, Scalar]:
        """2 sqrt(n + 3/8 + c) over its value at intensity 1, n and c the data and shift in photons.

        Anscombe's transform, generalised to read-out noise (Starck, Murtagh, Bijaoui 1998).
        """
        peak, most = per_image(self._peak(), y), self._brightest(y)
        photons = (self.centred(y) + self._shift(y)) * peak
        level = torch.as_tensor(1 / most, dtype=y.dtype).flatten()
        return 2 * (photons + _ANSCOMBE).clamp_min(0.0).sqrt() / most, level

    def recovered(self, z: Tensor) -> Tensor:
        """The intensity whose mean of the transform is z, by `inverse_anscombe`."""
        photons = inverse_anscombe(z * self._brightest(z))
        return photons / per_image(self._peak(), z) - self._shift(z)

    def _brightest(self, like: Tensor) -> Tensor:
        """The transform of intensity 1."""
        peak = torch.as_tensor(per_image(self._peak(), like), dtype=like.dtype)
        return 2 * (peak * (1 + self._shift(like)) + _ANSCOMBE).sqrt()

    def curvature(self, y: Tensor) -> Scalar:
        """max(y, eps) / eps^2, the curvature of the parabola, per image ``(B,)``."""
        _, z, eps = self._parts(y, y)
        bend: Tensor = (torch.maximum(z, eps) / eps**2).flatten(1).amax(1)
        return bend


class Poisson(_Photons[PoissonOptions]):
    """Poisson noise; ``level`` is peak, the photons at intensity 1."""

    wider = "noise poisson-gaussian, which knows the read-out noise of a camera"

    def __init__(self, options: PoissonOptions | None = None, **values: object) -> None:
        super().__init__(options, **values)
        self.peak, self.offset = self.level, self.options.offset

    def estimated(
        self, y: Tensor, known: Tensor | None = None, storage: Storage = Storage()
    ) -> Poisson:
        """This model with peak from `photon_level`, ``(B,)``, unless it is given."""
        if self.level is not None:
            return self
        made = Poisson(self.options)
        made.offset = self.offset
        made.peak, _ = photon_level(self.centred(y), known, None, 0.0)
        made.level = made.peak
        return made

    def scaled(self, by: Tensor) -> Poisson:
        """This model with peak times ``by`` and the offset divided by it."""
        made = Poisson(self.options)
        made.offset = self.offset / by
        made.peak = made.level = None if self.peak is None else self.peak * by
        return made


class PoissonGaussian(_Photons[PoissonGaussianOptions]):
    """Poisson and read-out noise, y = Poisson(peak A x) / peak + sigma n.

    An approximation: ``peak (y + peak sigma^2)`` has mean and variance ``peak (A x + peak
    sigma^2)``, like a Poisson variable, and is treated as one (Snyder et al. 1993).
    ``level`` is peak, and None until both peak and sigma are known.
    """

    def __init__(self, options: PoissonGaussianOptions | None = None, **values: object) -> None:
        super().__init__(options, **values)
        self.peak, self.sigma = self.options.peak, self.options.sigma
        self.level, self.offset = None if self.sigma is None else self.peak, self.options.offset

    def estimated(
        self, y: Tensor, known: Tensor | None = None, storage: Storage = Storage()
    ) -> PoissonGaussian:
        """This model with peak and sigma from `photon_level` where they are not given."""
        if self.level is not None:
            return self
        made = PoissonGaussian(self.options)
        made.offset = self.offset
        made.peak, made.sigma = photon_level(self.centred(y), known, self.peak, self.sigma)
        made.level = made.peak
        if self.peak is None:
            made.about = hardly_grows(self.centred(y), made.peak, made.sigma)
            made.remarks = (_CONSTANT,) if bool(made.about.any()) else ()
        return made

    def scaled(self, by: Tensor) -> PoissonGaussian:
        """This model with peak times ``by``, sigma and the offset divided by it."""
        made = PoissonGaussian(self.options)
        made.offset = self.offset / by
        made.peak = None if self.peak is None else self.peak * by
        made.sigma = None if self.sigma is None else self.sigma / by
        made.level = None if made.sigma is None else made.peak
        return made
