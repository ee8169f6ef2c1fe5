"""Quantiles of a stream of tensors, value by value, from histograms of fixed memory."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

BINS = 64
"""Bins of each histogram, a multiple of 4."""

SPAN = 5.0
"""Half the first width of a histogram, in standard deviations of the values it is made for."""


@dataclass(frozen=True)
class Histogram:
    """Counts in equal bins around a centre. A value outside doubles the width for its pixel.

    The bins are then merged two by two, so that counts stay exact. With 64 bins over 10 standard
    deviations, quantiles are interpolated between bins of 0.16 standard deviations.

    Attributes:
        centre: ``(...)``.
        half: half the width, > 0, ``(...)``.
        counts: ``(BINS, ...)``, int32.
    """

    centre: Tensor
    half: Tensor
    counts: Tensor

    @classmethod
    def around(cls, mean: Tensor, deviation: Tensor) -> Histogram:
        """Empty, for values of about this mean and standard deviation."""
        least = 1e-6 * (1 + mean.abs())
        half = torch.maximum(SPAN * deviation, least)
        counts = torch.zeros(BINS, *mean.shape, dtype=torch.int32, device=mean.device)
        return cls(mean, half, counts)

    def add(self, x: Tensor) -> Histogram:
        """After one more value ``(...)`` for each; takes over the counts, which change in place.

        What is not finite counts as the centre.
        """
        grown = self
        x = torch.where(x.isfinite(), x, self.centre)
        while bool((outside := (x - grown.centre).abs() >= grown.half).any()):
            grown = grown._widened(outside)
        share = (x - grown.centre) / grown.half  # in (-1, 1)
        index = ((share + 1) * (BINS / 2)).to(torch.int64).clamp(0, BINS - 1)
        one = torch.ones_like(index, dtype=torch.int32)
        grown.counts.scatter_add_(0, index[None], one[None])
        return grown

    def _widened(self, where: Tensor) -> Histogram:
        """Twice as wide where ``where`` is true."""
        merged = self.counts.view(BINS // 2, 2, *self.counts.shape[1:]).sum(1, dtype=torch.int32)
        empty = torch.zeros_like(merged[: BINS // 4])
        counts = torch.where(where, torch.cat([empty, merged, empty]), self.counts)
        return Histogram(self.centre, torch.where(where, 2 * self.half, self.half), counts)

    def quantile(self, share: float) -> Tensor:
        """The value below which ``share`` of the values lie, linear within a bin, ``(...)``."""
        below = self.counts.cumsum(0).to(self.centre.dtype)
        total = below[-1]
        target = share * total
        index = (below < target).sum(0).clamp_max(BINS - 1)
        before = torch.where(index > 0, below.gather(0, (index - 1).clamp_min(0)[None])[0], 0.0)
        inside = self.counts.gather(0, index[None])[0].to(before.dtype).clamp_min(1)
        place = index + ((target - before) / inside).clamp(0, 1)
        return self.centre + self.half * (place * (2 / BINS) - 1)
