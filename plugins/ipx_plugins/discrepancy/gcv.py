"""Generalised cross-validation: choice of lam without the noise level.

    lam = argmin |A x_lam - y|^2 / (m - df_lam)^2

(Golub, Heath, Wahba 1979; for nonlinear estimates df comes from a random probe, Girard 1989,
Ramani et al. 2008). For photons the squares are divided by the variance of each value, to which
twice the Kullback-Leibler divergence is near (Bardsley, Goldes, Inverse Problems 25, 2009). For
blurred data the noise estimate |A x - y|^2 / (m - df) hardly depends on lam over a wide range. GCV
then chooses the smoothest picture in this range, whereas a rule that uses an estimated sigma is
sensitive to errors of one per cent.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ipx import LEAST_SIGMA, Problem, Result, Solve, Tuned, Tuner, noise_variance, vector
from ipx_plugins.discrepancy import GCVOptions
from ipx_plugins.discrepancy.freedom import coarse_count, coarse_misfit, free_values, merge

LOWEST, HIGHEST = math.log(1e-7), math.log(1e3)
_LEAST_FREE = 5e-3  # smallest (m - df) / m
WORST = 0.0  # above all scores of pictures in [0, 1], which are at most log(1 / m)


_LESS = 0.9  # the estimate is right to 10 %
_TEXTURE = 0.015  # a noise level below, twice it around holes, may be the texture of a photograph


def _decided(problem: Problem, lam: Tensor, trace: list[dict[str, Any]]) -> Tensor:
    """True where the score tells lam, ``(B,)``: it varies, and has a minimum within its bounds.

    With pixelwise shrinkage it does not depend on lam.
    """
    scores = torch.tensor([t["score"] for t in trace])
    known = torch.where(scores < WORST, scores, scores.amin(0))
    varies = (known.amax(0) - known.amin(0) > 1e-3).to(lam.device)
    at_bound = (lam <= 1.01 * math.exp(LOWEST)) | (lam >= math.exp(HIGHEST) / 1.01)
    return varies & ~at_bound & ~_too_small(problem, lam, trace)


def _too_small(problem: Problem, lam: Tensor, trace: list[dict[str, Any]]) -> Tensor:
    """True where the noise that lam leaves is far less than the noise level, ``(B,)``.

    Shrinkage by a prior that is not quadratic gives the score a minimum near lam = 0, where
    residual and degrees of freedom vanish together. Estimates of the level count if they agree,
    exceed the texture of photographs, which they take for noise, and are made from pictures.
    """
    holes = problem.operator.known(problem.y) is not None
    sigma = noise_variance(problem).sqrt()
    certain = sigma > _TEXTURE * (2 if holes else 1)
    pictures = not problem.operator.traits.signed and problem.data.quadratic
    if problem.noise.remarks or not pictures or not bool(certain.any()):
        return torch.zeros_like(certain)
    lams, left = (torch.tensor([t[key] for t in trace]).to(sigma) for key in ("lam", "noise"))
    trial = (lams - lam).abs().argmin(0, keepdim=True)
    return certain & (left.gather(0, trial)[0] < _LESS * sigma)


class GCV(Tuner[GCVOptions]):
    """Brackets the minimum by factors of ``step``, then fits parabolas, image by image."""

    def most(self, problem: Problem) -> int:
        """Two solves for each weight: one for the score, one for its degrees of freedom."""
        return 2 * self.options.evaluations

    def tune(self, problem: Problem, solve: Solve) -> Tuned:
        """Choose lam for each image and solve."""
        noise = noise_variance(problem).sqrt().clamp_min(LEAST_SIGMA)
        points: list[list[tuple[float, float]]] = [[] for _ in noise]  # (log lam, score)
        log = torch.log(noise).clamp(LOWEST, HIGHEST)
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
            score, left, probed = self._scored(weighted, result, solve, probed)
            trace.append({"lam": lam.tolist(), "score": score.tolist(), "noise": left.tolist()})
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
        return Tuned(lam, best, trace, decided=_decided(problem, lam, trace))

    def _next(self, points: list[tuple[float, float]]) -> float | None:
        """The next log lam to try; None when the minimum is bracketed closely enough."""
        ordered = sorted(points)
        k = min(range(len(ordered)), key=lambda i: ordered[i][1])
        at, step = ordered[k][0], math.log(self.options.step)
        if k == 0:
            return max(at - step, LOWEST) if at > LOWEST else None
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

    def score(self, problem: Problem, result: Result, solve: Solve) -> Tensor:
        """log |A x - y|^2 - 2 log(m - df) + const, ``(B,)``; `WORST` where m - df vanishes.

        There the residual vanishes too, and the score would be rounding error.
        """
        return self._scored(problem, result, solve, None)[0]

    def _scored(
        self, problem: Problem, result: Result, solve: Solve, before: Result | None
    ) -> tuple[Tensor, Tensor, Result]:
        """The score, |A x - y| / sqrt(m - df), and the solution for the probe."""
        misfit, count = coarse_misfit(problem, result), coarse_count(problem)
        lam = vector(problem.lam, misfit)
        free, probed = free_values(problem, result, solve, lam, before)
        tiny = torch.finfo(misfit.dtype).tiny
        score = torch.log(misfit.clamp_min(tiny)) - 2 * torch.log(free.clamp_min(tiny))
        score = torch.where(free > _LEAST_FREE * count, score, torch.full_like(score, WORST))
        return score, (2 * misfit / free.clamp_min(tiny)).sqrt(), probed
