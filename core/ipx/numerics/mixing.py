"""How well Markov chains have mixed: effective sample size and R-hat of scalar statistics.

Vehtari, Gelman, Simpson, Carpenter and Bürkner (Bayesian Analysis 16(2), 2021). All functions take
the values of m chains of n draws each, ``(m, n, ...)``, and treat the further axes separately.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

LEAST = 4
"""Draws of a chain below which nothing can be said."""


def split(chains: Tensor) -> Tensor:
    """The first and the second half of each chain, as chains: ``(2 m, n // 2, ...)``."""
    half = chains.shape[1] // 2
    return torch.cat([chains[:, :half], chains[:, chains.shape[1] - half :]])


def potential(chains: Tensor) -> Tensor:
    """R-hat without splitting: sqrt((W (n - 1) / n + B / n) / W), shape ``(...)``.

    W is the mean variance within chains, B / n the variance of their means. It is 1 for chains
    that are constant and equal, infinite for constant ones that differ.
    """
    n = chains.shape[1]
    within = chains.var(1).mean(0)
    between = chains.mean(1).var(0)
    ratio = (n - 1) / n + between / within
    ratio = torch.where((within == 0) & (between == 0), torch.ones_like(ratio), ratio)
    return ratio.sqrt()


def usual(m: int, n: int, chance: float) -> float:
    """What `potential` of m chains of n independent normal draws exceeds with this probability.

    B / W then follows Fisher's law of m - 1 and m (n - 1) degrees of freedom (Gelman and Rubin,
    Statistical Science 7(4), 1992).
    """
    if m < 2 or n < 2:
        return math.inf
    from scipy.special import fdtri

    ratio = float(fdtri(m - 1, m * (n - 1), 1 - chance))
    return math.sqrt((n - 1 + ratio) / n)


def ranked(chains: Tensor) -> Tensor:
    """The normal scores of the ranks among all draws; equal values get their mean rank."""
    flat = chains.flatten(0, 1).to(torch.float64)
    order = flat.argsort(0)
    place = torch.empty_like(order)
    count = torch.arange(len(flat)).view(-1, *[1] * (flat.ndim - 1)).expand_as(order)
    rank = place.scatter_(0, order, count).to(torch.float64) + 1
    sorted_values = flat.gather(0, order)
    if bool((sorted_values[1:] == sorted_values[:-1]).any()):
        rank = _mean_ranks(flat, rank)
    share = (rank - 0.375) / (len(flat) + 0.25)
    return (math.sqrt(2) * torch.erfinv(2 * share - 1)).view(chains.shape)


def _mean_ranks(flat: Tensor, rank: Tensor) -> Tensor:
    """Ranks with those of equal values replaced by their mean, column by column."""
    columns, out = flat.flatten(1) if flat.ndim > 1 else flat[:, None], []
    for values, ranks in zip(columns.T, (rank.flatten(1) if rank.ndim > 1 else rank[:, None]).T,
                             strict=True):  # fmt: skip
        _, group = torch.unique(values, return_inverse=True)
        total = torch.zeros(int(group.max()) + 1, dtype=rank.dtype).index_add_(0, group, ranks)
        size = torch.bincount(group).to(rank.dtype)
        out.append((total / size)[group])
    return torch.stack(out, 1).view(flat.shape)


def rhat(chains: Tensor) -> Tensor:
    """Rank-normalised split R-hat, the larger of that of values and of distances to the median.

    NaN for fewer than `LEAST` draws a chain. A single chain is compared half with half.
    """
    if chains.shape[1] < LEAST:
        return torch.full(chains.shape[2:], torch.nan, dtype=torch.float64)
    halves = split(chains).to(torch.float64)
    folded = (halves - halves.flatten(0, 1).quantile(0.5, 0)).abs()
    return torch.maximum(potential(ranked(halves)), potential(ranked(folded)))


def ess(chains: Tensor) -> Tensor:
    """Effective sample size for the mean, of all chains together, shape ``(...)``.

    From the autocorrelations of split chains, summed by Geyer's initial monotone sequence
    (Stan reference manual 16.4, as arviz has it). At most m n log10(m n), as for antithetic chains.
    """
    if chains.shape[1] < LEAST:
        return torch.full(chains.shape[2:], torch.nan, dtype=torch.float64)
    halves = split(chains).to(torch.float64)
    m, n = halves.shape[:2]
    total = m * n
    within = halves.var(1)
    auto = autocovariance(halves)
    mean_within = within.mean(0)
    pooled = mean_within * (n - 1) / n
    if m > 1:
        pooled = pooled + halves.mean(1).var(0)
    rho = 1 - (mean_within - auto.mean(0)) / pooled  # (n, ...)
    rho = torch.cat([torch.ones_like(rho[:1]), rho[1:]])
    pairs = max((n - 1) // 2, 1)
    even, odd = rho[: 2 * pairs : 2], rho[1 : 2 * pairs : 2]
    positive = (even + odd > 0).to(rho.dtype).cumprod(0)  # up to the first pair that is not
    positive[-1] = 0  # or up to the last pair
    monotone = (even + odd).clamp_min(0).cummin(0).values * positive
    first = torch.cat([torch.ones_like(positive[:1]), positive[:-1]]) - positive
    last = (even.clamp_min(0) * first).sum(0)  # the even one of that pair, if it is positive
    time = (2 * monotone.sum(0) - 1 + last).clamp_min(1 / math.log10(max(total, 10)))
    found = total / time
    size: Tensor = torch.where(pooled == 0, torch.full_like(found, float(total)), found)
    return size


def autocovariance(chains: Tensor) -> Tensor:
    """Biased autocovariances of each chain at all lags, by FFT; the shape of ``chains``."""
    n = chains.shape[1]
    centred = chains - chains.mean(1, keepdim=True)
    size = 1 << (2 * n - 1).bit_length()
    power = torch.fft.rfft(centred, size, dim=1).abs() ** 2
    found: Tensor = torch.fft.irfft(power, size, dim=1)[:, :n] / n
    return found


def trend(chains: Tensor) -> Tensor:
    """The least correlation of the values with time over all chains, ``(B,)``; 0 if signs differ.

    Near 1 all chains move one way; draws of chains that have mixed are near 0.

    Args:
        chains: ``(chains, draws, B)``.
    """
    draws = chains.shape[1]
    time = torch.arange(draws, dtype=chains.dtype, device=chains.device)[None, :, None]
    time = (time - time.mean()) / time.std(correction=0).clamp_min(1e-12)
    off = chains - chains.mean(1, keepdim=True)
    spread = off.square().mean(1).sqrt().clamp_min(1e-300)
    along = (time * off).mean(1) / spread
    same = (along > 0).all(0) | (along < 0).all(0)
    return torch.where(same, along.abs().amin(0), 0.0)
