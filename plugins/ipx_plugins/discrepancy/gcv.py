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

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from ipx import Problem, Result, Solve, noise_variance, vector
from ipx_plugins.discrepancy import GCVOptions
from ipx_plugins.discrepancy.freedom import coarse_count, coarse_misfit, free_values
from ipx_plugins.discrepancy.pooled import pooled_risks
from ipx_plugins.discrepancy.search import LeastScore, Score, at_bound
from ipx_plugins.discrepancy.trusted import trusted

_LEAST_FREE = 5e-3  # smallest (m - df) / m
WORST = 0.0  # above all scores of pictures in [0, 1], which are at most log(1 / m)
_LESS = 0.9  # the estimate of the noise level is right to 10 %


def _decided(problem: Problem, lam: Tensor, trace: list[dict[str, Any]]) -> Tensor:
    """True where the score tells lam, ``(B,)``: it varies, and has a minimum within its bounds.

    With pixelwise shrinkage it does not depend on lam.
    """
    scores = torch.tensor([t["score"] for t in trace])
    known = torch.where(scores < WORST, scores, scores.amin(0))
    varies = (known.amax(0) - known.amin(0) > 1e-3).to(lam.device)
    return varies & ~at_bound(lam) & ~_too_small(problem, lam, trace)


def _too_small(problem: Problem, lam: Tensor, trace: list[dict[str, Any]]) -> Tensor:
    """True where the noise that lam leaves is far less than the noise level, ``(B,)``.

    Shrinkage by a prior that is not quadratic gives the score a minimum near lam = 0, where
    residual and degrees of freedom vanish together.
    """
    sigma = trusted(problem) * noise_variance(problem).sqrt()
    lams, left = (torch.tensor([t[key] for t in trace]).to(sigma) for key in ("lam", "noise"))
    trial = (lams - lam).abs().argmin(0, keepdim=True)
    return left.gather(0, trial)[0] < _LESS * sigma


class GCV(LeastScore[GCVOptions]):
    """The weight of least |A x - y|^2 / (m - df)^2."""

    def decided(self, problem: Problem, lam: Tensor, trace: list[dict[str, Any]]) -> Tensor:
        """Where the score varies, and has a minimum within its bounds that fits the noise."""
        return _decided(problem, lam, trace)

    def score(self, problem: Problem, result: Result, solve: Solve) -> Tensor:
        """log |A x - y|^2 - 2 log(m - df) + const, ``(B,)``; `WORST` where m - df vanishes.

        There the residual vanishes too, and the score would be rounding error.
        """
        return self.scored(problem, result, solve, None)[0]

    def compare(self, tries: Sequence[tuple[Problem, Result, Solve]]) -> Tensor:
        """The risks of solutions with different priors, see `pooled_risks`."""
        return pooled_risks(tries)

    def scored(
        self, problem: Problem, result: Result, solve: Solve, before: Result | None
    ) -> Score:
        """The score, beside it ``noise``, |A x - y| / sqrt(m - df)."""
        misfit, count = coarse_misfit(problem, result), coarse_count(problem)
        lam = vector(problem.lam, misfit)
        free, probed = free_values(problem, result, solve, lam, before)
        tiny = torch.finfo(misfit.dtype).tiny
        score = torch.log(misfit.clamp_min(tiny)) - 2 * torch.log(free.clamp_min(tiny))
        score = torch.where(free > _LEAST_FREE * count, score, torch.full_like(score, WORST))
        return score, {"noise": (2 * misfit / free.clamp_min(tiny)).sqrt()}, probed
