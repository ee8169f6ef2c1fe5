"""Drawing pixel after pixel with a cache, and a particle filter for data.

A row of the vertical stack depends on rows above alone, so it is computed once a row; a pixel of
the horizontal stack takes two taps of the layer below. A picture then costs about one pass of the
network instead of one pass a pixel.
"""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ipx_plugins.pixelcnn.net import REACH, Layer, Net, gate


class Chain:
    """N pictures that grow in raster order; `logits` of the next pixel, then `put` its value."""

    def __init__(self, net: Net, count: int, width: int) -> None:
        first: Any = net.first
        like = first.down.weight
        self.net, self.width, self.like = net, width, like
        self.top = net.head[3].out_channels - 1  # type: ignore[operator,union-attr]
        blank = {"device": like.device, "dtype": like.dtype}
        # the last rows of the picture and of each vertical stack, oldest first
        self.seen = torch.zeros(count, 2, REACH + 1, width, **blank)
        features = first.out.weight.shape[0]
        self.rows = [
            torch.zeros(count, features, cast(Layer, layer).dilation + 1, width, **blank)
            for layer in net.layers
        ]
        reach = max([1, *(cast(Layer, layer).dilation for layer in net.layers)])
        self.across = [
            torch.zeros(count, features, reach + width, **blank) for _ in range(1 + len(net.layers))
        ]
        self.reach = reach
        self.links: list[Tensor] = []
        self.column = width

    def logits(self) -> Tensor:
        """``(N, levels)`` of the next pixel."""
        if self.column == self.width:
            self._next_row()
        c, net = self.column, self.net
        first: Any = net.first
        past = F.pad(self.seen[:, :, -1], (REACH, 0))[:, :, c : c + REACH]
        weight = first.across.weight[:, :, 0]
        a = torch.einsum("oik,bik->bo", weight, past) + first.across.bias + self.links[0][..., c]
        h = F.linear(gate(a), first.out.weight[..., 0, 0], first.out.bias)
        at = self.reach + c
        self.across[0][..., at] = h
        for i, each in enumerate(net.layers):
            layer: Any = each
            weight = layer.across.weight[:, :, 0]
            before = self.across[i][..., at - layer.dilation]
            a = F.linear(before, weight[..., 0]) + F.linear(h, weight[..., 1], layer.across.bias)
            a = a + self.links[i + 1][..., c]
            h = h + F.linear(gate(a), layer.out.weight[..., 0, 0], layer.out.bias)
            self.across[i + 1][..., at] = h
        out: Tensor = net.head(h[..., None, None])
        return out[..., 0, 0]

    def put(self, numbers: Tensor) -> None:
        """Set the next pixel to grey values by number, ``(N,)``."""
        self.seen[:, 0, -1, self.column] = 2 * numbers.to(self.like.dtype) / self.top - 1
        self.seen[:, 1, -1, self.column] = 1.0
        self.column += 1

    def select(self, which: Tensor) -> None:
        """Go on with these pictures, by number ``(N,)``, in place of the present ones."""
        self.seen = self.seen[which]
        self.rows = [row[which] for row in self.rows]
        self.across = [row[which] for row in self.across]
        self.links = [row[which] for row in self.links]

    def _next_row(self) -> None:
        """The vertical stack of the next row, and what it gives to the horizontal one."""
        first: Any = self.net.first
        down = first.down(F.pad(self.seen[:, :, 1:], (REACH, REACH)))
        self.links = [first.link(down)[:, :, 0]]
        v = gate(down)
        for i, each in enumerate(self.net.layers):
            layer: Any = each
            d = layer.dilation
            self.rows[i] = torch.cat([self.rows[i][:, :, 1:], v], 2)
            down = layer.down(F.pad(self.rows[i], (d, d)))
            self.links.append(layer.link(down)[:, :, 0])
            v = gate(down)
        self.seen = torch.cat([self.seen[:, :, 1:], torch.zeros_like(self.seen[:, :, :1])], 2)
        for row in self.across:
            row.zero_()
        self.column = 0


@torch.no_grad()
def posterior(
    net: Net, fit: Tensor, count: int, rng: torch.Generator, temperature: float = 1.0
) -> tuple[Tensor, Tensor]:
    """Draws from p(x | y) for data that tell pixels apart, with their weights.

    Each pixel is drawn from p(v | past) p(y_i | v), and a picture is weighted by the sum of that
    over v: the proposal of least variance. Where the weights of the pictures of one y differ so
    much that fewer than half of them count, they are drawn again by weight (systematic).

    Args:
        net: the network.
        fit: log p(y_i | x_i = v), ``(B, H, W, levels)``; zeros where nothing is known.
        count: pictures N for each y.
        rng: source of randomness, on the CPU.
        temperature: of p(v | past).

    Returns:
        Numbers of grey values ``(B, N, H, W)``, and weights ``(B, N)`` that sum to 1.
    """
    batch, height, width, _ = fit.shape
    chain = Chain(net, batch * count, width)
    fit = fit.to(chain.like)
    found = torch.zeros(batch * count, height, width, dtype=torch.long, device=fit.device)
    told = fit.ne(0).any(-1).any(0).tolist()
    score = torch.zeros(batch, count, dtype=fit.dtype, device=fit.device)
    for r in range(height):
        for c in range(width):
            joint = (chain.logits() / temperature).log_softmax(1)
            if told[r][c]:
                joint = joint + fit[:, r, c].repeat_interleave(count, 0)
                score = score + joint.logsumexp(1).view(batch, count)
            numbers = _drawn(joint, rng)
            found[:, r, c] = numbers
            chain.put(numbers)
            if told[r][c] and count > 1 and bool((_effective(score) < count / 2).any()):
                which, score = _resampled(score, rng)
                chain.select(which)
                found = found[which]
    return found.view(batch, count, height, width), score.softmax(1)


def _drawn(joint: Tensor, rng: torch.Generator) -> Tensor:
    """A number from each row of unnormalised log probabilities, by inversion."""
    total = joint.softmax(1).cumsum(1)
    u = torch.rand(len(joint), 1, generator=rng).to(joint)
    # the last of the sums may be a rounding error below 1
    return (total < u * total[:, -1:]).sum(1).clamp_max(joint.shape[1] - 1)


def _effective(score: Tensor) -> Tensor:
    """Number of pictures that count, 1 / sum of squared weights, ``(B,)``."""
    return 1 / score.softmax(1).square().sum(1)


def _resampled(score: Tensor, rng: torch.Generator) -> tuple[Tensor, Tensor]:
    """Pictures drawn by weight where too few count: which, flat, and the new log weights."""
    batch, count = score.shape
    steps = (torch.arange(count) + torch.rand(batch, 1, generator=rng)) / count
    edges = score.softmax(1).cumsum(1)
    which = torch.searchsorted(edges, steps.to(score)).clamp_max(count - 1)
    few = (_effective(score) < count / 2)[:, None]
    which = torch.where(few, which, torch.arange(count, device=score.device))
    first = torch.arange(batch, device=score.device)[:, None] * count
    return (which + first).flatten(), torch.where(few, 0.0, score)
