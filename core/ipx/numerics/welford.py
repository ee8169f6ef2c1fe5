"""Mean and variance of a stream of tensors in one pass (Welford, Technometrics 4, 1962)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Moments:
    """Count, mean and sum of squared deviations of what was seen so far."""

    count: int
    mean: Tensor
    squares: Tensor

    @classmethod
    def of(cls, x: Tensor) -> Moments:
        """After one value."""
        return cls(1, x, torch.zeros_like(x))

    def add(self, x: Tensor) -> Moments:
        """After one value more, of the same shape."""
        n = self.count + 1
        off = x - self.mean
        mean = self.mean + off / n
        return Moments(n, mean, self.squares + off * (x - mean))

    @property
    def variance(self) -> Tensor:
        """Unbiased; zero after a single value."""
        return self.squares / max(self.count - 1, 1)
