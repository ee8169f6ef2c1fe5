"""Stein's risk of solutions with different priors, with a noise level that all of them bound.

For m data with white noise of variance s^2 and a solution with df degrees of freedom

    E |A x(y) - y|^2 = s^2 (m - 2 df) + E |A (x(y) - x)|^2,

(Stein, Annals of Statistics 9(6), 1981). So |A x(y) - y|^2 / (m - 2 df) is s^2 at least, and the
least of several solutions is near it. An estimate of s from the data alone may be 10 % too low,
which rewards what fits the noise: with it, or with generalised cross-validation, a network was
taken for `clock` of scikit-image that is 2.7 dB worse than block matching.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ipx import Problem, Result, Solve, noise_variance, vector
from ipx_plugins.discrepancy.freedom import coarse_count, coarse_misfit, free_values

SIMPLE = 0.35
"""Largest df / m of a solution whose residual tells the noise level."""

MOST = 1.3**2
"""How much larger than its estimate the variance of the noise may be."""


def pooled_risks(tries: Sequence[tuple[Problem, Result, Solve]]) -> Tensor:
    """log of the estimates of |A (x(y) - x)|^2 / m + s^2 of each solution, ``(tries, B)``."""
    squares, shares = [], []
    for problem, result, solve in tries:
        count, misfit = coarse_count(problem), coarse_misfit(problem, result)
        free, _ = free_values(problem, result, solve, vector(problem.lam, misfit))
        squares.append(2 * misfit / count)
        shares.append(1 - free / count)
    residual, freedom = torch.stack(squares), torch.stack(shares)  # (tries, B)
    usual = noise_variance(tries[0][0])
    simple = freedom < SIMPLE
    bounds = torch.where(simple, residual / (1 - 2 * freedom.clamp_max(SIMPLE)), torch.inf)
    least = bounds.amin(0)
    variance = torch.where(least.isfinite(), least, usual)
    variance = torch.minimum(torch.maximum(variance, usual), MOST * usual)
    return (residual + 2 * variance * freedom).clamp_min(torch.finfo(residual.dtype).tiny).log()
