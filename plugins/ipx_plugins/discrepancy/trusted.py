"""How much of an estimated noise level to trust: a part of it may be texture of the picture."""

from __future__ import annotations

import torch
from torch import Tensor

from ipx import Diagonal, Problem, has, noise_variance

_TEXTURE = 0.015  # a level at or below may be mostly texture
_SHARES = ((0.005, 0.5), (0.009, 0.7), (_TEXTURE, 0.7), (0.02, 1.0))
"""Levels, and the share of each that is surely noise.

Chosen on photographs of 96 x 96 pixels (text, gravel and grass among them) with noise from 0.001 to
0.02: at worst, the result of total variation is little below the data, and below that with its best
weight.
"""
_HOLES = 2.0  # around missing values texture adds as much to twice the level


def trusted(problem: Problem) -> Tensor:
    """The share of the estimated level of the noise that is surely noise, ``(B,)``.

    NaN where no share is known: the data are no picture, the noise is not Gaussian, or its level is
    said to be doubtful. So it is for a low level behind an operator that mixes pixels, where a
    slightly smaller level asks for a far smaller weight.
    """
    noise, sigma = problem.noise, noise_variance(problem).sqrt()
    none = torch.full_like(sigma, torch.nan)
    if problem.operator.traits.signed or not problem.data.quadratic:
        return none
    if noise.remarks and noise.about is None:
        return none
    filled = problem.operator.known(problem.y) is None
    (low, share), *others = _SHARES
    level, found = sigma / (1 if filled else _HOLES), torch.full_like(sigma, share)
    for high, more in others:
        found += (more - share) * ((level - low) / (high - low)).clamp(0, 1)
        low, share = high, more
    if not has(problem.physical, Diagonal):
        found = torch.where(level > _TEXTURE, 1.0, none)
    if noise.remarks and noise.about is not None:
        found = torch.where(noise.about.to(sigma.device), none, found)
    return found
