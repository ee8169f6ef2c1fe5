"""The running means of Adam (Kingma, Ba, ICLR 2015, algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class AdamMoments:
    """Running mean of the gradient and of its square, and how many gradients they hold.

    A step goes along ``-corrected() / rms()``, whose entries are about 1 in size.
    """

    mean: Tensor
    square: Tensor
    steps: int = 0
    beta1: float = 0.9
    beta2: float = 0.999

    @classmethod
    def zero(cls, like: Tensor, beta1: float = 0.9, beta2: float = 0.999) -> AdamMoments:
        """Before the first gradient, which has the shape of ``like``."""
        nothing = torch.zeros_like(like)
        return cls(nothing, nothing, 0, beta1, beta2)

    def add(self, gradient: Tensor) -> AdamMoments:
        """With one gradient more."""
        return AdamMoments(
            torch.lerp(gradient, self.mean, self.beta1),
            torch.lerp(gradient * gradient, self.square, self.beta2),
            self.steps + 1,
            self.beta1,
            self.beta2,
        )

    @property
    def bias(self) -> float:
        """What the mean falls short of by beginning at zero, 1 - beta1^k."""
        return 1 - self.beta1**self.steps

    def corrected(self) -> Tensor:
        """The mean without that bias."""
        return self.mean / self.bias

    def rms(self, floor: float = 0.0) -> Tensor:
        """Root of the mean square without its bias; ``floor`` is added to the square."""
        return torch.sqrt(self.square / (1 - self.beta2**self.steps) + floor)
