"""The noise level of volumes, and of stacks that have one: from some planes, pooled."""

from __future__ import annotations

import copy
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from ipx.files.storage import Storage
from ipx.numerics.tensors import planes
from ipx.parts.noise import Noise

PLANES = 16
"""Planes, evenly spaced, from which the level of a volume or a stack is estimated."""


def estimated(noise: Noise[Any], y: Tensor, known: Tensor | None, storage: Storage) -> Noise[Any]:
    """`Noise.estimated`; the level of a volume is the median of those of some of its planes.

    Args:
        noise: a model without a level.
        y: data ``(B, ...)``, of volumes ``(B, C, D, H, W)``.
        known: boolean mask that broadcasts to y, true where a value was measured.
        storage: how precisely the file of ``y`` stores.
    """
    if y.ndim != 5:
        return noise.estimated(y, known, storage)
    seen = None if known is None else planes(known.expand_as(y[:1]), PLANES).all(0, keepdim=True)
    count = min(y.shape[2], PLANES)
    return pooled(_repeated(noise, count).estimated(planes(y, PLANES), seen, storage), count)


def _repeated(noise: Noise[Any], count: int) -> Noise[Any]:
    """A model of volumes as one of ``count`` planes of each: an offset may differ by volume."""
    return _changed(noise, copy.copy(noise), lambda value: value.repeat_interleave(count))


def pooled(noise: Noise[Any], count: int) -> Noise[Any]:
    """An estimated model whose groups of ``count`` images have one level, the median of theirs.

    What is true of an image of a group is true of the group.
    """

    def one(value: Tensor) -> Tensor:
        groups = value.view(-1, count)
        return groups.any(1) if value.dtype == torch.bool else groups.quantile(0.5, 1)

    found = _changed(noise, noise.taken([0]), one)
    found.remarks, found.about = (), None  # those of single planes, which the median is free of
    return found


def _changed(noise: Noise[Any], made: Noise[Any], change: Callable[[Tensor], Tensor]) -> Noise[Any]:
    """``made`` with those values of ``noise`` that differ by image changed."""
    for name in noise.per_image:
        value = getattr(noise, name, None)
        if isinstance(value, Tensor) and value.ndim and len(value) > 1:
            setattr(made, name, change(value))
    return made
