"""DRUNet: a U-Net of residual blocks without biases (Zhang et al., DPIR, 2022)."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ipx_plugins.denoisers import DRUNetOptions
from ipx_plugins.denoisers.common import Denoiser, with_level

Activation = Callable[[Tensor], Tensor]


class DRUNet(Denoiser[DRUNetOptions]):
    """The paper's network with configurable size; ``unshuffle`` 2 makes it four times cheaper."""

    @property
    def multiple(self) -> int:
        """Divisor of height and width: the unshuffle factor, doubled for each downsampling."""
        o = self.options
        return o.unshuffle << (len(o.widths) - 1)

    def network(self) -> nn.Module:
        """The untrained network."""
        o = self.options
        return Net(o.colors, o.widths, o.blocks, o.unshuffle, picture=o.picture)


class Block(nn.Module):
    """x + conv(activation(conv(x)))."""

    def __init__(self, width: int, activation: Activation) -> None:
        super().__init__()
        self.activation = activation
        self.first = _conv(width, width)
        self.second = _conv(width, width)

    def forward(self, x: Tensor) -> Tensor:
        """Same shape."""
        out: Tensor = x + self.second(self.activation(self.first(x)))
        return out


class Net(nn.Module):
    """A U-Net with additive skip connections, whose output is added to the input.

    The paper's network returns the picture itself (``picture``). The residual form trains faster.
    Both are homogeneous: f(k x, k sigma) = k f(x, sigma).
    """

    def __init__(
        self,
        colors: int,
        widths: tuple[int, ...],
        blocks: int,
        unshuffle: int,
        activation: Activation = F.relu,
        picture: bool = False,
    ) -> None:
        super().__init__()
        self.picture = picture

        def chain(width: int) -> list[nn.Module]:
            return [Block(width, activation) for _ in range(blocks)]

        self.unshuffle = unshuffle
        inner = colors * unshuffle**2
        self.head = _conv(inner + 1, widths[0])
        self.down = nn.ModuleList()
        self.up = nn.ModuleList()
        for small, large in pairwise(widths):
            shrink = nn.Conv2d(small, large, 2, stride=2, bias=False)
            grow = nn.ConvTranspose2d(large, small, 2, stride=2, bias=False)
            nn.init.orthogonal_(shrink.weight, 1.0)
            nn.init.orthogonal_(grow.weight, 1.0)
            self.down.append(nn.Sequential(*chain(small), shrink))
            self.up.insert(0, nn.Sequential(grow, *chain(small)))
        self.middle = nn.Sequential(*chain(widths[-1]))
        self.tail = _conv(widths[0], inner)

    def forward(self, x: Tensor, sigma: Tensor) -> Tensor:
        """The denoised picture, shape of ``x``; its sides must be multiples of ``multiple``."""
        return self.body(x, sigma) if self.picture else x + self.body(x, sigma)

    def body(self, x: Tensor, sigma: Tensor) -> Tensor:
        """What the U-Net gives, shape of ``x``: the picture, or its difference from ``x``."""
        u = self.unshuffle
        level = F.avg_pool2d(sigma, u) if sigma.shape[2] > 1 else sigma
        h = self.head(with_level(F.pixel_unshuffle(x, u), level))
        kept = [h]
        for down in self.down:
            h = down(h)
            kept.append(h)
        h = self.middle(h) + kept.pop()
        for up in self.up:
            h = up(h) + kept.pop()
        return F.pixel_shuffle(self.tail(h), u)


def _conv(into: int, out: int) -> nn.Conv2d:
    """A 3 x 3 convolution without bias; orthogonal weights of gain 0.2, as in the paper's code."""
    conv = nn.Conv2d(into, out, 3, padding=1, bias=False)
    nn.init.orthogonal_(conv.weight, 0.2)
    return conv
