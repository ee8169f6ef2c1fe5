"""The parameters of BM3D (Dabov et al. 2007, table I), for intensities in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

HIGH = 40.0 / 255.0  # above this standard deviation the blocks must be larger


@dataclass(frozen=True)
class Stage:
    """One of the two stages.

    Attributes:
        block: side of the square blocks, pixels.
        step: distance between reference blocks, pixels.
        radius: blocks are looked for at offsets of -radius to radius, pixels.
        group: most blocks in a group, a power of two.
        tau: largest mean squared difference between blocks that match, in (1/255)^2, `limit`.
        transform: of the blocks, ``"bior1.5"`` or ``"dct"``.
        threshold: of the coefficients, in standard deviations of the noise (first stage).
        stride: blocks lie at multiples of it, pixels; divides step and radius.
    """

    block: int
    step: int
    radius: int
    group: int
    tau: float
    transform: str
    threshold: float = 0.0
    stride: int = 1

    def limit(self, sigma: Tensor) -> Tensor:
        """Largest squared distance of blocks that match, images in [0, 1], noise ``sigma``.

        Noise adds 2 sigma^2 to the mean squared difference: tau is right up to 25/255, beyond it
        would leave every block alone.
        """
        tau = torch.full_like(sigma, self.tau)
        if self.threshold:
            tau += 2.0 * ((255.0 * sigma).square() - 25.0**2).clamp_min(0.0)
        return tau * self.block**2 / 255.0**2


@dataclass(frozen=True)
class Profile:
    """Both stages."""

    first: Stage
    second: Stage


# The blocks of 12 and 11 pixels that the paper takes for high noise, with tau 5000 and 3500, lose
# 0.1 dB against "normal" at sigma 75/255 (camera, astronaut, brick); these gain 0.1.
PROFILES = {
    "normal": Profile(
        Stage(8, 3, 19, 16, 3000.0, "bior1.5", 2.7),
        Stage(8, 3, 19, 32, 400.0, "dct"),
    ),
    "high": Profile(
        Stage(8, 3, 19, 16, 3000.0, "bior1.5", 2.7),
        Stage(11, 4, 19, 32, 1000.0, "dct"),
    ),
    "fast": Profile(
        Stage(8, 6, 19, 16, 3000.0, "bior1.5", 2.7),
        Stage(8, 4, 18, 16, 400.0, "dct", stride=2),
    ),
}


def choose(name: str, sigma: float) -> Profile:
    """The profile of this name; ``"auto"`` is decided by the noise, ``sigma`` in image units."""
    if name == "auto":
        name = "high" if sigma > HIGH else "normal"
    return PROFILES[name]
