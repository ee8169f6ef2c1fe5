"""The split Gibbs sampler: the picture sees the data, a copy sees the prior."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ipx import (
    DataQuadratic,
    Problem,
    Prox,
    Random,
    Sampler,
    State,
    column,
    temperature,
    using,
    vector,
)
from ipx_plugins.samplers import SplitGibbsOptions


@dataclass(frozen=True)
class SplitState(State):
    """x and its copy z."""

    copy: Tensor


class SplitGibbs(Sampler[SplitGibbsOptions, SplitState]):
    """exp(-(f(x) + lam R(z) + k |x - z|^2 / 2) / T): exact draws of x, Langevin steps of z.

    Vono et al. 2019, with k = ``coupling`` |A|^2. x comes from its Gaussian law by perturbing the
    normal equations; z makes ``inner`` steps of `myula` with mu = 1 / k and g = 0.49 / k. For an R
    with the curvature r, x sees about lam r / (1 + 2 lam r / k) instead of lam r.
    """

    thin = 2

    def init(self, problem: Problem, start: Tensor) -> SplitState:
        """Both at the start."""
        return SplitState(start, start)

    def step(self, problem: Problem, state: SplitState, random: Random) -> SplitState:
        """A draw of the picture, then steps of the copy."""
        data, prior, o = problem.data.way(DataQuadratic), using(problem.prior, Prox), self.options
        t, z = temperature(problem), state.copy
        k = o.coupling * problem.data.operator_norm() ** 2
        moved = data.system.linear.adjoint(random.normal(problem.y))
        noise = column(t.sqrt(), z) * (moved + k**0.5 * random.normal(z))
        x = data.system.solve(data.back + k * z + noise, k, guess=state.x, iterations=200, tol=1e-6)
        g = 0.98 / (2 * k)  # the envelope of R is as steep as the coupling
        weight = vector(problem.lam, z) / k
        for _ in range(o.inner):
            slope = k * (z - x) + k * (z - prior.prox(z, weight))
            z = z - g * slope + column((2 * g * t).sqrt(), z) * random.normal(z)
        return SplitState(x, z)
