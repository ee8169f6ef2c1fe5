"""Shared by the flows: the multi-scale network, the likelihood as loss, flat codes."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import TypeVar, cast

import torch
from torch import Tensor, nn

from ipx import Generative, Shape, ShapeError, image_sum
from ipx_plugins.flow import FlowOptions
from ipx_plugins.flow.layers import ActNorm, Layer, ShiftSplit, Split

F = TypeVar("F", bound=FlowOptions)


class Net(nn.Module):
    """A multi-scale flow: levels of layers with splits between them, and a final actnorm.

    A level maps ``(c, h, w)`` to ``(4c, h/2, w/2)``. A split takes half of the channels as a code;
    after the last level the actnorm normalises the channels that are left.
    """

    def __init__(
        self, levels: Sequence[Sequence[Layer]], channels: int, split: type[Split] = Split
    ) -> None:
        super().__init__()
        self.levels = nn.ModuleList(nn.ModuleList(level) for level in levels)
        self.splits = nn.ModuleList()
        for _ in levels[1:]:
            self.splits.append(split(4 * channels))
            channels = 2 * channels
        self.last = ActNorm(4 * channels)

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """The code ``(B, n)``, finest scale first, and log |det J| ``(B,)``."""
        h, log_det, codes = x - 0.5, x.new_zeros(x.shape[0]), []
        for i, level in enumerate(self.levels):
            for layer in _of(level):
                h, d = layer(h)
                log_det = log_det + d
            if i < len(self.splits):
                h, code, d = self.splits[i](h)
                codes.append(code.flatten(1))
                log_det = log_det + d
        h, d = self.last(h)
        return torch.cat([*codes, h.flatten(1)], 1), log_det + d

    def inverse(self, z: Tensor, image_shape: Shape) -> Tensor:
        """The picture ``(B, *image_shape)`` of a code ``(B, n)``."""
        channels, height, width = image_shape
        shapes = []
        for _ in self.splits:
            channels, height, width = 2 * channels, height // 2, width // 2
            shapes.append((channels, height, width))
        shapes.append((4 * channels, height // 2, width // 2))
        parts = torch.split(z, [math.prod(s) for s in shapes], 1)
        codes = [p.reshape(-1, *s) for p, s in zip(parts, shapes, strict=True)]
        h: Tensor = self.last.inverse(codes[-1])
        for i in reversed(range(len(self.levels))):
            if i < len(self.splits):
                h = self.splits[i].inverse(h, codes[i])  # type: ignore[operator]  # a Split
            for layer in reversed(_of(self.levels[i])):
                h = layer.inverse(h)
        return h + 0.5

    def initialise(self, x: Tensor) -> None:
        """Data-dependent initialisation layer by layer, from pictures ``(B, C, H, W)``."""
        h = x - 0.5
        for i, level in enumerate(self.levels):
            for layer in _of(level):
                layer.initialise(h)
                h = layer(h)[0]
            if i < len(self.splits):
                self.splits[i].initialise(h)  # type: ignore[operator]  # a Split
                h = self.splits[i](h)[0]
        self.last.initialise(h)


def _of(level: nn.Module) -> list[Layer]:
    """The layers of a level, typed."""
    assert isinstance(level, nn.ModuleList)
    return cast("list[Layer]", list(level))


class Flow(Generative[F]):
    """A flow trained by maximum likelihood on pictures with uniform noise of width 2^-bits.

    The density is that of pictures in [0, 1]. Bits per dimension are -log2 p / n + bits, the code
    length of pictures quantised to 2^-bits.
    """

    score = "bits_per_dim"
    invertible = True
    density = "exact"

    @property
    def multiple(self) -> int:
        """2^levels, since each level halves the sides."""
        return 1 << self.options.levels

    def layers(self, level: int, channels: int) -> Sequence[Layer]:
        """The layers of a level whose input has this many channels."""
        raise self.undefined("layers")

    def network(self) -> nn.Module:
        """The untrained network: the identity up to normalisation and rotations."""
        o = self.options
        widths = [o.colors << level for level in range(o.levels)]
        levels = [self.layers(level, c) for level, c in enumerate(widths)]
        return Net(levels, o.colors, ShiftSplit if self.traits.constant_volume else Split)

    def initialise(self, net: nn.Module, batch: Tensor) -> None:
        """Actnorm from the first batch."""
        assert isinstance(net, Net)
        net.initialise(batch)

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        """Bits per dimension, mean over the batch."""
        return self._bits(net, batch, rng).mean()

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """Bits per dimension of each picture."""
        return {"bits_per_dim": self._bits(net, batch, rng)}

    def _bits(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        noise = torch.rand(batch.shape, generator=rng, device=batch.device) - 0.5
        density = self.log_prob(net, batch + 2.0**-self.options.bits * noise)
        return self.options.bits - density / (math.log(2) * batch[0].numel())

    def spread(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """x + u, with u uniform of width 2^-bits about 0 and the same for all images."""
        noise = torch.rand((1, *x.shape[1:]), generator=rng, device=x.device) - 0.5
        spread: Tensor = x + 2.0**-self.options.bits * noise.to(x.dtype)  # the same in each dtype
        return spread

    def latent_size(self, image_shape: Shape) -> int:
        """n = C H W; raises ShapeError for pictures that the flow cannot take."""
        channels, height, width = image_shape
        m = self.multiple
        if channels != self.options.colors or height % m or width % m:
            raise ShapeError(
                f"the flow takes pictures of {self.options.colors} channel(s) with sides that are "
                f"multiples of {m}, not {tuple(image_shape)}"
            )
        return channels * height * width

    def encode(self, net: nn.Module, x: Tensor) -> Tensor:
        """E(x), ``(B, n)``."""
        self.latent_size(tuple(x.shape[1:]))
        code: Tensor = net(x)[0]
        return code

    def decode(self, net: nn.Module, z: Tensor, image_shape: Shape) -> Tensor:
        """D(z) = E^-1(z), ``(B, *image_shape)``."""
        assert isinstance(net, Net)
        self.latent_size(image_shape)
        return net.inverse(z, image_shape)

    def log_prob(self, net: nn.Module, x: Tensor) -> Tensor:
        """log N(E(x); 0, I) + log |det J_E(x)| in nats, ``(B,)``."""
        self.latent_size(tuple(x.shape[1:]))
        z, log_det = net(x)
        density: Tensor = log_det - image_sum(z * z) / 2 - z.shape[1] * math.log(2 * math.pi) / 2
        return density
