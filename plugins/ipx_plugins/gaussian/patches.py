"""The noise level from patches that lie near a subspace (Chen, Zhu, Heng, ICCV 2015).

Patches of a picture vary in few directions; in all others there is noise alone. Its variance is
that of the smallest eigenvalues of the covariance of patches: the largest are left out until the
mean of the rest is their median. Periodic patterns and pictures whose colours are correlated need
few directions; natural texture needs nearly all.

The eigenvalues of noise alone are not equal either: for N patches and k eigenvalues the largest
over the smallest is near ((1 + sqrt(k / N)) / (1 - sqrt(k / N)))^2 (Marchenko, Pastur, Math.
USSR-Sbornik 1(4), 1967). Eigenvalues that spread far more hold some of the picture.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

SIDE = 5
MOST = 40_000  # patches used
ENOUGH = 20  # patches needed, per value in a patch
SPREAD = 1.6  # of the log of the eigenvalues over that of noise; overlapping patches have up to 1.1
FREE = 0.4  # least share of the eigenvalues of a precise estimate
MANY = 100  # patches of a precise estimate, per value in a patch: with fewer noise spreads too far


@dataclass(frozen=True)
class Subspace:
    """An estimate.

    Attributes:
        sigma: in the units of the data.
        pure: many eigenvalues are left, which spread like those of noise. The estimate is then
            right to about 1 %, at 96 x 96 pixels.
    """

    sigma: float
    pure: bool


def spread(count: int, most: int, device: torch.device) -> Tensor:
    """At most ``most`` indices below ``count``, evenly spread."""
    size = min(count, most)
    return torch.arange(size, device=device) * (count - 1) // max(size - 1, 1)


def subspace_sigma(y: Tensor) -> Subspace | None:
    """The standard deviation of the noise from the smallest eigenvalues.

    Args:
        y: ``(1, C, H, W)``; all channels of a place are one patch.

    Returns:
        The estimate; None for pictures that are too small.
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
            enough = k >= FREE * size and len(patches) >= MANY * size
            return Subspace(float(mean.sqrt()), enough and _pure(rest, len(patches)))
    return Subspace(float(values[0].sqrt()), False)


def _pure(values: Tensor, patches: int) -> bool:
    """True if the sorted eigenvalues are those of noise alone."""
    edge = (len(values) / patches) ** 0.5
    noise = 2 * math.log((1 + edge) / (1 - edge))
    return float(values[-1]) < float(values[0]) * math.exp(SPREAD * noise)
