"""Data in physical units, divided by their largest value for the restoration.

Thresholds, schedules and learned priors are made for images in [0, 1]. Data whose unit is far from
that lose 10 dB and more without it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from ipx.files.affine import DIM, IDENTITY_HIGH
from ipx.files.storage import Storage
from ipx.numerics.tensors import image_norm, per_image
from ipx.parts.linear import LinearOperator
from ipx.parts.noise import Noise
from ipx.parts.operator import Operator

USUAL = 0.99
"""Share of the values of an image that have to be large for another unit: few may be outliers."""

BLOCK = 8
"""Side of the blocks whose means tell large values from noise."""

FIT = 0.5
"""Largest misfit of the preview, as a share of the data, that tells the unit of the image."""


@dataclass(frozen=True)
class Units:
    """The unit of each image of a batch.

    Attributes:
        by: data and image are divided by it, ``(B,)``; 1 where they are near [0, 1].
    """

    by: Tensor

    @property
    def other(self) -> bool:
        """True if an image has another unit."""
        return bool((self.by != 1).any())

    @property
    def remarks(self) -> tuple[str, ...]:
        """What the user is told, one line at most."""
        if not self.other:
            return ()
        by = ", ".join(f"{v:.3g}" for v in self.by.tolist())
        return (f"the data are divided by {by} for the restoration; lam is for these values",)

    def divided(self, x: Tensor) -> Tensor:
        """Data or images ``(B, ...)`` divided by the unit."""
        return x / per_image(self.by, x) if self.other else x

    def restored(self, x: Tensor) -> Tensor:
        """Images in the unit of the data again."""
        return x * per_image(self.by, x) if self.other else x

    def storage(self, storage: Storage) -> Storage:
        """That of the divided values; for a batch by the largest unit."""
        return storage.divided(float(self.by.amax()))

    def noise(self, noise: Noise[Any]) -> Noise[Any]:
        """The noise model of the divided data."""
        made = noise.scaled(self.by) if self.other else noise
        assert made is not None
        return made

    def level(self, noise: Noise[Any]) -> Noise[Any]:
        """The noise model of the data, of that of the divided ones."""
        made = noise.scaled(1 / self.by) if self.other else noise
        assert made is not None
        return made


def units_of(y: Tensor, operator: Operator[Any], noise: Noise[Any], scalable: bool) -> Units:
    """The unit of each image, told from its preview.

    It is the largest value of an image that stays below `DIM`, or of which 1 % exceed
    `IDENTITY_HIGH`, in means over blocks as well: noise that was projected back does not. It is 1
    for all images unless data in another unit are the same problem: the operator is linear,
    `ipx.Noise.scaled` knows the noise, and the caller says that the prior is ``scalable``.
    """
    one = torch.ones(y.shape[0], dtype=y.dtype, device=y.device)
    if not _scales(one, operator, noise, scalable):
        return Units(one)
    with torch.no_grad():
        y = noise.centred(y)
        preview = operator.preview(y)
        largest = preview.abs().flatten(1).amax(1)
        high = (_usual(preview) > IDENTITY_HIGH) & (_usual(_blocks(preview)) > IDENTITY_HIGH)
        far = (largest > 0) & ((largest < DIM) | high)
        if not bool(far.any()):
            return Units(one)
        # the preview of some operators has no unit, such as that of random projections
        far &= image_norm(operator.forward(preview) - y) <= FIT * image_norm(y)
        return Units(torch.where(far, largest, one))


def _usual(x: Tensor) -> Tensor:
    """What 1 % of the sizes of an image exceed, ``(B,)``."""
    size = x.abs().flatten(1)
    return size.kthvalue(math.ceil(USUAL * size.shape[1]), 1).values


def _blocks(x: Tensor) -> Tensor:
    """Means over blocks of `BLOCK` x `BLOCK` pixels."""
    planes = x.flatten(1, -3)
    return functional.avg_pool2d(planes, min(BLOCK, *planes.shape[-2:]))


def units_told(
    by: float, y: Tensor, operator: Operator[Any], noise: Noise[Any], scalable: bool
) -> Units:
    """The unit ``by`` of each image, or 1 unless data in another unit are the same problem."""
    one = torch.ones(y.shape[0], dtype=y.dtype, device=y.device)
    return Units(by * one if _scales(one, operator, noise, scalable) else one)


def _scales(one: Tensor, operator: Operator[Any], noise: Noise[Any], scalable: bool) -> bool:
    linear = isinstance(operator, LinearOperator)
    return scalable and linear and noise.scaled(one) is not None
