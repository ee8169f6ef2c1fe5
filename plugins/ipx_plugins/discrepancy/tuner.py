"""Morozov's discrepancy principle, corrected for the degrees of freedom of the estimate.

The classical rule sets the data term of the restored picture to its expectation under the noise,
``nll(A x_lam, y) = E nll(A x_true, y)``. But a picture fitted to m data follows part of the noise
and leaves ``m - df`` degrees of freedom, df the trace of the Jacobian of ``y -> A x_lam(y)``
(Efron 2004). Without the correction the rule oversmooths where df is large (little noise, missing
pixels). With it, Tikhonov denoising gets exactly the Wiener weight.

For a blur the criterion is nearly flat below the best weight (smaller weights leave white noise
too), so a sigma 1 % too low would make lam far too small. The target is therefore 1.5 % higher, and
where sigma was estimated from the same picture, `GCV` is the better choice. The expected divergence
of photons is less certain than that even if their number is told: `GCV` is better for them too,
unless the operator leaves pixels apart. There it has a second minimum at 0 for few photons.

A prior that is not convex gets the classical rule, without the degrees of freedom, unless the
operator leaves pixels apart. A probe moves its result from one local minimum to another, or along
iterations that are not finished, and what it tells of weights far too small is wrong. The classical
rule errs on the smooth side. So does it for images of fewer than 5 photons a pixel: where none was
counted the data term is straight, nothing holds a pixel, and df exceeds m.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ipx import (
    LEAST_SIGMA,
    Diagonal,
    NoiseGrad,
    Problem,
    Result,
    Solve,
    Tuned,
    Tuner,
    has,
    noise_deviation,
)
from ipx_plugins.discrepancy import DiscrepancyOptions
from ipx_plugins.discrepancy.freedom import coarse_count, coarse_misfit, free_values, merge
from ipx_plugins.discrepancy.gcv import GCV
from ipx_plugins.discrepancy.trusted import trusted

_LOWEST, _HIGHEST = 1e-7, 1e4
_FAR = 0.5  # log of a residual over its target that counts as missed
_FEW = 5.0  # photons of a value below which degrees of freedom are not told by a probe
_STEP = 6.0  # factor between weights while the root is not yet bracketed


def _photons(problem: Problem) -> Tensor:
    """Mean photons of a value, from the mean and the deviation of the noise; else infinite."""
    y = problem.y
    if not problem.noise.traits.counts:
        return torch.full_like(y.flatten(1)[:, 0], torch.inf)
    return (y.flatten(1).mean(1) / noise_deviation(problem).clamp_min(1e-12)) ** 2


def _steady(problem: Problem) -> bool:
    """True if minimisers follow small changes of the data: a convex prior, or pixels apart."""
    return problem.prior.traits.convex or has(problem.physical, Diagonal)


def _least(problem: Problem) -> Tensor:
    """The data term of errors of size `LEAST_SIGMA` and random sign, ``(B,)``."""
    y = problem.y
    generator = torch.Generator().manual_seed(0)
    signs = torch.randint(0, 2, (1, *y.shape[1:]), generator=generator) * 2.0 - 1.0
    error, known = LEAST_SIGMA * signs.to(y), problem.operator.known(y)
    centre = problem.noise.centred(y)
    return problem.noise.nll(centre + (error if known is None else error * known), y)


class Discrepancy(Tuner[DiscrepancyOptions]):
    """Finds the root of the criterion in log lam, image by image, by the Illinois method."""

    def most(self, problem: Problem) -> int:
        """Two solves for each weight: one for its degrees of freedom."""
        return (2 if self._effective(problem) else 1) * self.options.evaluations

    def score(self, problem: Problem, result: Result, solve: Solve) -> Tensor:
        """That of `GCV`."""
        return GCV().score(problem, result, solve)

    def _effective(self, problem: Problem) -> bool:
        """True if the degrees of freedom are taken off.

        A data term with kinks fits most values exactly; its misfit does not follow from them.
        """
        smooth = problem.data.quadratic or has(problem.noise, NoiseGrad)
        return self.options.effective and smooth and _steady(problem)

    def tune(self, problem: Problem, solve: Solve) -> Tuned:
        """Choose lam for each image and solve.

        The criterion grows with lam. Where it stays below its target for every weight tried (data
        that any smooth picture fits), the largest weight is taken; where it stays above, the
        smallest.
        """
        count = coarse_count(problem)
        expected = problem.noise.expected(problem.y, count) * self.options.factor
        if problem.estimated and has(problem.physical, Diagonal):
            share = trusted(problem)
            expected = expected * torch.where(share.isnan(), 1.0, share).square()
        expected = expected.maximum(_least(problem))
        log = torch.log(self._first(expected, count))
        low = torch.full_like(log, float("-inf"))
        high = torch.full_like(log, float("inf"))
        f_low, f_high = torch.full_like(log, -1.0), torch.full_like(log, 1.0)
        side = torch.zeros_like(log)
        best_log, best_gap = log.clone(), torch.full_like(log, float("inf"))
        best: Result | None = None
        active = torch.ones_like(log, dtype=torch.bool)
        trace: list[dict[str, Any]] = []
        result: Result | None = None
        probed: Result | None = None
        for _ in range(self.options.evaluations):
            result = solve(problem.with_lam(log.exp()), after=result)
            gap, probed = self._gap(problem, result, solve, log.exp(), expected, count, probed)
            trace.append({"lam": log.exp().tolist(), "log_ratio": gap.tolist()})
            better = active & (gap.abs() < best_gap)
            best = merge(best, result, better)
            best_log = torch.where(better, log, best_log)
            best_gap = torch.where(better, gap.abs(), best_gap)
            below = gap < 0
            again = torch.where(below, side < 0, side > 0)
            # Illinois: the value at an end retained twice is halved
            f_high = torch.where(below & again, f_high / 2, f_high)
            f_low = torch.where(~below & again, f_low / 2, f_low)
            low = torch.where(active & below, log, low)
            f_low = torch.where(active & below, gap, f_low)
            high = torch.where(active & ~below, log, high)
            f_high = torch.where(active & ~below, gap, f_high)
            side = torch.where(below, -1.0, 1.0)
            active = active & (high - low > self.options.tol) & (gap.abs() > 0.005)
            nxt = self._next(low, high, f_low, f_high)
            active = active & (nxt - log).abs().gt(1e-3)
            if not bool(active.any()):
                break
            log = torch.where(active, nxt, log)
        assert best is not None
        lost = low.isinf() & (best_gap > _FAR) & (log <= math.log(1.01 * _LOWEST))
        remarks = (
            "no weight of the prior brings the residual down to the noise level: operator, noise "
            "and data do not fit",
        )
        found = remarks if bool(lost.any()) else ()
        return Tuned(best_log.exp(), best, trace, found, about=lost)

    def _first(self, expected: Tensor, count: Tensor) -> Tensor:
        """Half the noise standard deviation, right within a factor of ten for most priors."""
        return (0.5 * (2 * expected / count).sqrt()).clamp(1e-4, 1.0)

    def _next(self, low: Tensor, high: Tensor, f_low: Tensor, f_high: Tensor) -> Tensor:
        """The next log lam: outwards until bracketed, then by false position."""
        step = math.log(_STEP)
        share = (-f_low / (f_high - f_low).clamp_min(1e-12)).clamp(0.1, 0.9)
        inside = low + (high - low) * share
        outward = torch.where(high.isinf(), low + step, high - step)
        bracketed = ~(high.isinf() | low.isinf())
        return torch.where(bracketed, inside, outward).clamp(math.log(_LOWEST), math.log(_HIGHEST))

    def _gap(
        self,
        problem: Problem,
        result: Result,
        solve: Solve,
        lam: Tensor,
        expected: Tensor,
        count: Tensor,
        before: Result | None,
    ) -> tuple[Tensor, Result | None]:
        """log(data term / target), ``(B,)``, and the solution for the probe, if there is one."""
        value = coarse_misfit(problem, result)
        target, probed = expected, None
        if self._effective(problem):
            free, probed = free_values(problem, result, solve, lam, before)
            share = torch.where(_photons(problem) < _FEW, 1.0, (free / count).clamp(1e-3, 1.0))
            target = expected * share
        tiny = torch.finfo(value.dtype).tiny
        return torch.log(value.clamp_min(tiny)) - torch.log(target.clamp_min(tiny)), probed
