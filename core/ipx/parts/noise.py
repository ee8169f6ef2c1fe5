"""Noise models: how measurements scatter about A x, and hence what the data term is.

The data term of a problem is ``f(x) = nll(A x, y)``: the negative log-likelihood of the noise,
up to an additive constant and up to the positive factor that makes it free of the noise level
(1/2 |A x - y|^2 for Gaussian noise of any sigma). The weight ``lam`` of the prior is measured
against this f, the same everywhere.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

import torch
from torch import Tensor

from ipx.declare.capabilities import Scalar
from ipx.parts.component import Component, O


class Noise(Component[O], ABC):
    """A noise model and its data term.

    ``level`` is its strength in the model's own unit (sigma of a Gaussian, share of wrong
    pixels, ...): a float, one value per image ``(B,)``, or None while it is not known. At first
    it is the option that its traits name.
    """

    kind = "noise"
    level: Scalar | None = None

    def __init__(self, options: O | None = None, **values: Any) -> None:
        super().__init__(options, **values)
        if self.traits.level:
            self.level = getattr(self.options, self.traits.level)

    @property
    def silent(self) -> bool:
        """True if the level is known to be zero: the data are free of noise."""
        return isinstance(self.level, (int, float)) and self.level == 0

    @abstractmethod
    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Noisy measurements of ``clean`` ``(B, ...)``; nothing is clipped.

        Raises:
            ipx.errors.OptionError: when the level was not given (there is a documented
                default for simulations, used instead where the model has one).
        """

    @abstractmethod
    def nll(self, pred: Tensor, y: Tensor) -> Tensor:
        """The data term, one number per image ``(B,)``, convex in ``pred`` and >= 0."""

    @abstractmethod
    def expected(self, y: Tensor, count: Tensor) -> Tensor:
        """What ``nll(truth, y)`` is on average, ``(B,)``, for ``count`` ``(B,)`` known values.

        The discrepancy principle chooses lam against this. Needs ``level``.
        """

    @abstractmethod
    def estimated(self, y: Tensor, known: Tensor | None = None) -> Noise[O]:
        """This model with its level estimated from ``y``, image by image.

        Args:
            y: data ``(B, C, H, W)``.
            known: boolean mask that broadcasts to y, true where a measurement exists.
        """

    def curvature(self, y: Tensor) -> Scalar:
        """Lipschitz constant of the gradient of ``nll`` in ``pred``, per image or one for all.

        Only where the model provides ``NoiseGrad``; 1 for a quadratic data term.
        """
        return 1.0
