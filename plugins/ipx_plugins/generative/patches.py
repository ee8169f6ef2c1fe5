"""The density of patches as a prior for pictures of any size."""

from __future__ import annotations

import torch
from torch import Tensor

from ipx import mirrored
from ipx_plugins.generative import PatchOptions
from ipx_plugins.generative.map import Density
from ipx_plugins.generative.network import image_by_image


class Patches(Density[PatchOptions]):
    """R(x) = -sum over tiles of log p(tile); the grid of tiles is shifted at random at each step.

    Altekrueger et al. 2023 (patchNR) draw patches and scale by their number. Here the tiles of a
    draw cover the picture once, so R and lam have the scale of -log p of the whole picture. The
    picture is extended by mirroring to whole tiles; one smaller than a patch is a single tile.
    """

    @image_by_image
    def drawn(self, x: Tensor, draw: int) -> Tensor:
        """R(x) with draw number ``draw`` of grid and noise, ``(B,)``."""
        m = self.generator.multiple
        side = -(-self.options.patch // m) * m
        rng = torch.Generator(x.device).manual_seed(draw)
        shown = x.expand(-1, self.framed(tuple(x.shape[1:]))[0], -1, -1)
        for axis in (2, 3):
            n = shown.shape[axis]
            first = torch.randint(side, (1,), generator=rng, device=x.device)
            moved = int(first) if n > side else 0
            length = -(-(n + moved) // side) * side
            shown = shown.index_select(axis, mirrored(n, length, x.device, -moved))
        batch, colors, height, width = shown.shape
        tiles = shown.unfold(2, side, side).unfold(3, side, side)
        tiles = tiles.permute(0, 2, 3, 1, 4, 5).reshape(-1, colors, side, side)
        if self.options.smoothing:
            tiles = self.generator.spread(tiles, rng)
        score = -self.generator.log_prob(self.net(x), tiles).view(batch, -1).sum(1)
        # mirrored pixels count twice: rescale to the number of pixels in the picture
        return score * (x.shape[2] * x.shape[3] / (height * width))
