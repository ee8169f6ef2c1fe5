"""White noise with a least-squares data term: Gaussian, y = A x + sigma n, and its base."""

from __future__ import annotations

from typing import Self, TypeVar

import torch
from torch import Tensor

from ipx import Noise, Options, Scalar, Storage, image_sum, per_image
from ipx_plugins.gaussian import GaussianOptions
from ipx_plugins.gaussian.details import MAD
from ipx_plugins.gaussian.level import AGREE, noise_level

_O = TypeVar("_O", bound=Options)

FEW = 1000
"""Values of which neither the noise level nor the weight can be told surely."""


class White(Noise[_O]):
    """f = 1/2 |pred - y|^2; the standard deviation of the noise is ``level`` times `spread`."""

    per_image = ("level", "missing")
    simulated = 0.02
    spread = 1.0
    doubted: float | None = None
    """The largest estimate of the level, if that is another one than was taken."""
    missing: Tensor | None = None
    """Images that lack a part of their noise, ``(B,)``; None for none.

    It is cut off at an end of the range, or storage has removed some frequencies.
    """

    def nll(self, pred: Tensor, y: Tensor) -> Tensor:
        """1/2 |pred - y|^2 per image, ``(B,)``."""
        return 0.5 * image_sum((pred - y) ** 2)

    def grad(self, pred: Tensor, y: Tensor) -> Tensor:
        """pred - y."""
        return pred - y

    def prox(self, v: Tensor, y: Tensor, t: Scalar) -> Tensor:
        """(v + t y) / (1 + t)."""
        step = per_image(t, v)
        return (v + step * y) / (1 + step)

    def expected(self, y: Tensor, count: Tensor) -> Tensor:
        """count sigma^2 / 2, ``(B,)``; an unknown sigma is estimated from y."""
        level = self.level if self.level is not None else self.estimated(y).level
        assert level is not None
        return 0.5 * count * (self.spread * per_image(level, count)) ** 2

    def estimated(
        self, y: Tensor, known: Tensor | None = None, storage: Storage = Storage()
    ) -> Self:
        """This model with sigma from `noise_level`, ``(B,)``, unless the level is given."""
        if self.level is not None:
            return self
        made = type(self)(self.options)
        found = noise_level(y, known, storage.errors)
        sigma = torch.tensor([f.sigma for f in found], dtype=y.dtype, device=y.device)
        made.level = sigma / self.spread
        made.block = max(f.block for f in found)
        made.missing = torch.tensor([f.cut or f.lossy for f in found], device=y.device)
        made.about = torch.tensor([f.others is not None for f in found], device=y.device)
        for f in found:
            if f.others is not None and made.doubted is None:
                made.doubted, made.remarks = f.others, self._disagree(f.others, f.sigma)
        count = y[0].numel() if known is None else int(known.expand_as(y[:1]).sum())
        if count < FEW and not made.remarks:
            made.remarks = (
                f"the noise level is estimated from {count} values, and may be far off; give the "
                f"option {self.traits.level} of the noise",
            )
            made.about = None
        return made

    def _disagree(self, more: float, less: float) -> tuple[str, ...]:
        return (
            f"estimates of the noise level disagree ({more:.3g} and {less:.3g}): the smaller one "
            f"is taken; give the option {self.traits.level} of the noise for another",
        )

    def bounded(self, quiet: Tensor) -> Self:
        """This model with the level of ``quiet``, from its median, where that is much smaller."""
        level = quiet.abs().median(1).values / (MAD * self.spread)
        told = torch.as_tensor(self.level, dtype=level.dtype, device=level.device)
        least = level < AGREE * told
        if self.missing is not None:  # it may be missing there, too
            least = least & ~self.missing
        if not bool(least.any()):
            return self
        made = type(self)(self.options)
        made.level, made.block = torch.where(least, level, told), self.block
        made.doubted, made.remarks, made.about = self.doubted, self.remarks, self.about
        if self.doubted is not None:
            made.remarks = self._disagree(self.doubted, float(made.level.amin()))
        return made

    def widened(self, error: Tensor) -> Self:
        """This model with sigma and ``error`` added in quadrature."""
        made = type(self)(self.options)
        told = torch.as_tensor(self.level, dtype=error.dtype, device=error.device)
        made.level, made.block = torch.hypot(told, error / self.spread), self.block
        made.remarks, made.about = self.remarks, self.about
        return made

    def scaled(self, by: Tensor) -> Self:
        """This model with the level divided by ``by``; unknown and zero stay."""
        if self.level is None or self.silent:
            return self
        made = type(self)(self.options)
        made.level, made.block = self.level / by, self.block
        return made


class Gaussian(White[GaussianOptions]):
    """``level`` is sigma, in the unit of the intensities; f is -log p times sigma^2."""

    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """``clean`` + sigma n; n is drawn on the CPU, and sigma is 0.02 by default."""
        sigma = self.simulated if self.level is None else self.level
        normal = torch.randn(clean.shape, generator=generator, dtype=clean.dtype)
        return clean + per_image(sigma, clean) * normal.to(clean.device)
