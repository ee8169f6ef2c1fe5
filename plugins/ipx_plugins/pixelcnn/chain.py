"""Drawing pixel after pixel with a cache, and a particle filter for data.

A row of the vertical stack depends on rows above alone, so it is computed once a row; a pixel of
the horizontal stack takes two taps of the layer below. A picture then costs about one pass of the
network instead of one pass a pixel. What is done for each pixel is in NumPy on the CPU: arrays
are so small that a call of torch would take longer than its arithmetic.
"""

from __future__ import annotations

from typing import Any, NamedTuple, TypeAlias, cast

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from ipx_plugins.pixelcnn.net import REACH, Layer, Net, gate

Floats: TypeAlias = npt.NDArray[np.float32]
Ints: TypeAlias = npt.NDArray[np.int64]


class _Tap(NamedTuple):
    """Weights of a horizontal layer for one pixel, transposed for products from the right."""

    dilation: int
    before: Floats
    now: Floats
    out: Floats
    bias: Floats


class Chain:
    """N pictures that grow in raster order; `logits` of the next pixel, then `put` its value."""

    def __init__(self, net: Net, count: int, width: int) -> None:
        first: Any = net.first
        head: Any = net.head
        self.net, self.width = net, width
        self.top = head[3].out_channels - 1
        self.head = [(_plain(c.weight[..., 0, 0].T), _plain(c.bias)) for c in (head[1], head[3])]
        self.taps = [_tap(cast(Layer, layer)) for layer in net.layers]
        self.look = _halved(_plain(first.across.weight[:, :, 0].flatten(1).T))
        self.out = _plain(first.out.weight[..., 0, 0].T / 2), _plain(first.out.bias)
        # the last rows of the picture and of each vertical stack, oldest first
        self.seen = np.zeros((count, 2, REACH + 1, REACH + width), np.float32)
        features = first.out.weight.shape[0]
        self.rows = [torch.zeros(count, features, t.dilation + 1, width) for t in self.taps]
        # the row of each horizontal stack, pixel by pixel, after ``reach`` zeros
        self.reach = max([1, *(tap.dilation for tap in self.taps)])
        shape = (1 + len(self.taps), self.reach + width, count, features)
        self.across: Floats = np.zeros(shape, np.float32)
        self.links: list[Floats] = []
        self.column = width

    def logits(self) -> Floats:
        """``(N, levels)`` of the next pixel."""
        if self.column == self.width:
            self._next_row()
        c, at = self.column, self.reach + self.column
        past = self.seen[:, :, -1, c : c + REACH].reshape(len(self.seen), -1)
        h = _gated(past @ self.look + self.links[0][c]) @ self.out[0] + self.out[1]
        self.across[0, at] = h
        for i, tap in enumerate(self.taps):
            a = self.across[i, at - tap.dilation] @ tap.before
            a += h @ tap.now
            a += self.links[i + 1][c]
            h = h + _gated(a) @ tap.out
            h += tap.bias
            self.across[i + 1, at] = h
        for weight, bias in self.head:
            h = np.maximum(h, 0) @ weight + bias
        return h

    def put(self, numbers: Ints) -> None:
        """Set the next pixel to grey values by number, ``(N,)``."""
        at = REACH + self.column
        self.seen[:, 0, -1, at] = numbers * (2 / self.top) - 1
        self.seen[:, 1, -1, at] = 1.0
        self.column += 1

    def select(self, which: Ints) -> None:
        """Go on with these pictures, by number ``(N,)``, in place of the present ones."""
        self.seen = self.seen[which]
        self.rows = [row[torch.from_numpy(which)] for row in self.rows]
        self.across = self.across[:, :, which]
        self.links = [row[:, which] for row in self.links]

    @torch.no_grad()
    def _next_row(self) -> None:
        """The vertical stack of the next row, and what it gives to the horizontal one."""
        first: Any = self.net.first
        above = torch.from_numpy(self.seen[:, :, 1:])
        down = first.down(F.pad(above, (0, REACH)))
        self.links = [_by_pixel(first.link(down), first.across.bias)]
        v = gate(down)
        for i, each in enumerate(self.net.layers):
            layer: Any = each
            d = layer.dilation
            self.rows[i] = torch.cat([self.rows[i][:, :, 1:], v], 2)
            down = layer.down(F.pad(self.rows[i], (d, d)))
            self.links.append(_by_pixel(layer.link(down), layer.across.bias))
            v = gate(down)
        self.seen = np.concatenate([self.seen[:, :, 1:], np.zeros_like(self.seen[:, :, :1])], 2)
        self.across[:] = 0
        self.column = 0


def _plain(t: Tensor) -> Floats:
    """A contiguous array of weights."""
    return np.ascontiguousarray(t.detach().numpy(), np.float32)


def _halved(weight: Floats) -> Floats:
    """``(..., 2 C)`` with the half of the gates divided by 2, as `_gated` wants it."""
    weight = weight.copy()
    weight[..., weight.shape[-1] // 2 :] /= 2
    return weight


def _tap(layer: Layer) -> _Tap:
    before, now = layer.across.weight[:, :, 0].unbind(2)
    out = layer.out.weight[..., 0, 0]
    assert layer.out.bias is not None
    return _Tap(
        layer.dilation,
        _halved(_plain(before.T)),
        _halved(_plain(now.T)),
        _plain(out.T / 2),
        _plain(layer.out.bias),
    )


def _gated(a: Floats) -> Floats:
    """Twice the `gate` of (a, 2 b) for ``(N, 2 C)``: sigmoid(2 b) = (1 + tanh b) / 2."""
    both = np.tanh(a)
    half = a.shape[1] // 2
    first = both[:, :half]
    gated: Floats = first * both[:, half:] + first
    return gated


def _by_pixel(row: Tensor, bias: Tensor) -> Floats:
    """``(W, N, 2 C)`` from a row ``(N, 2 C, 1, W)`` plus a bias, for `_gated`."""
    return _halved(_plain(row[:, :, 0].permute(2, 0, 1) + bias))


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
        net: the network, on the CPU, in float32.
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
    known = fit.detach().cpu().double().numpy()
    told = (known != 0).any(-1).any(0)
    found = np.zeros((batch * count, height, width), np.int64)
    score = np.zeros((batch, count))
    for r in range(height):
        for c in range(width):
            joint = _log_softmax(chain.logits() / temperature)
            if told[r, c]:
                joint = joint + known[:, r, c].repeat(count, 0)
                score = score + _log_sum(joint)[:, 0].reshape(batch, count)
            numbers = _drawn(joint, _uniform(batch, count, alike, rng))
            found[:, r, c] = numbers
            chain.put(numbers)
            if told[r, c] and count > 1 and (_effective(score) < count / 2).any():
                which, score = _resampled(score, _uniform(batch, 1, alike, rng))
                chain.select(which)
                found = found[which]
    weights = np.exp(_log_softmax(score))
    shaped = found.reshape(batch, count, height, width)
    return torch.from_numpy(shaped), torch.from_numpy(weights).float()


def _log_sum(a: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """log sum exp of each row, ``(N, 1)``."""
    most = a.max(1, keepdims=True)
    total: npt.NDArray[Any] = np.log(np.exp(a - most).sum(1, keepdims=True)) + most
    return total


def _log_softmax(a: npt.NDArray[Any]) -> npt.NDArray[Any]:
    total: npt.NDArray[Any] = a.astype(np.float64) - _log_sum(a.astype(np.float64))
    return total


def _uniform(batch: int, count: int, alike: bool, rng: torch.Generator) -> npt.NDArray[np.float64]:
    """Random numbers in [0, 1), ``(batch, count)``."""
    drawn = torch.rand(1 if alike else batch, count, generator=rng, dtype=torch.float64).numpy()
    return np.broadcast_to(drawn, (batch, count))


def _drawn(joint: npt.NDArray[Any], u: npt.NDArray[np.float64]) -> Ints:
    """A number from each row of unnormalised log probabilities, by inversion of ``u``."""
    total = np.exp(joint - joint.max(1, keepdims=True)).cumsum(1)
    below: Ints = (total <= u.reshape(-1, 1) * total[:, -1:]).sum(1)
    return below


def _effective(score: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Number of pictures that count, 1 / sum of squared weights, ``(B,)``."""
    total: npt.NDArray[np.float64] = 1 / (np.exp(_log_softmax(score)) ** 2).sum(1)
    return total


def _resampled(
    score: npt.NDArray[np.float64], u: npt.NDArray[np.float64]
) -> tuple[Ints, npt.NDArray[np.float64]]:
    """Pictures drawn by weight where too few count: which, flat, and the new log weights."""
    batch, count = score.shape
    steps = (np.arange(count) + u) / count
    edges = np.exp(_log_softmax(score)).cumsum(1)
    few = _effective(score) < count / 2
    which = np.tile(np.arange(count), (batch, 1))
    for k in np.flatnonzero(few):
        which[k] = np.searchsorted(edges[k], steps[k]).clip(max=count - 1)
    flat = (which + count * np.arange(batch)[:, None]).ravel()
    return flat, np.where(few[:, None], 0.0, score)
