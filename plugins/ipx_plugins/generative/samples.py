"""Samples of a trained generative model."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ipx import Generator, load_generative
from ipx_plugins.generative import SampleOptions

SIDE = 64
"""Side of the samples of a model for any size."""


class Samples(Generator[SampleOptions]):
    """D(z) for z drawn by the model, N(0, t^2 I) by default, t the temperature.

    Raises:
        IpxError: what `ipx.load_generative` raises.
        ShapeError: the model cannot make pictures of this size.
    """

    def make(
        self, pictures: Sequence[Tensor], size: tuple[int, int] | None, count: int, seed: int
    ) -> Tensor:
        """``(count, C, *size)``; by default the size of the model."""
        o = self.options
        model, loaded = load_generative(o.weights, o.model)
        net = loaded.network()
        shape: tuple[int, ...] = (model.colors, *(size or (SIDE, SIDE)))
        if size is None and model.only_shape is not None:
            shape = model.only_shape
        rng = torch.Generator().manual_seed(seed)
        z = model.draw(net, count, shape, o.temperature, rng)
        with torch.no_grad():
            made = [model.decode(net, one, shape) for one in torch.split(z, 1)]
        return torch.cat(made)
