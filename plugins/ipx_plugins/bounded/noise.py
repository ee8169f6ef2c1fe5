"""Noise of bounded size: the data are known up to an interval.

The data term is the distance of the prediction from the interval, |pred - P(pred)|_1 with P the
projection. It is an exact penalty: with a small weight of the prior its minimiser is within the
interval, as if the data term were infinite outside (Nocedal, Wright, Numerical Optimization,
theorem 17.3). Its proximal map is the projection wherever the distance is at most t.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import Tensor
from torch.nn import functional

from ipx import InputError, Noise, Options, Scalar, column, image_sum, per_image, vector
from ipx_plugins.bounded import QuantisationOptions, UniformOptions

_O = TypeVar("_O", bound=Options)
_FEWEST = 1e-5  # values closer than this are the same level


class _Interval(Noise[_O]):
    """f = sum of max(|pred - y| - r, 0), r = `radius`."""

    usual = 0.1  # level in simulations
    moment = 3.0  # level^2 over the variance

    def radius(self, y: Tensor) -> Scalar:
        """Half the width of the interval, to broadcast against y."""
        raise NotImplementedError

    def _level(self) -> Scalar:
        return self.usual if self.level is None else self.level

    def nll(self, pred: Tensor, y: Tensor) -> Tensor:
        """The distance from the interval per image, ``(B,)``."""
        return image_sum(((pred - y).abs() - self.radius(y)).clamp_min(0.0))

    def prox(self, v: Tensor, y: Tensor, t: Scalar) -> Tensor:
        """v moved towards the interval by at most t."""
        away = v - y
        over = (away.abs() - self.radius(y)).clamp_min(0.0)
        step = torch.as_tensor(per_image(t, v), dtype=v.dtype, device=v.device)
        return v - away.sign() * torch.minimum(over, step)

    def expected(self, y: Tensor, count: Tensor) -> Tensor:
        """0: the truth is within the interval, or nearly so."""
        return torch.zeros_like(count)

    def deviation(self, y: Tensor) -> Tensor:
        """That of a uniform variable, one per image."""
        each: Tensor = column(vector(self._level(), y), y) / self.moment**0.5
        return each


class Uniform(_Interval[UniformOptions]):
    """y = x + u, u uniform in [-level, level]."""

    def radius(self, y: Tensor) -> Scalar:
        """level."""
        return per_image(self._level(), y)

    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """``clean`` with noise drawn on the CPU; its width is 0.1 by default."""
        u = torch.rand(clean.shape, generator=generator, dtype=clean.dtype).to(clean.device)
        return clean + per_image(self._level(), clean) * (2 * u - 1)

    def estimated(
        self, y: Tensor, known: Tensor | None = None, floor: Sequence[float] = ()
    ) -> Uniform:
        """This model with the width sqrt(3) sigma, sigma from the median of the finest details."""
        if self.level is not None:
            return self
        made = Uniform(self.options)
        made.level = math.sqrt(3) * _deviation(y, known)
        return made

    def scaled(self, by: Tensor) -> Uniform:
        """This model with the width divided by ``by``."""
        made = Uniform(self.options)
        made.level = None if self.level is None else self.level / by
        return made


class Quantisation(_Interval[QuantisationOptions]):
    """y = level round(x / level)."""

    usual = 1 / 7
    moment = 12.0

    def radius(self, y: Tensor) -> Scalar:
        """narrow x level."""
        return per_image(self._level(), y) * self.options.narrow

    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """``clean`` rounded to multiples of the step, by default 1/7."""
        step = torch.as_tensor(per_image(self._level(), clean)).to(clean)
        safe = torch.where(step > 0, step, 1.0)
        return torch.where(step > 0, safe * (clean / safe).round(), clean)

    def estimated(
        self, y: Tensor, known: Tensor | None = None, floor: Sequence[float] = ()
    ) -> Quantisation:
        """This model with the smallest difference of two values of each image as step."""
        if self.level is not None:
            return self
        made = Quantisation(self.options)
        made.level = torch.stack([_step(image) for image in y])
        return made

    def scaled(self, by: Tensor) -> Quantisation:
        """This model with the step divided by ``by``."""
        made = Quantisation(self.options)
        made.level = None if self.level is None else self.level / by
        return made


def _step(image: Tensor) -> Tensor:
    """The smallest difference of two values that differ, 0 if there is none."""
    gaps = image.detach().flatten().sort().values.diff()
    gaps = gaps[gaps > _FEWEST]
    least: Tensor = gaps.min() if len(gaps) else torch.zeros(()).to(image)
    return least


def _deviation(y: Tensor, known: Tensor | None) -> Tensor:
    """Standard deviation of white noise, ``(B,)``, from differences of differences of neighbours.

    (a - b - c + d) / 2 of 2 x 2 values; of data that are no pictures (a - b) / sqrt(2) of two.
    """
    picture = y if y.ndim == 4 else y.reshape(y.shape[0], 1, 1, -1)
    kernel = [[0.5, -0.5], [-0.5, 0.5]] if picture.shape[-2] > 1 else [[0.5**0.5, -(0.5**0.5)]]
    weight = torch.tensor(kernel)[None, None].to(y)
    if min(picture.shape[-1], picture.shape[-2]) < 1 or picture.shape[-1] < 2:
        raise InputError("the noise level cannot be estimated: no two neighbouring values; give it")
    mask = torch.ones_like(picture) if known is None else known.expand_as(y).reshape(picture.shape)
    found = []
    for image, seen in zip(picture, mask.to(y.dtype), strict=True):
        detail = functional.conv2d(image[:, None], weight).abs()
        whole = functional.conv2d(seen[:, None], torch.ones_like(weight)) > weight.numel() - 0.5
        if not bool(whole.any()):
            raise InputError(
                "the noise level cannot be estimated: no neighbouring values are known; give it"
            )
        found.append(detail[whole].median() / 0.6745)
    return torch.stack(found).detach()
