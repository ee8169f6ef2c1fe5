"""Stein's unbiased risk estimate, where the operator leaves pixels apart (denoising, holes).

For y = A x + n, n ~ N(0, sigma^2 I), and m measured values

    E |A (x_lam(y) - x)|^2 = E [ |A x_lam(y) - y|^2 + 2 sigma^2 df ] - m sigma^2,

df the trace of the Jacobian of y -> A x_lam(y) (Stein, Annals of Statistics 9(6), 1981), found by
one random probe (Ramani, Blu, Unser, IEEE TIP 17(9), 2008). The weight is that of the least
estimate. It says nothing of holes.
"""

from __future__ import annotations

import torch

from ipx import Problem, Result, Solve, noise_variance, vector
from ipx_plugins.discrepancy import SUREOptions
from ipx_plugins.discrepancy.freedom import coarse_count, coarse_misfit, free_values
from ipx_plugins.discrepancy.search import LeastScore, Measured


class SURE(LeastScore[SUREOptions]):
    """The weight of the least estimated mean squared error of the measured values."""

    def measured(
        self, problem: Problem, result: Result, solve: Solve, before: Result | None
    ) -> Measured:
        """The estimate of |A (x_lam - x)|^2 / m."""
        count, misfit = coarse_count(problem), coarse_misfit(problem, result)
        lam = vector(problem.lam, misfit)
        free, probed = free_values(problem, result, solve, lam, before)
        variance = noise_variance(problem)
        risk = 2 * misfit + variance * (count - 2 * free)
        risk = risk / count
        tiny = torch.finfo(risk.dtype).tiny
        left = 2 * misfit / free.clamp_min(tiny) / variance.clamp_min(tiny)
        return Measured(risk[None], {"free": free}, probed, left.clamp_min(tiny).log())
