"""The stabilised explicit Runge-Kutta-Chebyshev method for Langevin dynamics (SK-ROCK)."""

from __future__ import annotations

from dataclasses import dataclass, replace

from torch import Tensor

from ipx import Problem, Random, Sampler, State, column, temperature
from ipx_plugins.samplers import SKROCKOptions
from ipx_plugins.samplers.drift import slope_of


@dataclass(frozen=True)
class SKROCKState(State):
    """x and the largest curvature of f + lam R, ``(B,)``."""

    largest: Tensor


class SKROCK(Sampler[SKROCKOptions, SKROCKState]):
    """Pereyra, Vargas-Mieles and Zygalakis 2020, algorithm 3.1.

    A step of s stages may be as long as ((s - 1/2)^2 (2 - 4 eta / 3) - 3/2) / L, about s^2 as long
    as one of `myula`, for s gradients. A nonsmooth prior is its Moreau envelope, as there.
    """

    draws = 500
    thin = 1

    def init(self, problem: Problem, start: Tensor) -> SKROCKState:
        """The start."""
        _, largest = slope_of(problem, self.options.smoothing, start)
        return SKROCKState(start, largest)

    def step(self, problem: Problem, state: SKROCKState, random: Random) -> SKROCKState:
        """One step: the stages of a Chebyshev recursion."""
        o, x = self.options, state.x
        slope, _ = slope_of(problem, o.smoothing, x)
        s, eta = o.stages, o.damping
        longest = ((s - 0.5) ** 2 * (2 - 4 / 3 * eta) - 1.5) / state.largest
        g = column(o.step * longest, x)
        values, first = _chebyshev(s, 1 + eta / s**2)
        w0, w1 = 1 + eta / s**2, values[s] / first
        q = (2 * g * column(temperature(problem), x)).sqrt() * random.normal(x)
        before, now = x, x - w1 / w0 * g * slope(x + s * w1 / 2 * q) + s * w1 / w0 * q
        for j in range(2, s + 1):
            ratio = values[j - 1] / values[j]
            share = 2 * w0 * ratio
            ahead = share * now + (1 - share) * before - 2 * w1 * ratio * g * slope(now)
            before, now = now, ahead
        return replace(state, x=now)


def _chebyshev(s: int, w: float) -> tuple[list[float], float]:
    """T_0(w) ... T_s(w), and the derivative of T_s at w."""
    t, d = [1.0, w], [0.0, 1.0]
    for _ in range(2, s + 1):
        d.append(2 * t[-1] + 2 * w * d[-1] - d[-2])
        t.append(2 * w * t[-1] - t[-2])
    return t, d[s]
