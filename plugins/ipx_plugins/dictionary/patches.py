"""Patches of images without their means, and their weighted sum."""

from __future__ import annotations

import torch
from torch import Tensor


def places(height: int, width: int, side: int, stride: int) -> Tensor:
    """Flat pixel numbers of all patches of an image, ``(N, side^2)``, to its very end."""

    def starts(n: int) -> Tensor:
        at = torch.arange(0, n - side + 1, stride)
        return at if int(at[-1]) == n - side else torch.cat([at, at.new_tensor([n - side])])

    corner = (starts(height)[:, None] * width + starts(width)).reshape(-1, 1)
    i = torch.arange(side)
    return corner + (i[:, None] * width + i).reshape(1, -1)


def centred(patches: Tensor) -> tuple[Tensor, Tensor]:
    """Patches ``(..., n)`` without their means, and the means ``(..., 1)``."""
    mean = patches.mean(-1, keepdim=True)
    return patches - mean, mean


def summed(patches: Tensor, where: Tensor, weight: Tensor, size: int) -> tuple[Tensor, Tensor]:
    """Sums of weighted patches ``(N, n)``, weights ``(N,)``, and of the weights, ``(size,)``."""
    flat, each = where.reshape(-1), weight[:, None].expand_as(patches)
    total = patches.new_zeros(size).index_add(0, flat, (patches * each).reshape(-1))
    return total, patches.new_zeros(size).index_add(0, flat, each.reshape(-1))
