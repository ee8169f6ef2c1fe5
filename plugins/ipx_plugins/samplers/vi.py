"""Mean-field variational inference: the nearest Gaussian whose pixels are independent."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ipx import (
    DataQuadratic,
    Diagonal,
    LinearOperator,
    Problem,
    ProxConjugate,
    QuadraticPrior,
    Random,
    Sampler,
    Spectrum,
    State,
    column,
    has,
    temperature,
    using,
    vector,
)
from ipx_plugins.samplers import VIOptions

AnyLinear = LinearOperator[Any]

SPACING = 8
"""Pixels probed together are so far apart; a response to one of them that reaches less is exact."""

NEAR = 4
"""The same for K of the prior."""


@dataclass(frozen=True)
class VIState(State):
    """The last draw; mean and standard deviation of each pixel."""

    mean: Tensor
    std: Tensor


class VI(Sampler[VIOptions, VIState]):
    """q(x) = prod_i N(m_i, v_i) of least Kullback-Leibler divergence from the posterior.

    For f + lam R = 1/2 |A x - y|^2 + lam/2 |W^(1/2) K x|^2, H = A^T A + lam K^T W K, it has the
    mean H^-1 A^T y and the variances T / H_ii, which are below the true (T H^-1)_ii: mean-field
    variances are too small wherever pixels are correlated (Bishop, Pattern Recognition and Machine
    Learning, section 10.1.2). `smooth` and `tikhonov` have W = 1. For a norm g(Kx) the bound
    g(u) <= sum (u_j^2 / w_j + w_j) / 2 makes it quadratic (Babacan, Molina, Katsaggelos, IEEE
    Trans. Image Processing 18(1), 2009): W = 1/w with w_j^2 = E (Kx)_j^2, a sum over its group in
    isotropic norms, is updated in turn with m and v. 1/w comes from the proximal map of g.

    H_ii comes from probes with pixels that are `SPACING` apart; that of an A with a spectrum from
    one pixel in the middle.
    """

    independent = True
    draws = 200

    def init(self, problem: Problem, start: Tensor) -> VIState:
        """Mean and variances, by rounds of closed updates."""
        data, t = problem.data.way(DataQuadratic), column(temperature(problem), start)
        gram = diagonal(data.system.linear, start)
        part, quadratic = _part(problem)
        lam = vector(problem.lam, start)
        mean = std = start
        weight = torch.ones_like(part.forward(start))
        for number in range(1 if quadratic else self.options.rounds):
            if not quadratic and number:
                weight = _weights(problem, part, mean, std)
            weighted = Weighted(part, weight)
            plain = part if quadratic else weighted
            mean = data.system.solve(
                data.back, lam, part=plain, guess=mean, iterations=500, tol=self.options.tol
            )
            curved = gram + column(lam, start) * squared_adjoint(part, weight)
            std = (t / curved.clamp_min(1e-12)).sqrt()
        return VIState(mean, mean, std)

    def step(self, problem: Problem, state: VIState, random: Random) -> VIState:
        """One draw."""
        return VIState(state.mean + state.std * random.normal(state.mean), state.mean, state.std)


class Weighted(LinearOperator[Any]):
    """W^(1/2) K, the weights W of the shape of K x."""

    def __init__(self, part: AnyLinear, weight: Tensor) -> None:
        super().__init__(part.image_shape)
        self.part, self.root = part, weight.sqrt()

    def forward(self, x: Tensor) -> Tensor:
        """W^(1/2) K x."""
        return self.root * self.part.forward(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """K^T W^(1/2) y."""
        return self.part.adjoint(self.root * y)


def _part(problem: Problem) -> tuple[AnyLinear, bool]:
    """K, and whether R is 1/2 |Kx|^2."""
    prior, shape = problem.prior, problem.image_shape
    quadratic = has(prior, QuadraticPrior)
    part = (
        using(prior, QuadraticPrior).quadratic_part(shape)
        if quadratic
        else using(prior, ProxConjugate).linear_part(shape)
    )
    assert isinstance(part, LinearOperator)
    return part, quadratic


def _weights(problem: Problem, part: AnyLinear, mean: Tensor, std: Tensor) -> Tensor:
    """1/w: g'(r)/r at the root mean square r of each (Kx)_j.

    For a norm prox_{t g}(r) = r - t r/w where no group is shorter than t.
    """
    spread = sum(part.forward(std * c).square() for c in combs(std, NEAR))
    size = (part.forward(mean).square() + spread).double().sqrt().clamp_min(1e-9)
    t = size.flatten(1).amin(1) / 2
    shrunk = using(problem.prior, ProxConjugate).prox_outer(size, t)
    return ((size - shrunk) / (column(t, size) * size)).to(mean)


def diagonal(linear: AnyLinear, like: Tensor) -> Tensor:
    """The diagonal of A^T A, broadcasting to ``like`` ``(B, C, H, W)``."""
    even = has(linear, Spectrum)
    if has(linear, Diagonal):
        return (using(linear, Diagonal).diagonal(like) ** 2).expand_as(like)
    if not even:
        ones = torch.ones_like(linear.forward(like[:1]))
        return squared_adjoint(linear, ones, SPACING).expand_as(like)
    out = torch.zeros_like(like)
    middle = tuple(n // 2 for n in like.shape[2:])
    for channel in range(like.shape[1]):
        one = torch.zeros_like(like[:1])
        one[0, channel][middle] = 1
        out[:, channel] = linear.adjoint(linear.forward(one))[0, channel][middle]
    return out


def squared_adjoint(linear: AnyLinear, weight: Tensor, spacing: int = NEAR) -> Tensor:
    """sum_j K_ji^2 weight_j, the diagonal of K^T W K, ``(B, C, H, W)``."""
    out: Tensor | None = None
    like = linear.adjoint(weight)
    for comb in combs(like, spacing):
        found = comb * linear.adjoint(weight * linear.forward(comb))
        out = found if out is None else out + found
    assert out is not None
    return out


def combs(like: Tensor, spacing: int) -> Iterator[Tensor]:
    """Pictures ``(1, C, H, W)`` that are +-1 at pixels ``spacing`` apart of a channel, else 0.

    Together they hold each pixel once. The signs, which are always the same, make the errors of
    responses that reach farther cancel on the average.
    """
    rng = torch.Generator().manual_seed(0)
    shape = like.shape[1:]
    signs = (2.0 * torch.randint(0, 2, tuple(shape), generator=rng) - 1).to(like)
    firsts = [range(min(spacing, n)) for n in shape[1:]]
    for channel, *offset in itertools.product(range(shape[0]), *firsts):
        where: tuple[int | slice, ...] = (channel, *(slice(o, None, spacing) for o in offset))
        comb = torch.zeros_like(signs)
        comb[where] = signs[where]
        yield comb[None]
