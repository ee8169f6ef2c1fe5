"""A small network whose features describe textures, and its training without labels.

Two pieces of one photograph belong together, pieces of different photographs do not: the network
learns to tell (instance discrimination). What the pieces share is texture and colour, since they
show different places. Nobody has to label anything.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from ipx import Model
from ipx_plugins.texture import FeaturesOptions

CODE = 32
"""Length of the code of a piece."""

SHARP = 10.0
"""Factor of the cosines of codes before the softmax, one over the temperature."""

JITTER = 0.3
"""Largest change of the gain of each channel in training, so that colours alone do not tell."""


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
        self.head = nn.Linear(sum(widths), CODE)

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
        """Codes of length 1, ``(B, 32)``, of the mean features of all scales."""
        means = [f.mean((2, 3)) for f in self.layers(x)[1::2]]
        return functional.normalize(self.head(torch.cat(means, 1)))


def _convolution(before: int, after: int) -> nn.Conv2d:
    made = nn.Conv2d(before, after, 3, padding=1, padding_mode="replicate")
    nn.init.kaiming_normal_(made.weight, nonlinearity="relu")
    assert made.bias is not None
    nn.init.zeros_(made.bias)
    return made


class TextureFeatures(Model[FeaturesOptions]):
    """Which piece is of the same picture? Dosovitskiy et al. 2014; loss of Chen et al. 2020."""

    score = "accuracy"
    higher_is_better = True

    @property
    def colors(self) -> int:
        """3."""
        return 3

    @property
    def multiple(self) -> int:
        """Pieces are half as wide as pictures, and are halved for every scale but the first."""
        return 1 << len(self.options.widths)

    def network(self) -> nn.Module:
        """A `Features`."""
        return Features(self.options.widths)

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        """Cross-entropy of the right piece among those of the batch, both ways."""
        first, second = torch.randperm(4, generator=rng, device=rng.device)[:2].tolist()
        scores = _scores(net, *(_jittered(_piece(batch, k), rng) for k in (first, second)))
        right = torch.arange(len(batch), device=batch.device)
        both = [functional.cross_entropy(s, right) for s in (scores, scores.T)]
        return (both[0] + both[1]) / 2

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """Whether the right piece of the batch is found, for each picture."""
        found = _scores(net, _piece(batch, 0), _piece(batch, 3)).argmax(1)
        return {"accuracy": (found == torch.arange(len(batch), device=batch.device)).float()}


def _piece(x: Tensor, quarter: int) -> Tensor:
    """A quarter of each picture, ``(B, C, H / 2, W / 2)``."""
    h, w = x.shape[2] // 2, x.shape[3] // 2
    top, left = quarter // 2 * h, quarter % 2 * w
    return x[:, :, top : top + h, left : left + w]


def _jittered(x: Tensor, rng: torch.Generator) -> Tensor:
    """The pieces with another gain of each channel, mirrored together at random."""
    drawn = torch.rand(len(x), x.shape[1], 1, 1, generator=rng, device=rng.device)
    gained = (x * (1 + JITTER * (2 * drawn.to(x) - 1))).clamp(0, 1)
    mirrored = bool(torch.rand((), generator=rng, device=rng.device) < 0.5)
    return gained.flip(3) if mirrored else gained


def _scores(net: nn.Module, a: Tensor, b: Tensor) -> Tensor:
    """Cosines of the codes of two lists of pieces, sharpened, ``(B, B)``."""
    scores: Tensor = SHARP * net(a) @ net(b).T
    return scores


def random_features(widths: tuple[int, ...], seed: int) -> Features:
    """The network with random weights, for comparison."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return Features(widths).eval().requires_grad_(False)


def as_colour(x: Tensor) -> Tensor:
    """Pictures ``(B, 1 or 3, H, W)`` as colour, the input of the network."""
    return x.expand(-1, 3, -1, -1)
