"""Sums, products, norms and scalars image by image, for tensors with the batch first."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ipx.declare.capabilities import Scalar
from ipx.numerics.memory import LARGE

GOLDEN = (math.sqrt(5) - 1) / 2
"""The fractions of its multiples are spread evenly."""


def per_image(value: Scalar, like: Tensor) -> Scalar:
    """A per-image scalar ``(B,)`` shaped to broadcast against ``like`` ``(B, ...)``.

    Floats, tensors of shape ``()`` and tensors with as many axes as ``like`` keep their shape.
    """
    if isinstance(value, Tensor):
        if value.dtype is not torch.bool:
            value = value.to(dtype=like.dtype, device=like.device)
        if value.ndim == 1:
            return column(value, like)
    return value


def vector(value: Scalar, like: Tensor) -> Tensor:
    """A scalar as one value per image, ``(B,)``."""
    made = torch.as_tensor(value, dtype=like.dtype, device=like.device)
    return made.expand(like.shape[0])


def levels(sigma: Scalar, like: Tensor) -> Tensor:
    """A noise level per image, ``(B,)``; of a map ``(B, ...)`` the root mean square."""
    level = torch.as_tensor(sigma, dtype=like.dtype, device=like.device)
    if level.ndim > 1:
        level = level.flatten(1).square().mean(1).sqrt()
    return level.expand(len(like))


def column(value: Tensor, like: Tensor) -> Tensor:
    """One value per image ``(B,)``, shaped to broadcast against ``like`` ``(B, ...)``."""
    return value.view(-1, *([1] * (like.ndim - 1)))


def image_sum(x: Tensor) -> Tensor:
    """Sums image by image: ``(B,)``."""
    return x.flatten(1).sum(1)


def image_dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner products image by image: ``(B,)``."""
    return image_sum(a * b)


def image_norm(x: Tensor) -> Tensor:
    """Euclidean norms image by image: ``(B,)``."""
    norm: Tensor = torch.linalg.vector_norm(x.flatten(1), dim=1)
    return norm


def image_distance(a: Tensor, b: Tensor) -> Tensor:
    """Euclidean norms of a - b image by image, ``(B,)``; large differences are made in parts."""
    if a.nbytes <= LARGE:
        return image_norm(a - b)
    each = max(1, LARGE // (len(a) * a.element_size()))
    pairs = zip(*(torch.split(v.flatten(1), each, 1) for v in (a, b)), strict=True)
    return image_norm(torch.stack([image_norm(p - q) for p, q in pairs], 1))


def spread(n: int, most: int) -> list[int]:
    """At most so many indices into n planes, evenly spaced."""
    taken = min(n, most)
    return [(2 * i + 1) * n // (2 * taken) for i in range(taken)]


def planes(x: Tensor, most: int) -> Tensor:
    """At most so many planes of volumes, as images ``(B n, C, H, W)``; images as they are."""
    if x.ndim != 5:
        return x
    return x[:, :, spread(x.shape[2], most)].transpose(1, 2).flatten(0, 1)


def count(shape: tuple[int, ...]) -> int:
    """The number of values in an array of this shape."""
    return math.prod(shape)


def mirrored(n: int, length: int, device: torch.device, first: int = 0) -> Tensor:
    """Indices into n values for half-sample symmetric extension, ``(length,)``, from ``first`` on.

    The border value is repeated: 0 .. n-1, n-1 .. 0, 0 .. n-1, and so on in both directions.
    """
    i = torch.arange(first, first + length, device=device) % (2 * n)
    return torch.minimum(i, 2 * n - 1 - i)


def squares(y: Tensor, side: int, count: int, block: int = 1) -> Tensor:
    """``count`` x ``count`` squares of a large image, side by side, as an image.

    Each lies somewhere in its own part of the image, at other offsets than its neighbours, so that
    what repeats in the image does not decide what is seen. White noise stays white noise.

    Args:
        y: ``(B, C, H, W)``.
        side: of a square, in pixels.
        count: squares along each side.
        block: rows and columns at which squares begin are multiples of it.

    Returns:
        ``(B, C, count * side, count * side)``, or y itself where that is half of it or more.
    """
    height, width = y.shape[-2:]
    if min(height, width) < count * side or height * width < 2 * (count * side) ** 2:
        return y

    def begin(n: int, part: int, turn: int) -> int:
        free = n // count - side
        return (part * n // count + int(free * ((turn * GOLDEN) % 1.0))) // block * block

    rows = []
    for i in range(count):
        tops = [begin(height, i, 1 + i + 2 * count * j) for j in range(count)]
        lefts = [begin(width, j, 2 + j + 3 * count * i) for j in range(count)]
        cut = [
            y[..., top : top + side, left : left + side]
            for top, left in zip(tops, lefts, strict=True)
        ]
        rows.append(torch.cat(cut, -1))
    return torch.cat(rows, -2)


def opponent(channels: int, like: Tensor) -> Tensor:
    """The orthonormal transform of colours to grey and two differences, ``(C, C)``.

    It makes the channels of photographs nearly uncorrelated. The identity for other than three
    channels; of the type and on the device of ``like``.
    """
    if channels != 3:
        return torch.eye(channels, dtype=like.dtype, device=like.device)
    rows = torch.tensor([[1, 1, 1], [1, 0, -1], [1, -2, 1]], dtype=torch.float64)
    unit: Tensor = rows / rows.norm(dim=1, keepdim=True)
    return unit.to(like)


def normal_like(x: Tensor, rng: torch.Generator) -> Tensor:
    """Standard normal numbers of the shape, dtype and device of ``x``, drawn from ``rng``."""
    return torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype)
