"""Trials of weights, image by image: shared by the tuners that look for a root or a least score.

Scores are known at the weights tried. The least of a score is bracketed by factors of ``step``, and
told by the parabola through the three points about it. That weight is taken without a trial of its
own where it is near one that was tried: scores are flat about their least, so that no trial is
spent on a weight that differs by less than what matters to the picture.
"""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import torch
from torch import Tensor

from ipx import (
    DENOISER_SHARE,
    LEAST_SIGMA,
    Denoise,
    Options,
    Problem,
    Result,
    Solve,
    Tuned,
    Tuner,
    Value,
    has,
    noise_variance,
)
from ipx_plugins.discrepancy import SearchOptions

P = TypeVar("P", bound=Options)
O = TypeVar("O", bound=SearchOptions)  # noqa: E741  # the options, as in Tuner[O]

LOWEST, HIGHEST = math.log(1e-7), math.log(1e3)

FIRST = 0.5
"""The first weight over the noise standard deviation: right within ten times for most priors."""

STEEP = 0.8
"""d log(misfit / target) / d log lam about its zero, where the operator leaves pixels apart.

Behind a blur it is 0.03 only, so that steps from it need a bound.
"""

AT_END = 1e-3
"""Distance of log lam from a bound that counts as reached, in single precision."""

FARTHEST = 1.8
"""The largest step of log lam."""

_BROKEN = 1e3
"""A gap that is not finite, in size; NaN counts as -1: a larger weight is tried."""

Point = tuple[float, ...]
"""log lam and what a trial measured there, for one image."""


@dataclass(frozen=True)
class Measured:
    """What a trial with one weight tells.

    Attributes:
        values: ``(values, B)``, that the choice is made from: scores, less is better; infinite
            where a trial tells nothing.
        told: what the trace tells besides, ``(B,)`` each.
        probed: the solution for a probe of the degrees of freedom.
        gap: ``(B,)``, log of the misfit over what the noise leaves of it; None if it is unknown. A
            weight is too small where it is below 0.
    """

    values: Tensor
    told: dict[str, Tensor] = field(default_factory=dict)
    probed: Result | None = None
    gap: Tensor | None = None


@dataclass(frozen=True)
class Found:
    """What a search found.

    Attributes:
        lam: the weights ``(B,)``; of an image whose search has no end, the best one tried.
        ended: images whose weight follows from the trials ``(B,)``.
        points: the trials of each image until its search ended.
        trace: all trials, for the record.
    """

    lam: Tensor
    ended: Tensor
    points: list[list[Point]]
    trace: list[dict[str, Any]]


class Search(Tuner[P]):
    """Tries weights until the values measured tell the one to choose, image by image."""

    lowest, highest = LOWEST, HIGHEST
    """log of the least and the largest weight that is tried."""

    @abstractmethod
    def measured(
        self, problem: Problem, result: Result, solve: Solve, before: Result | None
    ) -> Measured:
        """What the solution of ``problem`` tells; ``before``: the solution for the last probe."""

    def told(self, found: Measured) -> dict[str, Tensor]:
        """What the trace tells of a trial, ``(B,)`` each."""
        return found.told

    @abstractmethod
    def first(self, problem: Problem) -> Tensor:
        """The first weight, ``(B,)``."""

    @abstractmethod
    def proposed(self, points: Sequence[Point]) -> tuple[float, bool]:
        """log of the best weight by what is known, and whether it needs no trial.

        Args:
            points: log lam, the gap (0 if it is unknown) and the values of each trial so far.
        """

    @abstractmethod
    def best(self, points: Sequence[Point]) -> float:
        """log of the best weight of those tried."""

    def search(self, problem: Problem, solve: Solve, most: int) -> Found:
        """The weights after at most so many trials."""
        points: list[list[Point]] = [[] for _ in problem.y]
        log = torch.log(self.first(problem)).clamp(self.lowest, self.highest)
        left = set(range(len(points)))
        trace: list[dict[str, Any]] = []
        result = probed = None
        for _ in range(most):
            lam = log.exp()
            weighted = problem.with_lam(lam)
            result = solve(weighted, after=result)
            found = self.measured(weighted, result, solve, probed)
            probed = found.probed
            told = {"lam": lam, **self.told(found)}
            trace.append({name: value.tolist() for name, value in told.items()})
            known = _known(log, found)
            fresh = log.tolist()
            for i in sorted(left):
                points[i].append(known[i])
                fresh[i], ends = self.proposed(points[i])
                left -= {i} if ends else set()
            log = torch.tensor(fresh).to(log).clamp(self.lowest, self.highest)
            if not left:
                break
        for i in left:
            log[i] = self.best(points[i])
        ended = torch.tensor([i not in left for i in range(len(points))], device=log.device)
        return Found(log.exp(), ended, points, trace)


def _known(log: Tensor, found: Measured) -> list[Point]:
    """The point of each image; what is not finite counts as a weight too small, or as no score."""
    gap = torch.zeros_like(log) if found.gap is None else found.gap
    gap = gap.nan_to_num(-1.0, _BROKEN, -_BROKEN)
    values = torch.where(found.values.isnan(), torch.inf, found.values)
    return [tuple(row) for row in torch.cat([log[None], gap[None], values]).T.tolist()]


class LeastScore(Search[O]):
    """The weight of the least score; of several scores, the largest of their weights."""

    solves = 2
    """Solves for each weight: with a probe of the degrees of freedom there are two."""

    weights = 4
    """Weights that nine in ten searches do not exceed: 322 with `gcv`, tests/benchmarks/lam.py."""

    def most(self, problem: Problem) -> int:
        """So many solves for each weight."""
        return self.solves * self.options.evaluations

    def usual(self, problem: Problem) -> int:
        """So many solves for each of `weights`."""
        return self.solves * min(self.weights, self.options.evaluations)

    def tune(self, problem: Problem, solve: Solve) -> Tuned:
        """Choose lam for each image."""
        found = self.search(problem, solve, self.options.evaluations)
        return Tuned(found.lam, found.trace, decided=self.decided(found))

    def told(self, found: Measured) -> dict[str, Tensor]:
        """The first value measured as ``score``, and what is told besides."""
        return {"score": found.values[0], **found.told}

    def decided(self, found: Found) -> Tensor:
        """Images whose weight the scores tell, ``(B,)``: by default those not at a bound."""
        low, high = math.exp(self.lowest), math.exp(self.highest)
        return found.ended & (found.lam > 1.01 * low) & (found.lam < high / 1.01)

    def first(self, problem: Problem) -> Tensor:
        """`FIRST` times the standard deviation of the noise, or what follows from its variance."""
        if problem.hard or problem.noise.traits.interval:
            return torch.full((len(problem.y),), LEAST_SIGMA).to(problem.y)
        sigma = noise_variance(problem).sqrt().clamp_min(LEAST_SIGMA)
        prior = problem.prior
        share = prior.traits.lam_per_variance
        if share is None and has(prior, Denoise) and not has(prior, Value):
            share = DENOISER_SHARE
        return FIRST * sigma if share is None else share * sigma**2

    def best(self, points: Sequence[Point]) -> float:
        """The largest of the weights with the least of each score."""
        return max(points[_lowest(points, k)][0] for k in range(2, len(points[0])))

    def proposed(self, points: Sequence[Point]) -> tuple[float, bool]:
        """Outwards until each score is bracketed, then the vertex of its parabola."""
        ordered = sorted(points)
        logs = [p[0] for p in ordered]
        least = [_lowest(ordered, k) for k in range(2, len(ordered[0]))]
        step = math.log(self.options.step) * max(1.0, len(points) / 2)
        last, gap = logs[-1], ordered[-1][1]
        down, up = (min(max(to / STEEP, step), FARTHEST) for to in (gap, -gap))
        if len(points) == 1 and gap > STEEP * step / 2:
            return last - down, False
        if max(least) == len(ordered) - 1:  # a weight too small for any of the scores
            return last + up, last >= self.highest - AT_END
        if max(least) == 0:
            return logs[0] - min(step, FARTHEST), logs[0] <= self.lowest + AT_END
        vertices = [_vertex(ordered[i - 1 : i + 2], 2 + k) for k, i in enumerate(least) if i]
        best = max(vertices)
        return best, min(abs(best - at) for at in logs) <= self.options.near


def _lowest(points: Sequence[Point], k: int) -> int:
    """The index of the point whose value k is least, of several the one of the largest weight."""
    return min(range(len(points)), key=lambda i: (points[i][k], -points[i][0]))


def _vertex(points: Sequence[Point], k: int) -> float:
    """log lam at the vertex of the parabola through three points, the least in the middle.

    Where one beside it tells nothing, the middle of the two.
    """
    (a, fa), (b, fb), (c, fc) = ((p[0], p[k]) for p in points)
    if math.isinf(fa) or math.isinf(fc):
        return (a + b) / 2 if math.isinf(fa) else (b + c) / 2
    slope, bend = (b - a) * (fb - fc), (b - c) * (fb - fa)
    if slope - bend >= 0:  # on one line
        return b
    return b - 0.5 * ((b - a) * slope - (b - c) * bend) / (slope - bend)
