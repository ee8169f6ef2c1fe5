"""The unadjusted Langevin algorithm."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from ipx import Problem, Random, Sampler, State, column, temperature
from ipx_plugins.samplers import LangevinOptions
from ipx_plugins.samplers.drift import curvature, slope_of


@dataclass(frozen=True)
class ULAState(State):
    """x and the step length ``(B,)``."""

    step: Tensor


class ULA(Sampler[LangevinOptions, ULAState]):
    """x+ = x - g grad U(x) + sqrt(2 g T) n, U = f + lam R, n standard normal.

    Its stationary law differs from exp(-U / T) by a bias of order g: on a quadratic with curvature
    c the variance is T / (c (1 - g c / 2)).
    """

    thin = 10

    def init(self, problem: Problem, start: Tensor) -> ULAState:
        """The start, and a step of ``step`` / L."""
        largest = curvature(slope_of(problem), start)
        return ULAState(start, self.options.step / largest)

    def step(self, problem: Problem, state: ULAState, random: Random) -> ULAState:
        """One step."""
        x, g = state.x, state.step
        noise = column((2 * g * temperature(problem)).sqrt(), x) * random.normal(x)
        return replace(state, x=x - column(g, x) * slope_of(problem)(x) + noise)
