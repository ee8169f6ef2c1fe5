"""The noise level from patches that lie near a subspace (Chen, Zhu, Heng, ICCV 2015).

Patches of a picture vary in few directions; in all others there is noise alone. Its variance is
that of the smallest eigenvalues of the covariance of patches: the largest are left out until the
mean of the rest is their median. Periodic patterns and pictures whose colours are correlated need
few directions; natural texture needs nearly all.
"""

from __future__ import annotations

import torch
from torch import Tensor

SIDE = 5
MOST = 40_000  # patches used
ENOUGH = 20  # patches needed, per value in a patch


def spread(count: int, most: int, device: torch.device) -> Tensor:
    """At most ``most`` indices below ``count``, evenly spread."""
    size = min(count, most)
    return torch.arange(size, device=device) * (count - 1) // max(size - 1, 1)


def subspace_sigma(y: Tensor) -> float | None:
    """The standard deviation of the noise from the smallest eigenvalues.

    Args:
        y: ``(1, C, H, W)``; all channels of a place are one patch.

    Returns:
        In the units of y; None for pictures that are too small.
    """
    if min(y.shape[-2:]) < SIDE:
        return None
    count = (y.shape[-2] - SIDE + 1) * (y.shape[-1] - SIDE + 1)
    size = y.shape[1] * SIDE**2
    if count < ENOUGH * size:
        return None
    width, side = y.shape[-1] - SIDE + 1, torch.arange(SIDE, device=y.device)
    chosen = spread(count, MOST, y.device)
    rows = (chosen // width)[:, None, None] + side[:, None]
    columns = (chosen % width)[:, None, None] + side
    patches = y[0][:, rows, columns].double().transpose(0, 1).flatten(1)
    # extreme values may be clipped and without noise
    inner = ((patches < y.amax()) & (patches > y.amin())).all(1)
    patches = patches[inner] if int(inner.sum()) >= ENOUGH * size else patches
    patches = patches - patches.mean(0)
    values = torch.linalg.eigvalsh(patches.T @ patches / len(patches)).clamp_min(0)
    for k in range(size, 1, -1):
        mean, rest = values[:k].mean(), values[:k]
        if int((rest < mean).sum()) <= int((rest > mean).sum()):
            return float(mean.sqrt())
    return float(values[0].sqrt())
