"""Regression against a critic of pairs (pix2pix: Isola, Zhu, Zhou, Efros, CVPR 2017)."""

from __future__ import annotations

from itertools import pairwise

import torch
from torch import Tensor, nn


class Patches(nn.Module):
    """A logit for each patch of a picture given its input: is it a photograph, or made?

    Three strided 4 x 4 convolutions without normalisation; each logit sees 46 x 46 pixels.
    """

    def __init__(self, channels: int, width: int) -> None:
        super().__init__()
        sides = (channels, width, 2 * width, 4 * width)
        steps: list[nn.Module] = []
        for a, b in pairwise(sides):
            steps += [nn.Conv2d(a, b, 4, stride=2, padding=1), nn.LeakyReLU(0.2)]
        self.body = nn.Sequential(*steps, nn.Conv2d(sides[-1], 1, 4, padding=1))

    def forward(self, *pictures: Tensor) -> Tensor:
        """``(B, 1, h, w)`` from pictures in [0, 1], ``(B, C, H, W)`` each, seen together."""
        out: Tensor = self.body(2 * torch.cat(pictures, 1) - 1)
        return out


class Judged(nn.Module):
    """A network with its critic; only the network is used after training."""

    def __init__(self, body: nn.Module, colors: int, width: int) -> None:
        super().__init__()
        self.body, self.critic = body, Patches(2 * colors, width)

    def forward(self, seen: Tensor) -> Tensor:
        """The picture."""
        out: Tensor = self.body(seen)
        return out


def critic_loss(critic: nn.Module, real: tuple[Tensor, ...], made: tuple[Tensor, ...]) -> Tensor:
    """((D(real) - 1)^2 + D(made)^2) / 2, mean over patches (Mao et al., ICCV 2017, equation 9)."""
    yes, no = critic(*real), critic(*made)
    loss: Tensor = ((yes - 1).square().mean() + no.square().mean()) / 2
    return loss


def fooling_loss(critic: nn.Module, made: tuple[Tensor, ...]) -> Tensor:
    """(D(made) - 1)^2, mean over patches."""
    found: Tensor = critic(*made)
    return (found - 1).square().mean()
