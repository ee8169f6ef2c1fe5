"""The Moreau-Yosida regularised unadjusted Langevin algorithm."""

from __future__ import annotations

from torch import Tensor

from ipx import Problem, Random, Sampler, State, column, temperature
from ipx_plugins.samplers import SmoothedOptions
from ipx_plugins.samplers.drift import envelope_slope


class MYULA(Sampler[SmoothedOptions, State]):
    """x+ = x - g grad f(x) - g (x - prox_{mu lam R}(x)) / mu + sqrt(2 g T) n.

    Durmus et al. 2018, equation 3.8, with mu = ``smoothing`` / L and g = ``step`` / (L + 1 / mu).
    The law is that of the Moreau envelope of R, and biased by the step as in `ula`.
    """

    thin = 10

    def init(self, problem: Problem, start: Tensor) -> State:
        """The start."""
        return State(start)

    def step(self, problem: Problem, state: State, random: Random) -> State:
        """One step."""
        slope, largest = envelope_slope(problem, self.options.smoothing)
        x, g = state.x, self.options.step / largest
        noise = column((2 * g * temperature(problem)).sqrt(), x) * random.normal(x)
        return State(x - column(g, x) * slope(x) + noise)
