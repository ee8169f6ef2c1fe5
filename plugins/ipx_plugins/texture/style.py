"""The generator ``style``: the content of one picture in the style of another."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor
from torch.nn import functional

from ipx import Generator, ShapeError
from ipx_plugins.texture import StyleOptions
from ipx_plugins.texture.gram import Aim, optimised
from ipx_plugins.texture.network import network
from ipx_plugins.texture.quilting import Guide, quilted

PASSES = 3
"""Of quilting, each with patches a third smaller."""

LUMA = (0.299, 0.587, 0.114)


class Style(Generator[StyleOptions]):
    """Gatys, Ecker, Bethge, CVPR 2016; Efros, Freeman, SIGGRAPH 2001, section 4.

    The result has the channels of the style, and the size of the content.

    Raises:
        ShapeError: a picture is too small for the patches, or for the network, or the network does
            not take its channels.
    """

    def make(
        self, pictures: Sequence[Tensor], size: tuple[int, int] | None, count: int, seed: int
    ) -> Tensor:
        """``(count, C, *size)``; the content is resized if a size is given."""
        content, style = pictures
        if size is not None and tuple(size) != tuple(content.shape[1:]):
            content = functional.interpolate(
                content[None], size=size, mode="bilinear", antialias=True
            )[0].clamp(0, 1)
        rng = torch.Generator().manual_seed(seed)
        if self.options.method == "quilting":
            return torch.stack([self._quilted(content, style, rng) for _ in range(count)])
        channels = max(len(content), len(style))
        if {len(content), len(style)} - {1, 3}:
            raise ShapeError(
                f"method gram takes pictures of 1 or 3 channels, not {len(content)} and "
                f"{len(style)}; quilting takes any number"
            )
        content, style = content.expand(channels, -1, -1), style.expand(channels, -1, -1)
        o = self.options
        aim = Aim(network(o, seed), o.layers, style[None], content[None], o.strength)
        start = [content + 0.02 * torch.randn(content.shape, generator=rng) for _ in range(count)]
        made = [optimised(aim, s.clamp(0, 1)[None], o.iterations) for s in start]
        return torch.cat(made)

    def _quilted(self, content: Tensor, style: Tensor, rng: torch.Generator) -> Tensor:
        """Passes of quilting whose patches are as bright as the content (the paper's alpha)."""
        o = self.options
        grey = _luma(style)
        wanted = _matched(_luma(content), grey)
        before, side, size = None, o.patch, (content.shape[1], content.shape[2])
        for k in range(PASSES):
            alpha = o.strength * (0.8 * k / (PASSES - 1) + 0.1)
            guide = Guide(grey, wanted, alpha, before)
            before = quilted(style, size, side, o.tolerance, rng, guide)
            side = max(4, round(side * 2 / 3))
        assert before is not None
        return before


def _luma(x: Tensor) -> Tensor:
    """``(1, H, W)``."""
    if len(x) != 3:
        return x.mean(0, keepdim=True)
    return (x * x.new_tensor(LUMA)[:, None, None]).sum(0, keepdim=True)


def _matched(x: Tensor, like: Tensor) -> Tensor:
    """Values of x in their order, distributed as those of ``like``."""
    order = x.flatten().argsort().argsort().double() / max(1, x.numel() - 1)
    values = like.flatten().sort().values
    return values[(order * (len(values) - 1)).round().long()].view(x.shape)
