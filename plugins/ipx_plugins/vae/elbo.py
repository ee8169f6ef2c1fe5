"""The two terms of the evidence lower bound, for Gaussians (Kingma, Welling, 2014, eq. 10)."""

from __future__ import annotations

import math

import torch
from torch import Tensor


def divergence(mean: Tensor, logvar: Tensor) -> Tensor:
    """KL(N(mean, diag e^logvar) || N(0, I)) in nats, ``(B,)``, of codes ``(B, n)``."""
    each: Tensor = mean.square() + logvar.exp() - 1 - logvar
    return each.flatten(1).sum(1) / 2


def log_likelihood(x: Tensor, mean: Tensor, deviation: Tensor | float) -> Tensor:
    """log N(x; mean, deviation^2 I) in nats, ``(B,)``, of pictures ``(B, C, H, W)``."""
    s = torch.as_tensor(deviation, dtype=x.dtype, device=x.device)
    each = ((x - mean) / s).square().flatten(1).sum(1)
    n = x[0].numel()
    return -each / 2 - n * (s.log() + math.log(2 * math.pi) / 2)
