"""Style-based generator and its critic, which may both grow from coarse to fine.

Karras, Laine, Aila, "A style-based generator architecture for generative adversarial networks",
CVPR 2019: mapping network, a constant input, adaptive instance normalisation, noise at each layer.
Growing: Karras, Aila, Laine, Lehtinen, ICLR 2018, section 2 and figure 2. Features are kept to
``width`` times 1 to 8 per scale, as in the other body; pictures of a batch do not interact.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ipx import model

CORNER = 4
DEPTH = 4
"""Layers of the mapping network (the paper has 8, at a far larger size)."""
SLOPE = 0.2


class Net(nn.Module):
    """Generator, critic, encoder, and the log of the deviation of pictures about G(E(x)).

    Args:
        colors: channels.
        size: side of the finished pictures, a power of two.
        latent: length of the code.
        width: features at half size.
        grow: steps for each scale; 0: all scales from the start.
    """

    def __init__(self, colors: int, size: int, latent: int, width: int, grow: int) -> None:
        super().__init__()
        from ipx_plugins.gan.net import Critic

        self.grow = grow
        self.generator = Generator(colors, size, latent, width)
        self.discriminator = GrowingCritic(colors, size, width)
        vae = model("vae", colors=colors, size=size, latent=latent, width=width)
        self.encoder = Critic(vae.network(), latent)
        self.log_deviation = nn.Parameter(torch.tensor(0.25).log())
        # steps of the critic so far: part of the state, so that a resumed run goes on growing
        self.steps: Tensor
        self.register_buffer("steps", torch.zeros((), dtype=torch.long))

    def stage(self) -> tuple[int, float]:
        """The finest scale in use, and its share: it fades in over the first half of its steps."""
        finest = len(self.generator.blocks) - 1
        if not self.grow:
            return finest, 1.0
        done = float(self.steps) / self.grow
        level = min(int(done), finest)
        return level, 1.0 if level == 0 or done >= level + 0.5 else 2 * (done - level)

    def counted(self) -> None:
        """One more step of the critic."""
        self.steps += 1

    def made(self, z: Tensor, rng: torch.Generator | None = None, mixing: float = 0.0) -> Tensor:
        """Pictures at the present scale; with ``mixing`` some have the styles of two codes."""
        styles = self.generator.styles(z)
        if rng is not None and mixing:
            other = self.generator.mapping(torch.randn(z.shape, generator=rng, device=z.device))
            styles = mixed(styles, other, _crossings(styles, mixing, rng))
        return self.generator.drawn(styles, rng, *self.stage())

    def real(self, x: Tensor) -> Tensor:
        """Training pictures at the present scale, blurred as that fades in."""
        level, share = self.stage()
        side = CORNER << level
        x = F.avg_pool2d(x, x.shape[-1] // side)
        if share == 1.0:
            return x
        return F.interpolate(F.avg_pool2d(x, 2), scale_factor=2).lerp(x, share)

    def judged(self, x: Tensor) -> Tensor:
        """The critic's output for pictures at the present scale, ``(B,)``."""
        found: Tensor = self.discriminator(x, *self.stage())
        return found[:, 0]

    def decode(self, z: Tensor) -> Tensor:
        """Pictures of full size with the same noise each time."""
        picture = self.made(z)
        return F.interpolate(picture, scale_factor=self.generator.size // picture.shape[-1])


class Generator(nn.Module):
    """z ``(B, n)`` -> w -> pictures in [0, 1]; two styled layers a scale."""

    def __init__(self, colors: int, size: int, latent: int, width: int) -> None:
        super().__init__()
        self.size = size
        widths = scales(size, width)
        steps: list[nn.Module] = []
        for _ in range(DEPTH):
            steps += [_normal(nn.Linear(latent, latent), latent), nn.LeakyReLU(SLOPE)]
        self.body = nn.Sequential(*steps)
        self.constant = nn.Parameter(torch.randn(1, widths[0], CORNER, CORNER))
        self.blocks = nn.ModuleList(
            Block(widths[max(i - 1, 0)], wide, latent, CORNER << i) for i, wide in enumerate(widths)
        )
        self.colours = nn.ModuleList(_normal(nn.Conv2d(w, colors, 1), 4 * w) for w in widths)

    def mapping(self, z: Tensor) -> Tensor:
        """w ``(B, n)`` of codes scaled to the length sqrt(n)."""
        scaled = z * (z.square().mean(1, keepdim=True) + 1e-8).rsqrt()
        out: Tensor = self.body(scaled)
        return out

    def styles(self, z: Tensor) -> Tensor:
        """w for each layer, ``(B, layers, n)``."""
        return self.mapping(z)[:, None].expand(-1, 2 * len(self.blocks), -1)

    def drawn(
        self, styles: Tensor, rng: torch.Generator | None, level: int, share: float
    ) -> Tensor:
        """Pictures of side 4 2^level; the finest scale counts by ``share``.

        Args:
            styles: w for each layer.
            rng: draws the noise inputs; None takes those of the network.
            level: the finest scale.
            share: its weight against the scale below, enlarged.
        """
        h = self.constant.expand(len(styles), -1, -1, -1)
        before = h
        for i in range(level + 1):
            before, h = h, self.blocks[i](h, styles[:, 2 * i], styles[:, 2 * i + 1], rng)
        picture: Tensor = self.colours[level](h)
        if share < 1.0:
            coarse = F.interpolate(self.colours[level - 1](before), scale_factor=2)
            picture = coarse.lerp(picture, share)
        return picture.sigmoid()


class Block(nn.Module):
    """A scale: enlarge (but the first), and two convolutions with noise and style."""

    def __init__(self, coarse: int, fine: int, latent: int, side: int) -> None:
        super().__init__()
        self.enlarges = side > CORNER
        self.convs = nn.ModuleList(
            _normal(nn.Conv2d(a, fine, 3, padding=1), 9 * a) for a in (coarse, fine)
        )
        self.affine = nn.ModuleList(_normal(nn.Linear(latent, 2 * fine), latent) for _ in range(2))
        self.strength = nn.Parameter(torch.zeros(2, fine, 1, 1))
        self.noise: Tensor
        self.register_buffer("noise", torch.randn(2, 1, side, side))

    def forward(self, h: Tensor, a: Tensor, b: Tensor, rng: torch.Generator | None) -> Tensor:
        """Features of this scale, from those of the coarser one and two styles."""
        if self.enlarges:
            h = F.interpolate(h, scale_factor=2)
        for i, w in enumerate((a, b)):
            h = self.convs[i](h)
            noise = self.noise[i].expand(len(h), -1, -1, -1)
            if rng is not None:
                noise = torch.randn(noise.shape, generator=rng, device=h.device)
            h = F.leaky_relu(h + self.strength[i] * noise.to(h.dtype), SLOPE)
            h = styled(h, self.affine[i](w))
        return h


def styled(h: Tensor, style: Tensor) -> Tensor:
    """(1 + s) (h - mean) / std + b by channel and picture: AdaIN (equation 1).

    Args:
        h: features ``(B, C, H, W)``.
        style: s and b, ``(B, 2 C)``.
    """
    scale, shift = style[..., None, None].chunk(2, 1)
    return (1 + scale) * F.instance_norm(h) + shift


def mixed(styles: Tensor, others: Tensor, first: Tensor) -> Tensor:
    """Styles ``(B, layers, n)`` with those of ``others`` ``(B, n)`` from layer ``first`` on."""
    layer = torch.arange(styles.shape[1], device=styles.device)
    late = layer[None] >= first[:, None]
    return torch.where(late[..., None], others[:, None], styles)


def _crossings(styles: Tensor, share: float, rng: torch.Generator) -> Tensor:
    """For each picture the first layer of the second code; past the last for 1 - ``share``."""
    batch, layers = styles.shape[:2]
    u = torch.rand(2, batch, generator=rng, device=styles.device)
    where = 1 + (u[0] * (layers - 1)).long()
    return torch.where(u[1] < share, where, layers)


class GrowingCritic(nn.Module):
    """Pictures of side 4 2^level -> a logit; a layer from colours at each scale."""

    def __init__(self, colors: int, size: int, width: int) -> None:
        super().__init__()
        widths = scales(size, width)
        self.colours = nn.ModuleList(_normal(nn.Conv2d(colors, w, 1), colors) for w in widths)
        self.convs = nn.ModuleList(
            _normal(nn.Conv2d(w, widths[max(i - 1, 0)], 3, padding=1), 9 * w)
            for i, w in enumerate(widths)
        )
        inner = widths[0] * CORNER**2
        self.last = _normal(nn.Linear(inner, 1), inner)

    def forward(self, x: Tensor, level: int, share: float) -> Tensor:
        """``(B, 1)``; the finest scale counts by ``share``."""
        x = 2 * x - 1
        h = F.leaky_relu(self.colours[level](x), SLOPE)
        for i in range(level, -1, -1):
            h = F.leaky_relu(self.convs[i](h), SLOPE)
            if i:
                h = F.avg_pool2d(h, 2)
            if i == level and share < 1.0:
                coarse = F.leaky_relu(self.colours[level - 1](F.avg_pool2d(x, 2)), SLOPE)
                h = coarse.lerp(h, share)
        out: Tensor = self.last(h.flatten(1))
        return out


def scales(size: int, width: int) -> list[int]:
    """Features at each scale from side 4 up to ``size``."""
    count = (size // CORNER).bit_length()
    return [width * min(8, 1 << max(0, count - 2 - i)) for i in range(count)]


def _normal(layer: nn.Module, fan: int) -> nn.Module:
    """``layer`` with weights that keep the scale of features under a leaky ReLU, biases zero."""
    assert isinstance(layer.weight, Tensor)
    assert isinstance(layer.bias, Tensor)
    nn.init.normal_(layer.weight, std=1.4 * fan**-0.5)
    nn.init.zeros_(layer.bias)
    return layer
