"""Encoder and decoder: strided 4 x 4 convolutions and their transposes, ELU, no normalisation."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn

CORNER = 4
"""Side of the smallest feature map."""


class Net(nn.Module):
    """Encoder x -> (mean, logvar) of the code, decoder z -> mean picture, and log_deviation.

    One linear layer each way connects the smallest feature map and the code.
    """

    def __init__(
        self, colors: int, size: int, latent: int, width: int, deviation: float | None
    ) -> None:
        super().__init__()
        widths = pyramid(colors, size, width)
        self.down = downward(widths)
        self.code = nn.Linear(widths[-1] * CORNER**2, 2 * latent)
        self.start, self.up = upward(widths, latent)
        self.log_deviation: Tensor
        if deviation is None:
            self.log_deviation = nn.Parameter(torch.tensor(0.25).log())
        else:
            self.register_buffer("log_deviation", torch.tensor(deviation).log())

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and logarithm of the variance of the code, ``(B, n)`` each."""
        mean, logvar = self.code(self.down(2 * x - 1).flatten(1)).chunk(2, 1)
        # bounds far beyond those of trained codes, which keep exp and the first steps finite
        return mean, logvar.clamp(-12.0, 4.0)

    def decode(self, z: Tensor) -> Tensor:
        """The mean picture, ``(B, C, H, W)``, in [0, 1]."""
        out: Tensor = self.up(self.start(z)).sigmoid()
        return out

    @property
    def tail(self) -> nn.ConvTranspose2d:
        """The last layer of the decoder."""
        last = self.up[-1]
        assert isinstance(last, nn.ConvTranspose2d)
        return last


def pyramid(colors: int, size: int, width: int) -> list[int]:
    """Channels at each scale, from the picture down; they double up to 8 ``width``."""
    halvings = (size // CORNER).bit_length() - 1
    return [colors, *(width * min(8, 1 << i) for i in range(halvings))]


def downward(widths: list[int]) -> nn.Sequential:
    """Picture in [-1, 1] -> the smallest feature map."""
    layers: list[nn.Module] = []
    for fine, coarse in pairwise(widths):
        layers += [_started(nn.Conv2d(fine, coarse, 4, 2, 1), 16 * fine), nn.ELU()]
    return nn.Sequential(*layers)


def upward(widths: list[int], latent: int) -> tuple[nn.Sequential, nn.Sequential]:
    """Code -> the smallest feature map, and that map -> logits of the picture."""
    inner = widths[-1] * CORNER**2
    shape = (widths[-1], CORNER, CORNER)
    start = nn.Sequential(_started(nn.Linear(latent, inner), latent), nn.ELU())
    start.append(nn.Unflatten(1, shape))
    layers: list[nn.Module] = []
    for coarse, fine in pairwise(widths[::-1]):
        # each pixel gets 4 of the 16 taps
        layers += [_started(nn.ConvTranspose2d(coarse, fine, 4, 2, 1), 4 * coarse), nn.ELU()]
    return start, nn.Sequential(*layers[:-1])


def _started(layer: nn.Module, fan: int) -> nn.Module:
    """``layer`` with random weights that preserve the scale of features under ELU."""
    assert isinstance(layer.weight, Tensor)
    assert isinstance(layer.bias, Tensor)
    nn.init.normal_(layer.weight, std=1.25 * fan**-0.5)
    nn.init.zeros_(layer.bias)
    return layer
