"""An autoregressive prior on maps of codes: masked convolutions (van den Oord et al. 2016)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import conv2d, one_hot


class MaskedConv(nn.Conv2d):
    """A convolution that sees the places before its own in reading order.

    With ``own`` it sees its own place as well.
    """

    mask: Tensor

    def __init__(self, inside: int, outside: int, side: int, own: bool) -> None:
        super().__init__(inside, outside, side, padding=side // 2)
        middle = side // 2
        mask = torch.zeros(side, side)
        mask[:middle] = 1
        mask[middle, : middle + own] = 1
        self.register_buffer("mask", mask, persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """``(B, inside, H, W)`` to ``(B, outside, H, W)``."""
        return conv2d(x, self.weight * self.mask, self.bias, padding=self.padding)


class MaskedPrior(nn.Module):
    """p(map) as a product of p(code | codes before it in reading order)."""

    def __init__(self, entries: int, width: int, depth: int) -> None:
        super().__init__()
        self.entries = entries
        self.first = MaskedConv(entries, width, 5, own=False)
        self.layers = nn.ModuleList(MaskedConv(width, width, 3, own=True) for _ in range(depth))
        self.last = nn.Conv2d(width, entries, 1)

    def forward(self, index: Tensor) -> Tensor:
        """Logits ``(B, K, h, w)`` of the codes ``(B, h, w)``, each given those before it."""
        x = self.first(one_hot(index, self.entries).movedim(3, 1).to(self.last.weight))
        for layer in self.layers:
            x = x + layer(nn.functional.elu(x))
        logits: Tensor = self.last(nn.functional.elu(x))
        return logits

    def nats(self, index: Tensor) -> Tensor:
        """-log p of maps ``(B, h, w)``, ``(B,)``."""
        each = nn.functional.cross_entropy(self(index), index, reduction="none")
        return each.flatten(1).sum(1)

    @torch.no_grad()
    def sample(
        self, count: int, shape: tuple[int, int], temperature: float, rng: torch.Generator
    ) -> Tensor:
        """Maps ``(count, h, w)``, code by code; the logits are divided by ``temperature``."""
        like: Any = self.last.weight
        index = torch.zeros(count, *shape, dtype=torch.int64, device=like.device)
        for row in range(shape[0]):
            for place in range(shape[1]):
                # what lies below cannot matter
                logits = self(index[:, : row + 1])[:, :, row, place]
                if temperature == 0:
                    index[:, row, place] = logits.argmax(1)
                    continue
                p = (logits.double().cpu() / temperature).softmax(1)
                drawn = torch.multinomial(p, 1, generator=rng)[:, 0]
                index[:, row, place] = drawn.to(index.device)
        return index
