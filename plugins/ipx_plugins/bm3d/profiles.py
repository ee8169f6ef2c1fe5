"""The parameters of BM3D (Dabov et al. 2007, table I), for intensities in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

HIGH = 40.0 / 255.0  # noise standard deviation above which larger blocks are used


@dataclass(frozen=True)
class Stage:
    """One of the two stages.

    Attributes:
        block: side of the square blocks, pixels.
        step: distance between reference blocks, pixels.
        radius: largest search offset in each direction, pixels.
        group: largest number of blocks in a group, a power of two.
        tau: largest mean squared difference of matching blocks, in (1/255)^2; see `limit`.
        transform: block transform, ``"bior1.5"`` or ``"dct"``.
        threshold: of the coefficients, in noise standard deviations (first stage).
        stride: distance between block positions, pixels; divides step and radius.
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
        """Largest squared distance of matching blocks, for images in [0, 1] and noise ``sigma``.

        Noise adds 2 sigma^2 to the mean squared difference. In the first stage tau grows with it
        for sigma above 25/255, where otherwise no block would match.
        """
        tau = torch.full_like(sigma, self.tau)
        if self.threshold:
            tau += 2.0 * ((255.0 * sigma).square() - 25.0**2).clamp_min(0.0)
        return tau * self.block**2 / 255.0**2


@dataclass(frozen=True)
class Profile:
    """The parameters of both stages."""

    first: Stage
    second: Stage


# The paper's parameters for high noise (blocks of 12 and 11 pixels, tau 5000 and 3500) are 0.1 dB
# below "normal" at sigma 75/255 (camera, astronaut, brick); these are 0.1 dB above it.
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
    """The profile of this name; ``"auto"`` depends on the noise ``sigma``, in image units."""
    if name == "auto":
        name = "high" if sigma > HIGH else "normal"
    return PROFILES[name]
