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
from collections.abc import Sequence

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
    has,
    noise_deviation,
    vector,
)
from ipx_plugins.discrepancy import DiscrepancyOptions
from ipx_plugins.discrepancy.freedom import coarse_count, coarse_misfit, free_values
from ipx_plugins.discrepancy.gcv import GCV
from ipx_plugins.discrepancy.noise_share import noise_level
from ipx_plugins.discrepancy.search import (
    AT_END,
    FARTHEST,
    FIRST,
    STEEP,
    Measured,
    Point,
    Search,
)

_MISSED = 0.5  # log of a residual over its target that counts as missed
_FEW = 5.0  # photons of a value below which degrees of freedom are not told by a probe
_BEYOND = 1.1  # of the way to the root, so that it lies between two weights
_SHORTEST = 0.5  # the smallest step of log lam outwards
USUAL = 3
"""Weights that nine in ten searches do not exceed: of 322, tests/benchmarks/lam.py."""

_BISECT = 6  # trials after which brackets are halved
_FAR = 4.0  # a criterion further from 0 tells its sign only: a data term with kinks jumps from 0
_STEEPEST = 2.0  # slope of a squared residual that grows in proportion to lam
_FLAT = 1e-3  # the least slope of the criterion
_FALLS = 0.005  # a criterion that falls by more where lam grows has no root below


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


class Discrepancy(Search[DiscrepancyOptions]):
    """Finds the root of the criterion in log lam, image by image, by regula falsi and
    bisection.
    """

    lowest, highest = math.log(1e-7), math.log(1e4)

    def most(self, problem: Problem) -> int:
        """Two solves for each weight: one for its degrees of freedom."""
        return (2 if self._effective(problem) else 1) * self.options.evaluations

    def usual(self, problem: Problem) -> int:
        """So many for each of `USUAL` weights."""
        return (2 if self._effective(problem) else 1) * min(USUAL, self.options.evaluations)

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
        """Choose lam for each image.

        The criterion grows with lam. Where it stays below its target for every weight tried (data
        that any smooth picture fits), the largest weight is taken; where it stays above, the
        smallest, or the one of the least criterion if that falls.
        """
        found = self.search(problem, solve, self.options.evaluations)
        missed = [
            min(p[1] for p in points) > _MISSED and min(abs(p[0] - log) for p in points) < AT_END
            for points, log in zip(found.points, found.lam.log().tolist(), strict=True)
        ]
        lost = torch.tensor(missed, device=found.lam.device)
        remarks = (
            "none of the weights tried brings the residual down to the noise level: operator, "
            "noise and data do not fit",
        )
        return Tuned(found.lam, found.trace, remarks if bool(lost.any()) else (), about=lost)

    def first(self, problem: Problem) -> Tensor:
        """`FIRST` times the standard deviation of the noise, as its expected misfit tells it."""
        count = coarse_count(problem)
        return (FIRST * (2 * self._expected(problem, count) / count).sqrt()).clamp(1e-4, 1.0)

    def _expected(self, problem: Problem, count: Tensor) -> Tensor:
        """The data term of the noise, ``(B,)``."""
        expected = problem.noise.expected(problem.y, count) * self.options.factor
        if problem.estimated:
            expected = expected * noise_level(problem).share.square()
        return expected.maximum(_least(problem))

    def best(self, points: Sequence[Point]) -> float:
        """The weight nearest to its target."""
        return min(points, key=lambda p: abs(p[1]))[0]

    def proposed(self, points: Sequence[Point]) -> tuple[float, bool]:
        """The root between the two points about it, or outwards."""
        ordered, near = sorted(points), self.options.near
        below = [p for p in ordered if p[1] < 0]
        above = [p for p in ordered if p[1] >= 0 and not (below and p[0] < below[-1][0])]
        if below and above:
            (a, fa, *_), (b, fb, *_) = below[-1], above[0]
            jumps = max(-fa, fb) > _FAR
            if jumps or len(points) >= _BISECT:
                return (a + b) / 2, b - a <= 2 * near
            root = a + (b - a) * fa / (fa - fb)
            gap, distance = (-fa, root - a) if root - a < b - root else (fb, b - root)
            return root, (distance <= near and gap <= _STEEPEST * near) or b - a <= 2 * near
        (at, gap, *_), *others = ordered[::-1] if below else ordered
        slope = STEEP
        if others:
            slope = (others[0][1] - gap) / (others[0][0] - at)
            if slope < -_FALLS and not below:
                return self.best(points), True
            slope = max(slope, _FLAT)
            if abs(gap / slope) <= near:
                return at - gap / slope, True
        step = min(max(_BEYOND * abs(gap) / slope, _SHORTEST), FARTHEST)
        ends = at >= self.highest - AT_END if below else at <= self.lowest + AT_END
        return at + (step if below else -step), ends

    def measured(
        self, problem: Problem, result: Result, solve: Solve, before: Result | None
    ) -> Measured:
        """log(data term / target)."""
        count, value, probed = coarse_count(problem), coarse_misfit(problem, result), None
        target = self._expected(problem, count)
        if self._effective(problem):
            lam = vector(problem.lam, value)
            free, probed = free_values(problem, result, solve, lam, before)
            share = torch.where(_photons(problem) < _FEW, 1.0, (free / count).clamp(1e-3, 1.0))
            target = target * share
        tiny = torch.finfo(value.dtype).tiny
        gap = torch.log(value.clamp_min(tiny)) - torch.log(target.clamp_min(tiny))
        return Measured(value.new_empty(0, len(value)), {"log_ratio": gap}, probed, gap)
