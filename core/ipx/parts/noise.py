"""Noise models and their data terms.

The data term of a problem is ``f(x) = nll(A x, y)``: the negative log-likelihood of the noise, up
to an additive constant and a positive factor that removes the noise level (1/2 |A x - y|^2 for
Gaussian noise of any sigma). The weight ``lam`` of the prior is relative to this f.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from torch import Tensor

from ipx.declare.capabilities import Scalar
from ipx.declare.capability import Returns
from ipx.files.storage import Storage
from ipx.parts.component import Component, O


class Noise(Component[O], ABC):
    """A noise model and its data term.

    ``level`` is its strength in the unit of the model (sigma of a Gaussian, share of wrong pixels,
    ...): a float, one value per image ``(B,)``, or None if unknown. Its initial value is the
    option that `Traits` names in ``level``.

    An estimated model also has ``block``, the side in pixels of blocks whose means have white noise
    (more than 1 where lossy storage removed fine noise), and ``remarks``, sentences for the user
    about an estimate that may be wrong: that of the images where ``about`` ``(B,)`` is true, or of
    all if it is None. ``per_image`` names the attributes that may hold one value per image.
    """

    kind = "noise"
    returns: ClassVar[Mapping[str, Returns]] = {"sample": "like", "nll": "each"}
    per_image: ClassVar[tuple[str, ...]] = ("level",)
    wider: ClassVar[str] = ""
    """What to try where the data cannot be fitted to the noise level, such as a wider model."""

    level: Scalar | None = None
    block: int = 1
    remarks: tuple[str, ...] = ()
    about: Tensor | None = None

    def __init__(self, options: O | None = None, **values: Any) -> None:
        super().__init__(options, **values)
        if self.traits.level:
            self.level = getattr(self.options, self.traits.level)

    @property
    def silent(self) -> bool:
        """True if the level is known to be zero."""
        return isinstance(self.level, (int, float)) and self.level == 0

    @abstractmethod
    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        """Noisy measurements of ``clean`` ``(B, ...)``, not clipped.

        Raises:
            OptionError: no level was given, and the model has no default for simulations.
        """

    @abstractmethod
    def nll(self, pred: Tensor, y: Tensor) -> Tensor:
        """The data term, per image ``(B,)``, convex in ``pred`` and >= 0."""

    @abstractmethod
    def expected(self, y: Tensor, count: Tensor) -> Tensor:
        """The expected value of ``nll(A truth, y)``, ``(B,)``, for ``count`` ``(B,)`` known values.

        It is the target of the discrepancy principle. Needs ``level``.
        """

    @abstractmethod
    def estimated(
        self, y: Tensor, known: Tensor | None = None, storage: Storage = Storage()
    ) -> Noise[O]:
        """This model with its level estimated from ``y``, image by image.

        Args:
            y: data ``(B, C, H, W)``.
            known: boolean mask that broadcasts to y, true where a value was measured.
            storage: how precisely the file of ``y`` stores, in the units of y.
        """

    def taken(self, images: Sequence[int]) -> Self:
        """This model for some images of a batch, by their numbers from 0."""
        some, chosen = copy.copy(self), list(images)
        for name in (*self.per_image, "about"):
            value = getattr(self, name, None)
            if isinstance(value, Tensor) and value.ndim and len(value) > 1:
                setattr(some, name, value[chosen])
        if some.about is not None and not bool(some.about.any()):
            some.remarks = ()
        return some

    def deviation(self, y: Tensor) -> Tensor:
        """Standard deviation of the noise of each value of ``y``, in a shape that broadcasts to it.

        Needs ``level``. By default that of Gaussian noise with the same expected data term, one
        per image.
        """
        count = torch.full_like(y.flatten(1)[:, 0], y[0].numel())
        variance = 2 * self.expected(y, count) / count
        return variance.sqrt().view(-1, *[1] * (y.ndim - 1))

    def bounded(self, quiet: Tensor) -> Noise[O]:
        """This estimated model, with no more noise than ``quiet`` ``(B, M)`` shows.

        These are values that hold hardly any signal, see `ipx.Operator.quiet`. By default itself.
        """
        return self

    def widened(self, error: Tensor) -> Noise[O]:
        """This model with errors of standard deviation ``error`` ``(B,)`` besides.

        They are those of an inexact operator. By default itself. Needs ``level``.
        """
        return self

    def centred(self, y: Tensor) -> Tensor:
        """``y`` without what the noise adds on the average, such as the offset of a camera.

        The data as an image and the start of the iterations are made of it. By default ``y``.
        """
        return y

    def shifted(self, pred: Tensor, y: Tensor) -> tuple[Tensor, Tensor]:
        """``pred`` and ``y`` such that y is distributed about as a Poisson variable of mean pred.

        By default ``pred`` and `centred` ``y``, as for photons without read-out noise.
        """
        return pred, self.centred(y)

    def shown(self, y: Tensor) -> dict[str, float]:
        """Options that ``y`` shows and that were not given, such as an offset; none by default."""
        return {}

    def untold(self, y: Tensor) -> tuple[str, ...]:
        """Sentences for the user about what ``y`` shows and the options do not tell.

        Such as an offset. Of a batch they may be about its first image. By default none.
        """
        return ()

    def cleaned(self, pred: Tensor, y: Tensor) -> Tensor | None:
        """``y`` without what the noise adds besides white noise, for the prediction ``pred``.

        Such as the stripes that are found with the image. None, the default, if there is nothing.
        """
        return None

    def trusted(self, y: Tensor) -> Tensor | None:
        """True for values that the data term uses, shape of ``y``; None, the default, for all.

        The others, such as detected impulses, say nothing; priors fill them in.
        """
        return None

    def scaled(self, by: Tensor) -> Noise[O] | None:
        """This model for data divided by ``by`` ``(B,)``.

        With it data in other units than [0, 1] are brought there. None, the default, says that the
        model belongs to the unit of its data.
        """
        return None

    def curvature(self, y: Tensor) -> Scalar:
        """Lipschitz constant of the gradient of ``nll`` in ``pred``, per image or one for all.

        For models with `NoiseGrad`; 1 by default, as for a quadratic data term.
        """
        return 1.0
