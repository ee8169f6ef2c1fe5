"""Samples of the autoregressive model, and pictures of which one half is given."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from ipx import Generator, load_weights
from ipx_plugins.pixelcnn import PixelCNNGeneratorOptions
from ipx_plugins.pixelcnn.model import PixelCNN

SIDE = 28
SURE = -1e4
"""Log likelihood of a grey value other than the known one."""


class PixelCNNGenerator(Generator[PixelCNNGeneratorOptions]):
    """Pictures from p(x), or from p(x | one half), of a grey picture.

    Where the known half comes first in raster order, the top, the other is drawn pixel by pixel.
    Else what is drawn first has to foresee what is known: that takes the particle filter.
    """

    def make(
        self, pictures: Sequence[Tensor], size: tuple[int, int] | None, count: int, seed: int
    ) -> Tensor:
        """``(count, C, H, W)``; of the size of the picture that is given."""
        o = self.options
        loaded = load_weights(o.weights, "pixelcnn")
        model, net = cast(PixelCNN, loaded.model), loaded.network()
        rng = torch.Generator().manual_seed(seed)
        if not pictures:
            shape = (1, *(size or (SIDE, SIDE)))
            return model.draws(net, shape, count, rng, o.temperature)
        x = pictures[0].float()
        size = size or (x.shape[1], x.shape[2])
        known = torch.zeros(1, *size, dtype=torch.bool)
        rows, columns = (min(a, b) for a, b in zip(size, x.shape[1:], strict=True))
        known[:, :rows, :columns] = True
        known &= _half(o.keep, *size)
        canvas = torch.zeros(len(x), *size)
        canvas[:, :rows, :columns] = x[:, :rows, :columns]
        numbers = model.rounded(canvas[:, None])[:, 0]
        other = torch.arange(model.options.levels) != numbers[..., None]
        fit = torch.where(known[..., None] & other, SURE, 0.0)
        particles = 1 if o.keep == "top" else o.particles
        drawn, weights = model.fitting(net, fit.repeat(count, 1, 1, 1), particles, rng, alike=False)
        best = torch.multinomial(weights, 1, generator=rng)[..., None, None]
        found = drawn.take_along_dim(best, 1).view(count, len(x), *size)
        return torch.where(known, canvas, found)


def _half(keep: str, height: int, width: int) -> Tensor:
    """True in the half that is known, ``(H, W)``."""
    row, column = torch.arange(height)[:, None], torch.arange(width)[None]
    inside = {
        "top": row < height // 2,
        "bottom": row >= height // 2,
        "left": column < width // 2,
        "right": column >= width // 2,
    }[keep]
    return inside.expand(height, width)
