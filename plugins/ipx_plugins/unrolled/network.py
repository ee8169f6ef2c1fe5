"""The learned part of an unrolled solver: scalar parameters of each stage, and the proxes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from ipx import (
    DENOISER_SHARE,
    LEAST_SIGMA,
    Problem,
    noise_variance,
)
from ipx_plugins.unrolled import UnrolledOptions
from ipx_plugins.unrolled.prox import (
    TOLD,
    Filters,
    LearnedFilters,
    LearnedProx,
    multiple,
    network,
)

_ONE = math.log(math.e - 1)  # softplus of it is 1
_USUAL = 0.01  # noise at which penalty and weight of filters are those of the options
_PACE = 10.0  # factor on the learning rate of the scalars of a stage


@dataclass(frozen=True)
class Stage:
    """Penalty and weight ``(B,)``, rate of the multiplier, and prior of one stage."""

    penalty: Tensor
    lam: Tensor
    rate: Tensor
    prior: LearnedProx | LearnedFilters


class Stages(nn.Module):
    """Parameters of all stages; before training they are those of the classical algorithm.

    Each stage has a factor on its penalty, a factor on its noise level or weight (both a softplus),
    and a rate of its multiplier. These are 1 at first; the parameters themselves start at 0. For
    prox filters, penalty and weight also scale with a learned power of the noise, at first 0.
    """

    def __init__(self, options: UnrolledOptions) -> None:
        super().__init__()
        self.options = options
        self.count = 1 if options.fixed_point else options.stages
        self.penalty = nn.Parameter(torch.zeros(self.count))
        self.strength = nn.Parameter(torch.zeros(self.count))
        self.rate = nn.Parameter(torch.zeros(self.count))
        if options.prox == "filters":
            self.trust = nn.Parameter(torch.zeros(self.count))
        proxes = 1 if options.shared else self.count
        self.prox = nn.ModuleList([network(options) for _ in range(proxes)])
        self.sides = multiple(options)

    def stage(self, problem: Problem, number: int) -> Stage:
        """Stage ``number`` for this problem; beyond the last stage, the last.

        The noise level of a denoiser decreases from ``sigma_start`` to the noise sigma, with
        penalty 0.23 sigma^2 / sigma_k^2 (DPIR). Shrinkage has one penalty rho and one weight lam.
        For proximal gradient the penalty is the Lipschitz constant, the inverse of the step.
        """
        o, k = self.options, min(number, self.count - 1)
        variance = noise_variance(problem).clamp_min(LEAST_SIGMA**2)
        factor = F.softplus(_ONE + _PACE * self.penalty[k]).to(variance)
        strength = F.softplus(_ONE + _PACE * self.strength[k]).to(variance)
        square = (strength * self._level(variance, k)) ** 2
        if o.base == "fista":
            penalty = factor * problem.data.lipschitz() + 0 * variance
        elif o.prox in TOLD:
            penalty = factor * DENOISER_SHARE * variance / square
        else:
            penalty = factor * o.rho + 0 * variance
        lam = square * penalty if o.prox in TOLD else strength * o.lam + 0 * variance
        if o.prox == "filters":  # with less noise the data get more weight
            power = (variance.sqrt() / _USUAL) ** (_PACE * self.trust[k]).to(variance)
            penalty, lam = penalty * power, lam * power
        net = self.prox[min(k, len(self.prox) - 1)]
        prior = LearnedFilters(net) if isinstance(net, Filters) else LearnedProx(net, o, self.sides)
        rate = (1 + _PACE * self.rate[k]).to(variance)
        return Stage(penalty, lam, rate, prior)

    def _level(self, variance: Tensor, k: int) -> Tensor:
        """Noise level of stage k before training, ``(B,)``."""
        last = variance.sqrt()
        if self.count == 1:
            return last
        first = last.clamp_min(self.options.sigma_start)
        return first * (last / first) ** (k / (self.count - 1))
