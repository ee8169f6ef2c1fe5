"""The parameters of BM3D (Dabov et al. 2007, table I), for intensities in [0, 1]."""

from __future__ import annotations

from dataclasses import dataclass

HIGH = 40.0 / 255.0  # above this standard deviation the blocks must be larger


@dataclass(frozen=True)
class Stage:
    """One of the two stages.

    Attributes:
        block: side of the square blocks, pixels.
        step: distance between reference blocks, pixels.
        radius: blocks are looked for at offsets of -radius to radius, pixels.
        group: most blocks in a group, a power of two.
        tau: largest mean squared difference between blocks that match, in (1/255)^2.
        transform: of the blocks, ``"bior1.5"`` or ``"dct"``.
        threshold: of the coefficients, in standard deviations of the noise (first stage).
    """

    block: int
    step: int
    radius: int
    group: int
    tau: float
    transform: str
    threshold: float = 0.0

    @property
    def limit(self) -> float:
        """Largest squared distance of two blocks that match, images in [0, 1]."""
        return self.tau * self.block**2 / 255.0**2


@dataclass(frozen=True)
class Profile:
    """Both stages."""

    first: Stage
    second: Stage


PROFILES = {
    "normal": Profile(
        Stage(8, 3, 19, 16, 3000.0, "bior1.5", 2.7),
        Stage(8, 3, 19, 32, 400.0, "dct"),
    ),
    "high": Profile(
        Stage(12, 4, 19, 32, 5000.0, "dct", 2.8),
        Stage(11, 6, 19, 32, 3500.0, "dct"),
    ),
    "fast": Profile(
        Stage(8, 6, 12, 16, 3000.0, "bior1.5", 2.7),
        Stage(8, 5, 12, 16, 400.0, "dct"),
    ),
}


def choose(name: str, sigma: float) -> Profile:
    """The profile of this name; ``"auto"`` is decided by the noise, ``sigma`` in image units."""
    if name == "auto":
        name = "high" if sigma > HIGH else "normal"
    return PROFILES[name]
