"""Generator, discriminator and encoder: the layers of `vae`, so that weights can pass over.

DCGAN's layout (4 x 4 convolutions with stride 2 and their transposes) without batch norm, so that
every picture is by itself.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from ipx_plugins.vae.net import CORNER, downward, pyramid, upward


class Net(nn.Module):
    """The three parts and the deviation of pictures about G(E(x))."""

    def __init__(self, colors: int, size: int, latent: int, width: int) -> None:
        super().__init__()
        widths = pyramid(colors, size, width)
        self.generator = Generator(widths, latent)
        self.discriminator = Critic(widths, 1)
        self.encoder = Critic(widths, latent)
        self.log_deviation = nn.Parameter(torch.tensor(0.25).log())


class Generator(nn.Module):
    """z ``(B, n)`` -> pictures in [0, 1]."""

    def __init__(self, widths: list[int], latent: int) -> None:
        super().__init__()
        self.start, self.up = upward(widths, latent)

    def forward(self, z: Tensor) -> Tensor:
        """The picture."""
        out: Tensor = self.up(self.start(z)).sigmoid()
        return out


class Critic(nn.Module):
    """Pictures in [0, 1] -> ``(B, out)``: the discriminator's logit, or the encoder's code."""

    def __init__(self, widths: list[int], out: int) -> None:
        super().__init__()
        self.down = downward(widths)
        inner = widths[-1] * CORNER**2
        self.code = nn.Linear(inner, out)
        nn.init.normal_(self.code.weight, std=inner**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Logit or code."""
        out: Tensor = self.code(self.down(2 * x - 1).flatten(1))
        return out
