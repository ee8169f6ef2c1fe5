"""The Moreau-Yosida regularised unadjusted Langevin algorithm."""

from __future__ import annotations

from torch import Tensor

from ipx import Problem, Random, Sampler, State, column, temperature
from ipx_plugins.samplers import SmoothedOptions
from ipx_plugins.samplers.drift import envelope_curvature, envelope_slope


class MYULA(Sampler[SmoothedOptions, State]):
    """x+ = x - g grad f(x) - g (x - prox_{mu lam R}(x)) / mu + sqrt(2 g T) n.

    Durmus et al. 2018, equation 3.8, with mu = ``smoothing`` / L and g = ``step`` / (L + 1 / mu).
    The law is that of the Moreau envelope of R, and biased by the step as in `ula`: for an R with
    the curvature r it has the variance T / (c (1 - g c / 2)), c = a + lam r / (1 + mu lam r), in a
    direction where that of f is a.
    """

    thin = 10

    def init(self, problem: Problem, start: Tensor) -> State:
        """The start."""
        return State(start)

    def step(self, problem: Problem, state: State, random: Random) -> State:
        """One step."""
        o, x = self.options, state.x
        g = o.step / envelope_curvature(problem, o.smoothing)
        noise = column((2 * g * temperature(problem)).sqrt(), x) * random.normal(x)
        return State(x - column(g, x) * envelope_slope(problem, o.smoothing)(x) + noise)
