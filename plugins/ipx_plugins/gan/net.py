"""Generator, discriminator and encoder: 4 x 4 convolutions with stride 2 and their transposes.

DCGAN's layout without batch norm: the generator divides each pixel's features by their root
mean square instead (pixel norm, Karras et al., 2018), so that every picture is by itself.
"""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

CORNER = 4
"""Side of the smallest feature map."""


class Net(nn.Module):
    """The three parts and the deviation of pictures about G(E(x))."""

    def __init__(self, colors: int, size: int, latent: int, width: int) -> None:
        super().__init__()
        halvings = (size // CORNER).bit_length() - 1
        widths = [colors, *(width * min(8, 1 << i) for i in range(halvings))]
        self.generator = Generator(widths, latent)
        self.discriminator = Critic(widths, 1)
        self.encoder = Critic(widths, latent)
        self.log_deviation = nn.Parameter(torch.tensor(0.25).log())


class PixelNorm(nn.Module):
    """x / rms of x over the features."""

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        scaled: Tensor = x * (x.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        return scaled


class Generator(nn.Module):
    """z ``(B, n)`` -> pictures in [0, 1]."""

    def __init__(self, widths: list[int], latent: int) -> None:
        super().__init__()
        self.corner = (widths[-1], CORNER, CORNER)
        self.start = _started(nn.Linear(latent, widths[-1] * CORNER**2), latent)
        layers: list[nn.Module] = [PixelNorm(), nn.LeakyReLU(0.2)]
        for coarse, fine in pairwise(widths[:0:-1]):
            # 4 of the 16 taps meet a pixel
            grow = _started(nn.ConvTranspose2d(coarse, fine, 4, 2, 1), 4 * coarse)
            layers += [grow, PixelNorm(), nn.LeakyReLU(0.2)]
        tail = _started(nn.ConvTranspose2d(widths[1], widths[0], 4, 2, 1), 4 * widths[1])
        self.body = nn.Sequential(*layers, tail)

    def forward(self, z: Tensor) -> Tensor:
        """The picture."""
        out: Tensor = self.body(self.start(z).unflatten(1, self.corner))
        return (1 + out.tanh()) / 2


class Critic(nn.Module):
    """Pictures -> ``(B, out)``: the discriminator's logit, or the encoder's code."""

    def __init__(self, widths: list[int], out: int) -> None:
        super().__init__()
        self.body = nn.Sequential(
            *(_started(nn.Conv2d(f, c, 4, 2, 1), 16 * f) for f, c in pairwise(widths))
        )
        inner = widths[-1] * CORNER**2
        self.tail = nn.Linear(inner, out)
        nn.init.normal_(self.tail.weight, std=inner**-0.5)

    def forward(self, x: Tensor) -> Tensor:
        """Of pictures in [0, 1]."""
        h = 2 * x - 1
        for layer in self.body:
            h = F.leaky_relu(layer(h), 0.2)
        out: Tensor = self.tail(h.flatten(1))
        return out


def _started(layer: nn.Module, fan: int) -> nn.Module:
    """Weights that keep the size of the features under leaky ReLU."""
    assert isinstance(layer.weight, Tensor)
    assert isinstance(layer.bias, Tensor)
    nn.init.normal_(layer.weight, std=1.4 * fan**-0.5)
    nn.init.zeros_(layer.bias)
    return layer
