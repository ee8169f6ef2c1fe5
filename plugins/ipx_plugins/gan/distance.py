"""Sliced Wasserstein distance between two sets of pictures, over scales (Karras et al., 2018).

As in "Progressive growing of GANs", section 5, with two changes. Patches come from block averages
instead of a Laplacian pyramid, so that brightness counts. Scales go down to where a patch is the
whole picture, so that the layout counts.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

SIDE = 8
DIRECTIONS = 128


def sliced_wasserstein(x: Tensor, y: Tensor, rng: torch.Generator) -> Tensor:
    """Mean over scales and random directions of the W1 distance of projected patches.

    Args:
        x: pictures ``(B, C, H, W)``, H = W a power of two, at least 8.
        y: as many pictures of the same shape.
        rng: draws the directions.

    Returns:
        A scalar >= 0 in units of intensity; 0.8 c if a noise-like pattern of size c is added to y.
    """
    found = []
    while True:
        a, b = _patches(x), _patches(y)
        d = torch.randn(a.shape[1], DIRECTIONS, generator=rng, device=x.device)
        d = (d / d.norm(dim=0)).to(x.dtype)
        found.append(((a @ d).sort(0).values - (b @ d).sort(0).values).abs().mean())
        if x.shape[2] <= SIDE:
            return torch.stack(found).mean()
        x, y = F.avg_pool2d(x, 2), F.avg_pool2d(y, 2)


def _patches(x: Tensor) -> Tensor:
    """All 8 x 8 patches with stride 4, one per row."""
    cut = F.unfold(x, SIDE, stride=SIDE // 2)
    return cut.transpose(1, 2).flatten(0, 1)
