"""The generator ``texture``: more of an example, by one of four methods."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ipx import Generator, ShapeError
from ipx_plugins.texture import TextureOptions
from ipx_plugins.texture.efros_leung import grown
from ipx_plugins.texture.gram import Aim, optimised
from ipx_plugins.texture.network import network
from ipx_plugins.texture.quilting import quilted
from ipx_plugins.texture.random_phase import random_phase

SIDES = {"quilting": 32, "pixels": 15}
"""Sides of patches and of neighbourhoods in pixels, unless one is given."""


class Texture(Generator[TextureOptions]):
    """A texture of any size like an example, grey or colour.

    Raises:
        ShapeError: the example is too small for the patches, or for the network.
    """

    def make(
        self, pictures: Sequence[Tensor], size: tuple[int, int] | None, count: int, seed: int
    ) -> Tensor:
        """``(count, C, *size)``; by default as large as the example."""
        (example,) = pictures
        height, width = size or (example.shape[1], example.shape[2])
        rng = torch.Generator().manual_seed(seed)
        return torch.stack([self._one(example, (height, width), rng, seed) for _ in range(count)])

    def _one(
        self, example: Tensor, size: tuple[int, int], rng: torch.Generator, seed: int
    ) -> Tensor:
        o = self.options
        if o.method == "quilting":
            side = o.patch or min(SIDES["quilting"], *(n // 2 for n in example.shape[1:]))
            if side < 3:
                raise ShapeError(f"patches of {side} x {side} pixels have no seam; take 3 or more")
            return quilted(example, size, side, o.tolerance, rng)
        if o.method == "pixels":
            side = o.patch or SIDES["pixels"]
            if side < 3:
                raise ShapeError(
                    f"a neighbourhood of {side} x {side} tells nothing; take 3 or more"
                )
            return grown(example, size, side, o.tolerance, o.candidates, rng)
        if o.method == "random-phase":
            return random_phase(example, size, rng)
        start = self._noise(example, size, rng)
        return optimised(Aim(network(o, seed), o.layers, example[None]), start, o.iterations)[0]

    @staticmethod
    def _noise(example: Tensor, size: tuple[int, int], rng: torch.Generator) -> Tensor:
        """White noise of the mean and deviation of each channel, ``(1, C, *size)`` in [0, 1]."""
        mean, deviation = (f(example.flatten(1), 1) for f in (torch.mean, torch.std))
        drawn = torch.randn(len(example), *size, generator=rng)
        return (mean[:, None, None] + deviation[:, None, None] * drawn).clamp(0, 1)[None]
