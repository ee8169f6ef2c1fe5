"""The weight of the prior and the noise level drawn together with the picture."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from torch import Tensor

from ipx import (
    Problem,
    Prox,
    Random,
    Sampler,
    State,
    Value,
    column,
    known_count,
    temperature,
    using,
    vector,
)
from ipx_plugins.samplers import HierarchicalOptions
from ipx_plugins.samplers.drift import envelope, envelope_curvature
from ipx_plugins.samplers.homogeneous import degree, dimension


@dataclass(frozen=True)
class HierarchicalState(State):
    """x, the variance of the noise and lam over that, ``(B,)``; degree and dimension of R."""

    variance: Tensor
    precision: Tensor
    degree: float
    dimension: float


class Hierarchical(Sampler[HierarchicalOptions, HierarchicalState]):
    """A step of `myula` for x, then a draw of d = lam / T, and of T if ``noise``.

    For R of degree a on n dimensions the prior exp(-d R) has the constant d^(n/a), so that with a
    Gamma(s, r) prior d follows Gamma(s + n/a, r + R(x)), and 1/T Gamma(s + m/2, r + f(x)), m the
    number of data (Pereyra, Bioucas-Dias, Figueiredo, EUSIPCO 2015, where d is maximised).
    """

    thin = 10

    def init(self, problem: Problem, start: Tensor) -> HierarchicalState:
        """The start, with T and lam of the problem."""
        t = temperature(problem)
        d = vector(problem.lam, problem.y) / t
        return HierarchicalState(start, t, d, degree(problem, start), dimension(problem, start))

    def step(self, problem: Problem, state: HierarchicalState, random: Random) -> HierarchicalState:
        """The picture, the precision of the prior, the variance of the noise."""
        o, prior, x, t = self.options, using(problem.prior, Prox), state.x, state.variance
        mu = envelope(problem, o.smoothing)
        g = column(o.step / envelope_curvature(problem, o.smoothing), x)
        pull = (x - prior.prox(x, state.precision * t * mu)) / column(mu, x)
        noise = (2 * g * column(t, x)).sqrt() * random.normal(x)
        x = x - g * (problem.data.grad(x) + pull) + noise
        value = o.rate + using(problem.prior, Value).value(x)
        d = random.gamma(o.shape + state.dimension / state.degree, value) / value
        if o.noise:
            rest = o.rate + problem.data.value(x)
            t = rest / random.gamma(o.shape + float(known_count(problem)[0]) / 2, rest)
        return replace(state, x=x, variance=t, precision=d)

    def statistics(self, problem: Problem, state: HierarchicalState) -> Mapping[str, Tensor]:
        """The weight, and the noise level if it is drawn."""
        found = {"lam": state.variance * state.precision}
        return found | ({"sigma": state.variance.sqrt()} if self.options.noise else {})
