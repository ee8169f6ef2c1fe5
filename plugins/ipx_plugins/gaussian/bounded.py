"""Noise of bounded size with a least-squares data term: uniform noise and rounding.

The likelihood is 0 outside of an interval around the data. As a data term the interval alone
leaves results near its ends, with a larger mean squared error than the data. The least-squares
term with the same variance, width^2 / 3 and step^2 / 12, does not.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ipx import Storage, per_image
from ipx_plugins.gaussian import QuantisationOptions, UniformOptions
from ipx_plugins.gaussian.noise import White

SAME = 1e-5
"""Values that differ by less are the same level."""


class Uniform(White[UniformOptions]):
    """y = A x + u, u uniform in [-level, level]."""

    simulated, spread = 0.1, 1 / math.sqrt(3)

    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """``clean`` + u, drawn on the CPU; the width is 0.1 by default."""
        width = self.simulated if self.level is None else self.level
        u = torch.rand(clean.shape, generator=generator, dtype=clean.dtype).to(clean.device)
        return clean + per_image(width, clean) * (2 * u - 1)


class Quantisation(White[QuantisationOptions]):
    """y = level round(A x / level)."""

    simulated, spread = 1 / 7, 1 / math.sqrt(12)

    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """``clean`` rounded to multiples of the step, by default 1/7."""
        level = self.simulated if self.level is None else self.level
        step = torch.as_tensor(per_image(level, clean)).to(clean)
        safe = torch.where(step > 0, step, 1.0)
        return torch.where(step > 0, safe * (clean / safe).round(), clean)

    def estimated(
        self, y: Tensor, known: Tensor | None = None, storage: Storage = Storage()
    ) -> Quantisation:
        """This model with the smallest difference of two values of each image as step."""
        if self.level is not None:
            return self
        made = Quantisation(self.options)
        made.level = torch.stack([_step(image) for image in y])
        return made


def _step(image: Tensor) -> Tensor:
    """The smallest difference of two values that differ, 0 if there is none."""
    gaps = image.detach().flatten().sort().values.diff()
    gaps = gaps[gaps > SAME]
    least: Tensor = gaps.min() if len(gaps) else torch.zeros(()).to(image)
    return least
