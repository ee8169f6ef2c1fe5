"""The Metropolis test and the adaptation of step lengths."""

from __future__ import annotations

import torch
from torch import Tensor

from ipx import Random


def accepted(log_ratio: Tensor, random: Random) -> Tensor:
    """True per image with probability min(1, exp(log_ratio)); false where that is not finite."""
    log_u = random.uniform(log_ratio).clamp_min(1e-30).log()
    return log_ratio.isfinite() & (log_u < log_ratio)


def probability(log_ratio: Tensor) -> Tensor:
    """min(1, exp(log_ratio)); 0 where that is not finite."""
    return torch.where(log_ratio.isfinite(), log_ratio.clamp_max(0).exp(), 0.0)


def adapted(step: Tensor, acceptance: Tensor, target: float, number: int) -> Tensor:
    """A step length moved towards a target acceptance (Andrieu and Thoms 2008, algorithm 4)."""
    moved: Tensor = step * ((acceptance - target) * 2.0 / (number + 1) ** 0.6).exp()
    return moved
