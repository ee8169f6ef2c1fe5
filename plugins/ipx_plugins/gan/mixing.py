"""A sheet of mixed styles (Karras et al., CVPR 2019, figure 3)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor

from ipx import Generator, MissingExtraError, ShapeError, load_weights
from ipx_plugins.gan import MixingOptions
from ipx_plugins.gan.model import GAN


class StyleMixing(Generator[MixingOptions]):
    """Pictures with the coarse styles of one code and the fine ones of another.

    Picture k has the fine styles of code k % ``codes`` and the coarse ones of another code for
    each ``codes`` pictures: on a sheet with as many columns, columns share the fine styles, and
    rows the coarse ones.

    Raises:
        MissingExtraError: the weights are not of body style.
        ShapeError: the size is not that of the model.
    """

    def make(
        self, pictures: Sequence[Tensor], size: tuple[int, int] | None, count: int, seed: int
    ) -> Tensor:
        """``(count, C, size, size)``."""
        o = self.options
        loaded = load_weights(o.weights, "gan")
        model, net = cast(GAN, loaded.model), loaded.network()
        if model.options.body != "style":
            raise MissingExtraError(
                "these weights have no styles to mix; train some with ipx train gan "
                "--model.body style, and give the file as the option weights"
            )
        shape = model.only_shape
        if size is not None and size != shape[1:]:
            raise ShapeError(f"this model makes pictures of {shape[1]} x {shape[2]} only")
        rows = -(-count // o.codes)
        rng = torch.Generator().manual_seed(seed)
        z = torch.randn(rows + o.codes, model.options.latent, generator=rng)
        at = torch.arange(count)
        with torch.no_grad():
            return model.mixed(net, z[o.codes + at // o.codes], z[at % o.codes], o.layer)
