"""Mean, principal components and the spectrum of the rest, batch by batch."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ipx_plugins.pca_gaussian.covariance import Covariance, transformed

FLOOR = (0.3 / 255) ** 2
"""Least variance of a coefficient: that of the errors of 8-bit pixels."""

_SPARE = 2  # components kept on the way, over those asked for: they may grow in later batches


@dataclass(frozen=True)
class Moments:
    """What is known of N images c = T x.

    Attributes:
        count: N.
        mean: of c, ``(C, H, W)``.
        square: mean square of c - mean, ``(C, H, W)``.
        axes: principal components times the root of their share of the scatter, ``(q, n)``.
    """

    count: int
    mean: Tensor
    square: Tensor
    axes: Tensor

    @staticmethod
    def of(batch: Tensor, rank: int) -> Moments:
        """Of a batch ``(B, C, H, W)``."""
        c = transformed(batch.double())
        mean = c.mean(0)
        away = c - mean
        return Moments(len(c), mean, away.square().mean(0), _principal(away.flatten(1), rank))

    def joined(self, other: Moments, rank: int) -> Moments:
        """Of both sets of images (Ross, Lim, Lin, Yang, IJCV 77, 2008)."""
        n = self.count + other.count
        a, b = self.count / n, other.count / n
        step = other.mean - self.mean
        shift = (self.count * b) ** 0.5 * step.flatten()[None]  # scatter of the two means
        rows = torch.cat([self.axes, other.axes, shift])
        square = a * self.square + b * other.square + a * b * step.square()
        return Moments(n, self.mean + b * step, square, _principal(rows, rank))

    def covariance(self, rank: int) -> Covariance:
        """The ``rank`` strongest components, and the spectrum of the rest."""
        factor = self.axes[:rank] / self.count**0.5
        if len(factor) < rank:
            factor = torch.cat([factor, factor.new_zeros(rank - len(factor), factor.shape[1])])
        factor = factor.view(-1, *self.mean.shape)
        rest = (self.square - factor.square().sum(0)).clamp_min(FLOOR)
        return Covariance(factor, rest)


def _principal(rows: Tensor, rank: int) -> Tensor:
    """The strongest right singular vectors of rows ``(m, n)``, times their singular values."""
    vectors: Tensor = torch.linalg.eigh(rows @ rows.mT)[1]  # ascending
    return vectors.flip(1)[:, : rank * _SPARE].mT @ rows
