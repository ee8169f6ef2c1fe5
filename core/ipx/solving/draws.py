"""What is kept of the draws of Markov chains: moments, quantiles, traces. Memory does not grow.

All of it is plain (tensors, numbers, tuples), so that a run is saved and resumed whole.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ipx.numerics.histogram import Histogram
from ipx.numerics.tensors import column
from ipx.numerics.welford import Moments
from ipx.solving.solver import State

BATCHES = 10
"""Batches of successive draws in half a chain, whose means tell the effective sample size."""

HELD = 160.0
"""Arrays of the size of the image that two chains and the histograms take."""


@dataclass(frozen=True)
class Chain:
    """One chain and the moments of its pictures.

    Attributes:
        state: the state of the sampler.
        sound: per image, false once a step was not finite; the state stays the last before it.
        halves: moments of the draws of the first and of the second half.
        run: sum of the draws of the present batch.
        batches: moments of the means of batches.
    """

    state: State
    sound: Tensor
    halves: tuple[Moments, Moments]
    run: Tensor
    batches: Moments

    @classmethod
    def begun(cls, state: State, picture: Tensor) -> Chain:
        """Before the first draw."""
        none, zero = Moments.zero(picture), torch.zeros_like(picture)
        sound = torch.ones(len(picture), dtype=torch.bool, device=picture.device)
        return cls(state, sound, (none, none), zero, none)

    def add(self, picture: Tensor, number: int, count: int) -> Chain:
        """After the draw ``number``, from 0, of ``count``."""
        second = number >= count // 2
        first, last = self.halves
        halves = (first, last.add(picture)) if second else (first.add(picture), last)
        length = batch_length(count)
        run, batches = self.run + picture, self.batches
        if (number + 1) % length == 0:
            batches, run = batches.add(run / length), torch.zeros_like(run)
        return replace(self, halves=halves, run=run, batches=batches)


@dataclass(frozen=True)
class Tally(State):
    """A whole run: ``x`` is the mean picture so far.

    Attributes:
        identity: of the problem, the sampler and the settings; a run resumes its own only.
        step: steps that every chain has taken.
        chains: the chains.
        spread: moments of the second half of the warm-up, of all chains.
        histogram: of all draws; None before the first.
        traces: the watched numbers of each draw, ``(chains, draws, B, K)``, those to come NaN.
        kept: draws that are kept whole.
        replicated: sums over draws for the predictive check, ``(2, B)``.
    """

    identity: str
    step: int
    chains: tuple[Chain, ...]
    spread: Moments
    histogram: Histogram | None
    traces: Tensor
    kept: tuple[Tensor, ...]
    replicated: Tensor


def batch_length(count: int) -> int:
    """Draws of a batch, of ``count`` draws of a chain."""
    return max(count // (2 * BATCHES), 1)


def merged(parts: list[Moments]) -> Moments:
    """The moments of all values together (Chan, Golub, LeVeque 1979)."""
    total = parts[0]
    for other in parts[1:]:
        n = total.count + other.count
        share = column(other.count / n.clamp_min(1), total.mean)
        off = other.mean - total.mean
        squares = total.squares + other.squares + off**2 * share * column(total.count, off)
        total = Moments(n, total.mean + off * share, squares)
    return total


def pixel_rhat(chains: tuple[Chain, ...]) -> Tensor:
    """Split R-hat of each pixel, without ranks: that takes moments only. Shape of a picture."""
    halves = [h for chain in chains for h in chain.halves]
    n = float(min(float(h.count.min()) for h in halves))
    if n < 2:
        return torch.full_like(halves[0].mean, torch.nan)
    # `ipx.numerics.mixing.potential`, from the moments of each half
    within = torch.stack([h.variance for h in halves]).mean(0)
    between = torch.stack([h.mean for h in halves]).var(0)
    ratio = (n - 1) / n + between / within
    still = (within == 0) & (between == 0)
    return torch.where(still, torch.ones_like(ratio), ratio).sqrt()


def pixel_ess(chains: tuple[Chain, ...], count: int) -> Tensor:
    """Effective sample size of each pixel by the method of batch means, of all chains together.

    n s^2 / (b s_b^2), s^2 the variance of draws and s_b^2 that of means of b successive ones
    (Flegal and Jones, Annals of Statistics 38(2), 2010). At most the number of draws.
    """
    every = merged([h for chain in chains for h in chain.halves])
    means = merged([chain.batches for chain in chains])
    n = float(every.count.max())
    length = batch_length(count)
    found = n * every.variance / (length * means.variance).clamp_min(1e-300)
    found = torch.where(every.variance == 0, torch.full_like(found, n), found)
    return found.clamp_max(n)
