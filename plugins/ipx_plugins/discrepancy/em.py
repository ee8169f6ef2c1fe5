"""Expectation maximisation for the hierarchical Gaussian model.

    y = A x + n,  n ~ N(0, sigma^2),      p(x | theta) ~ exp(-theta R(x)),  R(x) = 1/2 |L x|^2

The weight is lam = sigma^2 theta, with theta, and sigma where it is not told, the maximum of the
marginal likelihood of y. Given y the image is Gaussian, with the restored image m as its mean and
the covariance sigma^2 (A^T A + lam L^T L)^-1. With df the trace of y -> A m(y), the expectations
of the M step are (Dempster, Laird, Rubin 1977; Molina, Katsaggelos, Mateos, IEEE TIP 8(2), 1999)

    E |L x|^2     = |L m|^2 + (n - df) / theta,      theta   = n / E |L x|^2,
    E |A x - y|^2 = |A m - y|^2 + sigma^2 df,        sigma^2 = E |A x - y|^2 / count.

A fixed point of theta has theta |L m|^2 = df. The search goes there directly (MacKay, Neural
Computation 4(3), 1992), which takes fewer steps to the same points: theta = df / |L m|^2 and
sigma^2 = |A m - y|^2 / (count - df).
"""

from __future__ import annotations

from ipx import (
    LEAST_SIGMA,
    Problem,
    Result,
    Solve,
    Tuned,
    Tuner,
    Value,
    known_count,
    noise_variance,
    using,
)
from ipx_plugins.discrepancy import EMOptions
from ipx_plugins.discrepancy.freedom import free_values

_LOWEST, _HIGHEST = 1e-7, 1e4
_LEAST_SHARE = 1e-3  # least df / count and (count - df) / count


class EM(Tuner[EMOptions]):
    """lam = sigma^2 theta, by alternation with the restored image; for quadratic priors."""

    def most(self, problem: Problem) -> int:
        """Two solves for each weight: one for the image, one for its degrees of freedom."""
        return 2 * self.options.evaluations

    def tune(self, problem: Problem, solve: Solve) -> Tuned:
        """Choose lam for each image; ``problem`` is what the declaration asks for."""
        prior = problem.prior
        count = known_count(problem)
        told = noise_variance(problem).clamp_min(LEAST_SIGMA**2)
        variance, lam = told, told.sqrt()
        trace: list[dict[str, list[float]]] = []
        for _ in range(self.options.evaluations):
            weighted = problem.with_lam(lam)
            result: Result = solve(weighted)
            free, _ = free_values(weighted, result, solve, lam)
            free = free.clamp(_LEAST_SHARE * count, (1 - _LEAST_SHARE) * count)
            size = 2 * using(prior, Value).value(result.unknown)
            theta = (count - free) / size.clamp_min(1e-12)
            if problem.estimated:
                variance = 2 * problem.data.value(result.unknown) / free
                variance = variance.clamp_min(LEAST_SIGMA**2)
            after = (variance * theta).clamp(_LOWEST, _HIGHEST)
            trace.append({"lam": lam.tolist(), "sigma": variance.sqrt().tolist()})
            change = (after / lam).log().abs()
            lam = after
            if bool((change <= self.options.tol).all()):
                break
        return Tuned(lam, trace)
