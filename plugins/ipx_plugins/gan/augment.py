"""Differentiable augmentation of what the discriminator sees (Zhao et al., NeurIPS 2020)."""

from __future__ import annotations

import torch
from torch import Tensor

SHIFT = 8
"""Pictures are moved by up to 1 / SHIFT of their side."""


def augmented(x: Tensor, rng: torch.Generator) -> Tensor:
    """Pictures ``(B, C, H, W)`` with other brightness, saturation, contrast and place.

    The paper's ranges: brightness +-0.5 of its range [-1, 1], so +-0.25 here; saturation and
    contrast times 0 to 2, and 0.5 to 1.5. What is moved in from outside is black in the paper,
    here the border repeated. Cutouts are left out: they cost samples their corners.
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
    """Indices ``(B, n)``, those outside clamped to the border."""
    return (torch.arange(n, device=by.device) + by.view(-1, 1)).clamp(0, n - 1)
