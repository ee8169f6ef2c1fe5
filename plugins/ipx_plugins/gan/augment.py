"""Differentiable augmentation of what the discriminator sees (Zhao et al., NeurIPS 2020)."""

from __future__ import annotations

import torch
from torch import Tensor

SHIFT = 8
"""Pictures are shifted by up to 1 / SHIFT of their side."""


def augmented(x: Tensor, rng: torch.Generator) -> Tensor:
    """``x`` ``(B, C, H, W)`` with random brightness, saturation, contrast and translation.

    Ranges are the paper's: brightness +-0.25 (for it +-0.5 in [-1, 1]), saturation times 0 to 2,
    contrast times 0.5 to 1.5. Translation repeats the border, where the paper fills with black.
    Cutout is not used, since it degrades the corners of samples.
    """
    batch, _, height, width = x.shape
    u = torch.rand(5, batch, 1, 1, 1, generator=rng, device=x.device).to(x.dtype)
    x = x + (u[0] - 0.5) / 2
    grey = x.mean(1, keepdim=True)
    x = grey + (x - grey) * (2 * u[1])
    level = x.mean((1, 2, 3), keepdim=True)
    x = level + (x - level) * (0.5 + u[2])
    dy, dx = height // SHIFT, width // SHIFT
    rows = _moved(height, ((2 * dy + 1) * u[3]).long() - dy)
    columns = _moved(width, ((2 * dx + 1) * u[4]).long() - dx)
    which = torch.arange(batch, device=x.device)[:, None, None]
    return x.permute(0, 2, 3, 1)[which, rows[:, :, None], columns[:, None, :]].permute(0, 3, 1, 2)


def _moved(n: int, by: Tensor) -> Tensor:
    """Indices ``(B, n)`` of pixels shifted by ``by``, clamped to the border."""
    return (torch.arange(n, device=by.device) + by.view(-1, 1)).clamp(0, n - 1)
