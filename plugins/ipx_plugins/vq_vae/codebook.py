"""The codebook: nearest vectors, straight-through gradients, running means, dead vectors."""

from __future__ import annotations

import torch
from torch import Tensor, nn

_DEAD = 0.05
"""Running count, relative to an even use, below which a vector is moved to a vector in use."""


class Codebook(nn.Module):
    """K vectors of length d.

    Attributes:
        vectors: ``(K, d)``.
        count: running number of codes nearest to each vector in a batch, ``(K,)``.
        total: running sum of these codes, ``(K, d)``.
    """

    vectors: Tensor
    count: Tensor
    total: Tensor

    def __init__(self, entries: int, dimension: int) -> None:
        super().__init__()
        start = torch.randn(entries, dimension)
        self.register_buffer("vectors", start)
        self.register_buffer("count", torch.ones(entries))
        self.register_buffer("total", start.clone())

    def nearest(self, z: Tensor) -> Tensor:
        """Numbers of the nearest vectors: ``(..., d)`` to ``(...)`` int64."""
        flat = z.reshape(-1, z.shape[-1])
        v = self.vectors.to(z)
        apart = v.square().sum(1) - 2 * flat @ v.T  # up to |z|^2
        return apart.argmin(1).view(z.shape[:-1])

    def forward(self, z: Tensor) -> Tensor:
        """The nearest vectors, shape of ``z``; their gradient in ``z`` is taken as 1."""
        chosen = self.vectors.to(z)[self.nearest(z)]
        return z + (chosen - z).detach()

    @torch.no_grad()
    def update(self, z: Tensor, decay: float, rng: torch.Generator) -> None:
        """Move each vector to the running mean of its codes (appendix A.1 of the VQ-VAE paper).

        A vector that is hardly used is put on a code of this batch, drawn at random.
        """
        flat = z.reshape(-1, z.shape[-1]).to(self.vectors)
        index = self.nearest(flat)
        ones = torch.ones(len(flat), dtype=flat.dtype, device=flat.device)
        now = torch.zeros_like(self.count).index_add_(0, index, ones)
        self.count.lerp_(now, 1 - decay)
        self.total.lerp_(torch.zeros_like(self.total).index_add_(0, index, flat), 1 - decay)
        even = len(flat) / len(self.vectors)
        dead = self.count < _DEAD * even
        picks = torch.randint(len(flat), (len(self.count),), generator=rng, device=flat.device)
        self.total[dead] = flat[picks][dead] * even
        self.count[dead] = even
        self.vectors.copy_(self.total / self.count[:, None])
