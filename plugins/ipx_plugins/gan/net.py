"""Generator, discriminator and encoder with the layers of model `vae`, to start from its weights.

The layout is that of DCGAN (4 x 4 convolutions with stride 2 and their transposes), without batch
normalisation, so that pictures do not interact.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from ipx import model


class Net(nn.Module):
    """The three parts, and the log of the standard deviation of pictures about G(E(x))."""

    def __init__(self, colors: int, size: int, latent: int, width: int) -> None:
        super().__init__()
        vae = model("vae", colors=colors, size=size, latent=latent, width=width)
        self.generator = Generator(vae.network())
        self.discriminator = Critic(vae.network(), 1)
        self.encoder = Critic(vae.network(), latent)
        self.log_deviation = nn.Parameter(torch.tensor(0.25).log())

    def counted(self) -> None:
        """One more step of the critic; nothing here depends on it."""

    def made(self, z: Tensor, rng: torch.Generator | None = None, mixing: float = 0.0) -> Tensor:
        """Pictures G(z)."""
        return self.decode(z)

    def real(self, x: Tensor) -> Tensor:
        """Training pictures as the critic sees them."""
        return x

    def judged(self, x: Tensor) -> Tensor:
        """The critic's output, ``(B,)``."""
        found: Tensor = self.discriminator(x)
        return found[:, 0]

    def decode(self, z: Tensor) -> Tensor:
        """Pictures G(z)."""
        out: Tensor = self.generator(z)
        return out


class Generator(nn.Module):
    """z ``(B, n)`` -> pictures in [0, 1]: the decoder of a `vae`."""

    def __init__(self, vae: Any) -> None:
        super().__init__()
        self.start, self.up = vae.start, vae.up

    def forward(self, z: Tensor) -> Tensor:
        """The picture, ``(B, C, H, W)``."""
        out: Tensor = self.up(self.start(z)).sigmoid()
        return out


class Critic(nn.Module):
    """Pictures in [0, 1] -> ``(B, out)``: the discriminator's logit, or the encoder's code."""

    def __init__(self, vae: Any, out: int) -> None:
        super().__init__()
        self.down = vae.down
        inner = vae.code.in_features
        self.code = nn.Linear(inner, out)
        nn.init.normal_(self.code.weight, std=inner**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Logit or code."""
        out: Tensor = self.code(self.down(2 * x - 1).flatten(1))
        return out
