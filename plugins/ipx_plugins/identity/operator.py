"""A x = x."""

from __future__ import annotations

import torch
from torch import Tensor

from ipx import LinearOperator, NoOptions, Spectral


class Identity(LinearOperator[NoOptions]):
    """A x = x, for images of any shape."""

    def forward(self, x: Tensor) -> Tensor:
        """x itself."""
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        """y itself."""
        return y

    def diagonal(self, like: Tensor) -> Tensor:
        """1."""
        return torch.ones((), dtype=like.dtype, device=like.device)

    def spectrum(self, like: Tensor) -> Spectral:
        """A^T A = I, diagonal in every transform."""
        return Spectral("any", self.diagonal(like))

    def norm(self) -> float:
        """1."""
        return 1.0
