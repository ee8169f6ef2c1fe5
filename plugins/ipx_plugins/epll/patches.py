"""Patches of images, their coordinates without the mean, and their weighted sum."""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from ipx.toolkit import dct_matrix


@lru_cache(maxsize=8)
def basis(side: int) -> Tensor:
    """Orthonormal basis of patches of mean 0: cosines, ``(side^2 - 1, side^2)`` float64."""
    rows = dct_matrix(side)
    return torch.kron(rows, rows)[1:].contiguous()


def starts(length: int, side: int, stride: int) -> Tensor:
    """First pixels of patches along an axis: every ``stride``, and the last patch."""
    last = length - side
    at = torch.arange(0, last + 1, stride)
    return at if int(at[-1]) == last else torch.cat([at, at.new_tensor([last])])


def places(height: int, width: int, side: int, stride: int) -> Tensor:
    """Flat pixel numbers of all patches of an image, ``(N, side^2)``."""
    top, left = starts(height, side, stride), starts(width, side, stride)
    corner = (top[:, None] * width + left).reshape(-1, 1)
    i = torch.arange(side)
    return corner + (i[:, None] * width + i).reshape(1, -1)


def averaged(patches: Tensor, where: Tensor, size: int) -> Tensor:
    """Mean of overlapping patches ``(C, N, side^2)`` at each pixel, ``(C, size)``."""
    flat = where.reshape(-1)
    total = patches.new_zeros(len(patches), size).index_add(1, flat, patches.flatten(1))
    count = patches.new_zeros(size).index_add(0, flat, patches.new_ones(len(flat)))
    return total / count
