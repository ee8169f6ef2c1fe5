"""Generalised cross-validation: choice of lam that needs no noise level.

    lam = argmin |A x_lam - y|^2 / (m - df_lam)^2

(Golub, Heath, Wahba 1979; for nonlinear estimates df comes from a random probe, Girard 1989,
Ramani et al. 2008). For photons the squares are divided by the variance of each value, to which
twice the Kullback-Leibler divergence is near (Bardsley, Goldes, Inverse Problems 25, 2009). For
blurred data the noise estimate |A x - y|^2 / (m - df) hardly depends on lam over a wide range. GCV
then chooses the smoothest picture in this range, whereas a rule that uses an estimated sigma is
sensitive to errors of one per cent.

Shrinkage by a prior that is not quadratic gives the score a second minimum near lam = 0, where
residual and degrees of freedom vanish together, and for smooth priors a small weight may have the
least score of all. An estimated level of the noise on which the estimators agree therefore bounds
the weight: it is at least that of the least risk (`SURE`) for a level 2 to 10 % below the estimate,
less where a part of the level may be texture (`Level.least`). A weight that leaves twice the level
is too large: text and line art without noise have their least score there. The lower bound was
chosen on 321 denoisings, blurs, holes, low resolutions and Fourier data of other pictures than
those reported, with total variation, wavelets and `smooth`, interpolated between weights: 20 are
more than 0.3 dB below the best weight, levels counted in full. Cross-validation that is followed by
the discrepancy principle where its noise is too small leaves 88.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor

from ipx import Problem, Result, Solve, Tuned, noise_variance, vector
from ipx_plugins.discrepancy import GCVOptions
from ipx_plugins.discrepancy.freedom import coarse_count, coarse_misfit, free_values
from ipx_plugins.discrepancy.noise_share import noise_level
from ipx_plugins.discrepancy.pooled import pooled_risks
from ipx_plugins.discrepancy.search import Found, LeastScore, Measured

_LEAST_FREE = 5e-3  # smallest (m - df) / m
_SILENT = 1e-6  # estimated levels below it are rounding in single precision; 16 bits have 4e-6
_MOST = 2.0  # a weight that leaves more than this times the estimated level is too large
_FAR = 1e3  # above all scores: it grows with the noise that is left, and so with the weight
_SPAN = 1e-3  # scores that vary less do not depend on lam
WORST = 0.0  # above all scores of pictures in [0, 1], which are at most log(1 / m)


class GCV(LeastScore[GCVOptions]):
    """The weight of least |A x - y|^2 / (m - df)^2."""

    def tune(self, problem: Problem, solve: Solve) -> Tuned:
        """Choose lam for each image with noise.

        Without noise residuals and scores fall with the weight, and what is not measured is filled
        in worse: total variation on a part of all frequencies lost up to 3.6 dB.
        """
        noisy = noise_variance(problem) > _SILENT**2
        if problem.estimated and not bool(noisy.any()):
            return Tuned(self.first(problem), decided=noisy)
        tuned = super().tune(problem, solve)
        if not problem.estimated or tuned.decided is None:
            return tuned
        return replace(tuned, decided=tuned.decided & noisy)

    def decided(self, found: Found) -> Tensor:
        """Where the score varies, and has a minimum within its bounds.

        With pixelwise shrinkage it does not depend on lam.
        """
        spans = []
        for points in found.points:
            scores = [p[2] for p in points if math.isfinite(p[2])] or [0.0]
            spans.append(max(scores) - min(scores))
        varies = torch.tensor(spans, device=found.lam.device) > _SPAN
        return varies & super().decided(found)

    def score(self, problem: Problem, result: Result, solve: Solve) -> Tensor:
        """log |A x - y|^2 - 2 log(m - df) + const, ``(B,)``; `WORST` where m - df vanishes.

        There the residual vanishes too, and the score would be rounding error.
        """
        return self.measured(problem, result, solve, None).told["score"]

    def compare(self, tries: Sequence[tuple[Problem, Result, Solve]]) -> Tensor:
        """The risks of solutions with different priors, see `pooled_risks`."""
        return pooled_risks(tries)

    def measured(
        self, problem: Problem, result: Result, solve: Solve, before: Result | None
    ) -> Measured:
        """The score and the risk; told beside them ``noise``, |A x - y| / sqrt(m - df)."""
        misfit, count = coarse_misfit(problem, result), coarse_count(problem)
        lam = vector(problem.lam, misfit)
        free, probed = free_values(problem, result, solve, lam, before)
        tiny = torch.finfo(misfit.dtype).tiny
        misfit, free = misfit.clamp_min(tiny), free.clamp_min(tiny)
        score = torch.log(misfit) - 2 * torch.log(free)
        score = torch.where(free > _LEAST_FREE * count, score, torch.inf)
        level = noise_level(problem)
        least = level.least.square() * level.variance
        left, least = 2 * misfit / free, least.clamp_min(tiny)
        counts = level.certain & problem.estimated
        risk = (2 * misfit + 2 * least * (count - free).clamp_min(0)).log()
        much = counts & (left > _MOST**2 * level.variance)
        values = torch.stack(
            [torch.where(much, _FAR + left.log(), score), torch.where(counts, risk, score)]
        )
        gap = torch.where(counts, (left / least).log(), 0.0)
        told = {"score": torch.where(score.isinf(), WORST, score), "noise": left.sqrt()}
        if bool(counts.any()):
            told["risk"] = risk
        return Measured(values, told, probed, gap)
