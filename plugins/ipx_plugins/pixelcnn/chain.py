"""Drawing pixel after pixel with a cache, and a particle filter for data.

A row of the vertical stack depends on rows above alone, so it is computed once a row; a pixel of
the horizontal stack takes two taps of the layer below. A picture then costs about one pass of the
network instead of one pass a pixel.
"""

from __future__ import annotations

from typing import Any, NamedTuple, cast

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ipx_plugins.pixelcnn.net import REACH, Layer, Net, gate


class _Tap(NamedTuple):
    """Weights of a horizontal layer for one pixel, transposed for products from the right."""

    dilation: int
    before: Tensor
    now: Tensor
    out: Tensor
    bias: Tensor


class Chain:
    """N pictures that grow in raster order; `logits` of the next pixel, then `put` its value."""

    def __init__(self, net: Net, count: int, width: int) -> None:
        first: Any = net.first
        like = first.down.weight
        self.net, self.width, self.like = net, width, like
        head: Any = net.head
        self.top = head[3].out_channels - 1
        self.head = [(c.weight[..., 0, 0].T.contiguous(), c.bias) for c in (head[1], head[3])]
        self.taps = [_tap(cast(Layer, layer)) for layer in net.layers]
        self.look = first.across.weight[:, :, 0].flatten(1).T.contiguous()
        self.out = (first.out.weight[..., 0, 0].T.contiguous(), first.out.bias)
        blank = {"device": like.device, "dtype": like.dtype}
        # the last rows of the picture and of each vertical stack, oldest first
        self.seen = torch.zeros(count, 2, REACH + 1, REACH + width, **blank)
        features = first.out.weight.shape[0]
        self.rows = [
            torch.zeros(count, features, tap.dilation + 1, width, **blank) for tap in self.taps
        ]
        # the row of each horizontal stack, pixel by pixel, after ``reach`` zeros
        self.reach = max([1, *(tap.dilation for tap in self.taps)])
        shape = (self.reach + width, count, features)
        self.across = [torch.zeros(shape, **blank) for _ in range(1 + len(self.taps))]
        self.links: list[Tensor] = []
        self.column = width

    def logits(self) -> Tensor:
        """``(N, levels)`` of the next pixel."""
        if self.column == self.width:
            self._next_row()
        c, at = self.column, self.reach + self.column
        past = self.seen[:, :, -1, c : c + REACH].flatten(1)
        h = torch.addmm(self.out[1], _gated(self.links[0][c].addmm(past, self.look)), self.out[0])
        self.across[0][at] = h
        for i, tap in enumerate(self.taps):
            a = self.links[i + 1][c].addmm(self.across[i][at - tap.dilation], tap.before)
            new = self.across[i + 1][at]
            torch.addmm(h, _gated(a.addmm_(h, tap.now)), tap.out, out=new)
            h = new.add_(tap.bias)
        for weight, bias in self.head:
            h = torch.addmm(bias, h.relu(), weight)
        return h

    def put(self, numbers: Tensor) -> None:
        """Set the next pixel to grey values by number, ``(N,)``."""
        at = REACH + self.column
        self.seen[:, 0, -1, at] = numbers.to(self.like.dtype) * (2 / self.top) - 1
        self.seen[:, 1, -1, at] = 1.0
        self.column += 1

    def select(self, which: Tensor) -> None:
        """Go on with these pictures, by number ``(N,)``, in place of the present ones."""
        self.seen = self.seen[which]
        self.rows = [row[which] for row in self.rows]
        self.across = [row[:, which] for row in self.across]
        self.links = [row[:, which] for row in self.links]

    def _next_row(self) -> None:
        """The vertical stack of the next row, and what it gives to the horizontal one."""
        first: Any = self.net.first
        down = first.down(F.pad(self.seen[:, :, 1:], (0, REACH)))
        self.links = [_by_pixel(first.link(down), first.across.bias)]
        v = gate(down)
        for i, each in enumerate(self.net.layers):
            layer: Any = each
            d = layer.dilation
            self.rows[i] = torch.cat([self.rows[i][:, :, 1:], v], 2)
            down = layer.down(F.pad(self.rows[i], (d, d)))
            self.links.append(_by_pixel(layer.link(down), layer.across.bias))
            v = gate(down)
        self.seen = torch.cat([self.seen[:, :, 1:], torch.zeros_like(self.seen[:, :, :1])], 2)
        for row in self.across:
            row.zero_()
        self.column = 0


def _tap(layer: Layer) -> _Tap:
    before, now = layer.across.weight[:, :, 0].unbind(2)
    out = layer.out.weight[..., 0, 0]
    bias = layer.out.bias
    assert bias is not None
    return _Tap(layer.dilation, before.T.contiguous(), now.T.contiguous(), out.T.contiguous(), bias)


def _gated(a: Tensor) -> Tensor:
    """`gate` of ``(N, 2 C)``."""
    half = a.shape[1] // 2
    return a[:, :half].tanh() * a[:, half:].sigmoid()


def _by_pixel(row: Tensor, bias: Tensor) -> Tensor:
    """``(W, N, C)`` from a row ``(N, C, 1, W)`` plus a bias ``(C,)``."""
    return row[:, :, 0].permute(2, 0, 1).contiguous() + bias


@torch.no_grad()
def posterior(
    net: Net,
    fit: Tensor,
    count: int,
    rng: torch.Generator,
    temperature: float = 1.0,
    alike: bool = True,
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
        alike: each y gets the same random numbers, so that a batch is many single pictures.

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
            numbers = _drawn(joint, _uniform(batch, count, alike, rng))
            found[:, r, c] = numbers
            chain.put(numbers)
            if told[r][c] and count > 1 and bool((_effective(score) < count / 2).any()):
                which, score = _resampled(score, _uniform(batch, 1, alike, rng))
                chain.select(which)
                found = found[which]
    return found.view(batch, count, height, width), score.softmax(1)


def _uniform(batch: int, count: int, alike: bool, rng: torch.Generator) -> Tensor:
    """Random numbers in [0, 1), ``(batch, count)``."""
    if alike:
        return torch.rand(1, count, generator=rng).expand(batch, -1)
    return torch.rand(batch, count, generator=rng)


def _drawn(joint: Tensor, u: Tensor) -> Tensor:
    """A number from each row of unnormalised log probabilities, by inversion of ``u``."""
    total = joint.softmax(1).cumsum(1)
    # the last of the sums may be a rounding error below 1
    return (total < u.reshape(-1, 1).to(joint) * total[:, -1:]).sum(1).clamp_max(joint.shape[1] - 1)


def _effective(score: Tensor) -> Tensor:
    """Number of pictures that count, 1 / sum of squared weights, ``(B,)``."""
    return 1 / score.softmax(1).square().sum(1)


def _resampled(score: Tensor, u: Tensor) -> tuple[Tensor, Tensor]:
    """Pictures drawn by weight where too few count: which, flat, and the new log weights."""
    batch, count = score.shape
    steps = (torch.arange(count) + u) / count
    edges = score.softmax(1).cumsum(1)
    which = torch.searchsorted(edges, steps.to(score)).clamp_max(count - 1)
    few = (_effective(score) < count / 2)[:, None]
    which = torch.where(few, which, torch.arange(count, device=score.device))
    first = torch.arange(batch, device=score.device)[:, None] * count
    return (which + first).flatten(), torch.where(few, 0.0, score)
