"""Mean and variance of a stream of tensors in one pass (Welford, Technometrics 4, 1962)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ipx.numerics.tensors import column


@dataclass(frozen=True)
class Moments:
    """Running moments, image by image.

    Attributes:
        count: number of values, ``(B,)``.
        mean: their mean, ``(B, ...)``; 0 before the first.
        squares: sum of squared deviations from the mean, ``(B, ...)``.
    """

    count: Tensor
    mean: Tensor
    squares: Tensor

    @classmethod
    def zero(cls, like: Tensor) -> Moments:
        """Before the first value."""
        nothing = torch.zeros_like(like)
        return cls(like.new_zeros(len(like)), nothing, nothing)

    def add(self, x: Tensor, take: Tensor | None = None) -> Moments:
        """After one more value, for the images where ``take`` ``(B,)`` is true."""
        take = torch.ones_like(self.count, dtype=torch.bool) if take is None else take
        n = self.count + take
        off = torch.where(column(take, x), x - self.mean, 0.0)
        step = off / column(n.clamp_min(1), x)
        return Moments(n, self.mean + step, self.squares + off * (off - step))

    @property
    def variance(self) -> Tensor:
        """Unbiased variance; zero after a single value."""
        return self.squares / column((self.count - 1).clamp_min(1), self.squares)
