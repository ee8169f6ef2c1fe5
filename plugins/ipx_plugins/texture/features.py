"""A small network whose features describe textures, and its training without labels.

The network tells by how many quarter turns a picture is turned (RotNet). To do so it has to find
what stands upright in photographs, and nobody has to label them.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from ipx import Model
from ipx_plugins.texture import RotationOptions

TURNS = 4


class Features(nn.Module):
    """Pairs of 3 x 3 convolutions with ReLU, halved by average pooling between the pairs.

    Average pooling, since the maximum makes textures rougher (Gatys et al., NeurIPS 2015).
    """

    def __init__(self, widths: tuple[int, ...]) -> None:
        super().__init__()
        self.stages = nn.ModuleList()
        before = 3
        for width in widths:
            pair = nn.ModuleList([_convolution(before, width), _convolution(width, width)])
            self.stages.append(pair)
            before = width
        self.head = nn.Linear(before, TURNS)

    def layers(self, x: Tensor) -> list[Tensor]:
        """What every convolution sees after its ReLU, ``(B, width, H / 2^k, W / 2^k)`` each.

        Args:
            x: colour pictures ``(B, 3, H, W)`` in [0, 1].
        """
        found: list[Tensor] = []
        x = 4 * (x - 0.5)
        for k, pair in enumerate(self.stages):
            x = functional.avg_pool2d(x, 2) if k else x
            for convolution in pair:  # type: ignore[attr-defined]  # a ModuleList
                x = functional.relu(convolution(x))
                found.append(x)
        return found

    def forward(self, x: Tensor) -> Tensor:
        """Scores of the four turns, ``(B, 4)``."""
        return self.head(self.layers(x)[-1].mean((2, 3)))  # type: ignore[no-any-return]  # of nn


def _convolution(before: int, after: int) -> nn.Conv2d:
    made = nn.Conv2d(before, after, 3, padding=1, padding_mode="replicate")
    nn.init.kaiming_normal_(made.weight, nonlinearity="relu")
    nn.init.zeros_(made.bias)
    return made


class Rotation(Model[RotationOptions]):
    """Which of the four quarter turns? Gidaris, Singh, Komodakis, ICLR 2018."""

    score = "accuracy"
    higher_is_better = True

    @property
    def colors(self) -> int:
        """3."""
        return 3

    @property
    def multiple(self) -> int:
        """2 to the number of halvings."""
        return 2 ** (len(self.options.widths) - 1)

    def network(self) -> nn.Module:
        """A `Features`."""
        return Features(self.options.widths)

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        """Cross-entropy of the turns, every picture turned at random."""
        turns = torch.randint(TURNS, (len(batch),), generator=rng, device=batch.device)
        turned = torch.stack([x.rot90(int(k), (1, 2)) for x, k in zip(batch, turns, strict=True)])
        return functional.cross_entropy(net(turned), turns)

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """The share of the four turns that is told right, for each picture; 0.25 by chance."""
        right = [net(batch.rot90(k, (2, 3))).argmax(1) == k for k in range(TURNS)]
        return {"accuracy": torch.stack(right).float().mean(0)}


def random_features(widths: tuple[int, ...], seed: int) -> Features:
    """The network with random weights, for comparison."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Features(widths).eval().requires_grad_(False)


def least_side(widths: tuple[int, ...]) -> int:
    """The smallest side of pictures: the deepest features have two pixels."""
    return 2 ** len(widths)


def as_colour(x: Tensor) -> Tensor:
    """Pictures ``(B, 1 or 3, H, W)`` as colour, the input of the network."""
    return x.expand(-1, 3, -1, -1)
