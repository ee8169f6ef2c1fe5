"""Tensors with the batch first: sums, products, norms and scalars image by image."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ipx.declare.capabilities import Scalar


def per_image(value: Scalar, like: Tensor) -> Scalar:
    """Shape a per-image scalar ``(B,)`` so that it broadcasts against ``like`` ``(B, ...)``.

    A float and a tensor of shape ``()`` pass through; a tensor that already has the number of
    dimensions of ``like`` (one value per pixel) does too.
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


def column(value: Tensor, like: Tensor) -> Tensor:
    """One value per image ``(B,)``, shaped to broadcast against ``like`` ``(B, ...)``."""
    return value.view(-1, *([1] * (like.ndim - 1)))


def image_sum(x: Tensor) -> Tensor:
    """Sum over everything but the batch: ``(B,)``."""
    return x.flatten(1).sum(1)


def image_dot(a: Tensor, b: Tensor) -> Tensor:
    """Inner products image by image: ``(B,)``."""
    return image_sum(a * b)


def image_norm(x: Tensor) -> Tensor:
    """Euclidean norms image by image: ``(B,)``."""
    norm: Tensor = torch.linalg.vector_norm(x.flatten(1), dim=1)
    return norm


def count(shape: tuple[int, ...]) -> int:
    """Number of values of one image of this shape."""
    return math.prod(shape)


def mirrored(n: int, length: int, device: torch.device, first: int = 0) -> Tensor:
    """``length`` indices from ``first`` on into n values continued by mirroring, ``(length,)``.

    The value at the border is repeated: 0 .. n-1, n-1 .. 0, 0 .. n-1, and so on both ways.
    """
    i = torch.arange(first, first + length, device=device) % (2 * n)
    return torch.minimum(i, 2 * n - 1 - i)


def normal_like(x: Tensor, rng: torch.Generator) -> Tensor:
    """Standard normal numbers of the shape, type and device of ``x``; ``rng`` is on that device."""
    return torch.randn(x.shape, generator=rng, device=x.device, dtype=x.dtype)
