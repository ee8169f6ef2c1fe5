"""How much of an estimated noise level to trust: a part of it may be texture of the picture."""

from __future__ import annotations

import torch
from torch import Tensor

from ipx import Diagonal, Problem, has, noise_variance

_TEXTURE = 0.015  # a level at or below may be mostly texture
_SHARES = ((0.005, 0.5), (0.009, 0.7), (_TEXTURE, 0.7), (0.02, 1.0))
"""Levels, and the share of each that is surely noise; around holes it takes twice the level.

Chosen on photographs of 96 x 96 pixels (text, gravel and grass among them) with noise from 0.001 to
0.02, so that total variation loses little at worst, below the data and below its best weight.
"""


def trusted(problem: Problem) -> Tensor:
    """The share of the estimated level of the noise that is surely noise, ``(B,)``.

    It is 0 where nothing is known of it: the data are no picture, the noise is not Gaussian or is
    told to be doubtful, or a low level is that of an operator that mixes pixels, where a little
    less noise asks for a weight that is far less.
    """
    noise, sigma = problem.noise, noise_variance(problem).sqrt()
    none = torch.zeros_like(sigma)
    if problem.operator.traits.signed or not problem.data.quadratic:
        return none
    if noise.remarks and noise.about is None:
        return none
    holes = 1 if problem.operator.known(problem.y) is None else 2
    (low, share), *others = _SHARES
    level, found = sigma / holes, torch.full_like(sigma, share)
    for high, more in others:
        found += (more - share) * ((level - low) / (high - low)).clamp(0, 1)
        low, share = high, more
    if not has(problem.physical, Diagonal):
        found = (level > _TEXTURE).to(sigma)
    if noise.remarks and noise.about is not None:
        found = torch.where(noise.about.to(sigma.device), none, found)
    return found
