"""PixelCNN as a trainable model."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ipx import Model, Shape, ShapeError
from ipx_plugins.pixelcnn import PixelCNNOptions
from ipx_plugins.pixelcnn.chain import posterior
from ipx_plugins.pixelcnn.net import Net


class PixelCNN(Model[PixelCNNOptions]):
    """p(x) of grey pictures rounded to ``levels`` values, a product over pixels.

    The loss is -log2 p(x) per pixel, a mean of cross-entropies, so a uniform model has
    log2(levels). Bits of models with different ``levels`` cannot be compared.
    """

    score = "bits"

    @property
    def colors(self) -> int:
        """Grey pictures."""
        return 1

    def network(self) -> nn.Module:
        """The untrained network."""
        o = self.options
        return Net(o.levels, o.width, o.dilations)

    def initialise(self, net: nn.Module, batch: Tensor) -> None:
        """Set the last bias to the log frequencies of grey values in the batch."""
        top: Any = cast(Net, net).head[3]
        found = torch.bincount(self.rounded(batch).flatten(), minlength=self.options.levels)
        top.weight.mul_(0.1)
        top.bias.copy_(((found + 1) / (found.sum() + self.options.levels)).log())

    def rounded(self, x: Tensor) -> Tensor:
        """The numbers 0 ... levels - 1 of the nearest grey values, ``(B, 1, H, W)`` int64."""
        top = self.options.levels - 1
        return (x.clamp(0, 1) * top).round().long()

    def grey(self, numbers: Tensor) -> Tensor:
        """The grey values of numbers, in [0, 1]."""
        return numbers.float() / (self.options.levels - 1)

    def bits(self, net: nn.Module, x: Tensor) -> Tensor:
        """-log2 p(x) per pixel of each picture, ``(B,)``."""
        if x.shape[1] != 1:
            raise ShapeError(f"pixelcnn is for grey pictures; this has {x.shape[1]} channels")
        number = self.rounded(x)
        logits = net(self.grey(number).to(x.dtype))
        nats = F.cross_entropy(logits, number[:, 0], reduction="none")
        return nats.mean((1, 2)) / math.log(2)

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        """Mean bits per pixel."""
        return self.bits(net, batch).mean()

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """Bits per pixel."""
        return {"bits": self.bits(net, batch)}

    def draws(
        self,
        net: nn.Module,
        shape: Shape,
        count: int,
        rng: torch.Generator,
        temperature: float = 1.0,
    ) -> Tensor:
        """Pictures ``(count, 1, H, W)`` in [0, 1]; pixels from p(x_i | past)^(1/temperature)."""
        if shape[0] != 1:
            raise ShapeError(f"pixelcnn draws grey pictures, not {shape[0]} channels")
        free = torch.zeros(1, *shape[1:], self.options.levels)
        numbers, _ = posterior(cast(Net, net), free, count, rng, temperature)
        return self.grey(numbers[0])[:, None]

    def fitting(
        self, net: nn.Module, fit: Tensor, count: int, rng: torch.Generator, alike: bool = True
    ) -> tuple[Tensor, Tensor]:
        """Pictures from p(x | y) and their weights, of `posterior`.

        Args:
            net: the network.
            fit: log p(y_i | x_i = v) of each pixel and grey value v, ``(B, H, W, levels)``.
            count: number N of draws.
            rng: source of randomness.
            alike: each y gets the same random numbers.

        Returns:
            ``(B, N, H, W)`` in [0, 1], and weights ``(B, N)`` that sum to 1.
        """
        numbers, weights = posterior(cast(Net, net), fit, count, rng, alike=alike)
        return self.grey(numbers), weights
