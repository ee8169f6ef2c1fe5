"""The running means of Adam (Kingma, Ba, ICLR 2015, algorithm 1)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class AdamMoments:
    """Running means of the gradient and of its square after ``steps`` gradients.

    The direction of a step is ``-corrected() / rms()``, with entries of about unit size.
    """

    mean: Tensor
    square: Tensor
    steps: int = 0
    beta1: float = 0.9
    beta2: float = 0.999

    @classmethod
    def zero(cls, like: Tensor, beta1: float = 0.9, beta2: float = 0.999) -> AdamMoments:
        """Before the first gradient, of the shape of ``like``."""
        nothing = torch.zeros_like(like)
        return cls(nothing, nothing, 0, beta1, beta2)

    def add(self, gradient: Tensor) -> AdamMoments:
        """After one more gradient."""
        return AdamMoments(
            torch.lerp(gradient, self.mean, self.beta1),
            torch.lerp(gradient * gradient, self.square, self.beta2),
            self.steps + 1,
            self.beta1,
            self.beta2,
        )

    @property
    def bias(self) -> float:
        """1 - beta1^k, the bias of the mean from its start at zero."""
        return 1 - self.beta1**self.steps

    def corrected(self) -> Tensor:
        """The mean, bias-corrected."""
        return self.mean / self.bias

    def rms(self, floor: float = 0.0) -> Tensor:
        """Root of the bias-corrected mean square plus ``floor``."""
        return torch.sqrt(self.square / (1 - self.beta2**self.steps) + floor)
