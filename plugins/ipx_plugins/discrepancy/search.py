"""The least of a score over log lam, image by image: bracketed, then by parabolas."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import Any, TypeVar

import torch
from torch import Tensor

from ipx import (
    DENOISER_SHARE,
    LEAST_SIGMA,
    Denoise,
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
from ipx_plugins.discrepancy.freedom import merge

O = TypeVar("O", bound=SearchOptions)  # noqa: E741  # the options, as in Tuner[O]

LOWEST, HIGHEST = math.log(1e-7), math.log(1e3)

Score = tuple[Tensor, dict[str, Tensor], Result | None]
"""The score ``(B,)``, what else the trace tells, and the solution for a probe."""


class LeastScore(Tuner[O]):
    """Brackets the least score by factors of ``step``, then fits parabolas, image by image."""

    solves = 2
    """Solves for each weight: with a probe of the degrees of freedom there are two."""
    lowest = LOWEST
    """log of the least weight that is tried."""

    def most(self, problem: Problem) -> int:
        """So many solves for each weight."""
        return self.solves * self.options.evaluations

    def tune(self, problem: Problem, solve: Solve) -> Tuned:
        """Choose lam for each image and solve."""
        points: list[list[tuple[float, float]]] = [[] for _ in problem.y]  # (log lam, score)
        log = torch.log(_first(problem)).clamp(self.lowest, HIGHEST)
        least = torch.full_like(log, math.inf)
        chosen, best = log.clone(), None
        trace: list[dict[str, Any]] = []
        result: Result | None = None
        probed: Result | None = None
        active = torch.ones_like(log, dtype=torch.bool)
        for _ in range(self.options.evaluations):
            lam = log.exp()
            weighted = problem.with_lam(lam)
            result = solve(weighted, after=result)
            score, more, probed = self.scored(weighted, result, solve, probed)
            told = {"lam": lam, "score": score, **more}
            trace.append({name: value.tolist() for name, value in told.items()})
            better = active & (score < least)
            best = merge(best, result, better)
            chosen, least = torch.where(better, log, chosen), torch.where(better, score, least)
            for i, on in enumerate(active.tolist()):
                if on:
                    points[i].append((float(log[i]), float(score[i])))
            proposed = [self._next(p) for p in points]
            active = active & torch.tensor([v is not None for v in proposed], device=log.device)
            if not bool(active.any()):
                break
            fresh = torch.tensor([0.0 if v is None else v for v in proposed]).to(log)
            log = torch.where(active, fresh, log)
        assert best is not None
        lam = chosen.exp()
        return Tuned(lam, best, trace, decided=self.decided(problem, lam, trace))

    @abstractmethod
    def scored(
        self, problem: Problem, result: Result, solve: Solve, before: Result | None
    ) -> Score:
        """The score of the solution of ``problem``; ``before``: the solution for the last probe."""

    def decided(self, problem: Problem, lam: Tensor, trace: list[dict[str, Any]]) -> Tensor:
        """Images whose weight the scores tell, ``(B,)``: by default those not at a bound."""
        return ~at_bound(lam)

    def _next(self, points: list[tuple[float, float]]) -> float | None:
        """The next log lam to try; None when the minimum is bracketed closely enough."""
        ordered = sorted(points)
        k = min(range(len(ordered)), key=lambda i: ordered[i][1])
        at, step = ordered[k][0], math.log(self.options.step)
        if k == 0:
            return max(at - step, self.lowest) if at > self.lowest else None
        if k == len(ordered) - 1:
            return min(at + step, HIGHEST) if at < HIGHEST else None
        (a, fa), (b, fb), (c, fc) = ordered[k - 1 : k + 2]
        if c - a < 0.75 * step:
            return None
        slope, bend = (b - a) * (fb - fc), (b - c) * (fb - fa)
        vertex = b - 0.5 * ((b - a) * slope - (b - c) * bend) / min(slope - bend, -1e-300)
        near = 0.1 * (c - a)  # least distance from known points
        if abs(vertex - b) < near:
            vertex = b + (near if c - b > b - a else -near)
        return min(max(vertex, a + near), c - near)


def at_bound(lam: Tensor) -> Tensor:
    """True per image whose weight is at a bound of the search, ``(B,)``."""
    return (lam <= 1.01 * math.exp(LOWEST)) | (lam >= math.exp(HIGHEST) / 1.01)


def _first(problem: Problem) -> Tensor:
    """The first weight, ``(B,)``: the standard deviation of the noise, or what follows from it."""
    if problem.hard or problem.noise.traits.interval:
        return torch.full((len(problem.y),), LEAST_SIGMA).to(problem.y)
    sigma = noise_variance(problem).sqrt().clamp_min(LEAST_SIGMA)
    prior = problem.prior
    share = prior.traits.lam_per_variance
    if share is None and has(prior, Denoise) and not has(prior, Value):
        share = DENOISER_SHARE
    return sigma if share is None else share * sigma**2
