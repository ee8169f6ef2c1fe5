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
is too large: text and line art without noise have their least score there. Where no weight leaves
less, the data refute the level, and the score decides alone: the variance of photons differs from
pixel to pixel, and in dark regions all estimators find less noise than there is. The lower bound
was chosen on 321 denoisings, blurs, holes, low resolutions and Fourier data of other pictures than
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
from ipx_plugins.discrepancy.noise_share import Level, noise_level
from ipx_plugins.discrepancy.pooled import pooled_risks
from ipx_plugins.discrepancy.search import Found, LeastScore, Measured

_LEAST_FREE = 5e-3  # smallest (m - df) / m
_SILENT = 1e-6  # estimated levels below it are rounding in single precision; 16 bits have 4e-6
_MOST = 2.0  # a weight that leaves more than this times the estimated level is too large
_AGAIN = 8  # weights that are tried at most where the data refute the level
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
        if not problem.estimated:
            return tuned
        refuted = self._refuted(problem, tuned)
        if bool(refuted.any()):
            found = _Alone(self.options).search(problem, solve, _AGAIN)
            lam = torch.where(refuted, found.lam, tuned.lam)
            tuned = replace(tuned, lam=lam, trace=[*tuned.trace, *found.trace])
        decided = noisy if tuned.decided is None else tuned.decided & noisy
        return replace(tuned, decided=decided | refuted)  # no rule has a better level

    def most(self, problem: Problem) -> int:
        """Those of a search, and of a second one where the data may refute the level."""
        return super().most(problem) + (self.solves * _AGAIN if problem.estimated else 0)

    def bounding(self, problem: Problem, level: Level) -> Tensor:
        """Images whose level bounds the weight, ``(B,)``."""
        return level.certain & problem.estimated

    def _refuted(self, problem: Problem, tuned: Tuned) -> Tensor:
        """Images of which each weight tried leaves more noise than the level allows, ``(B,)``."""
        level = noise_level(problem)
        left = torch.tensor([row["noise"] for row in tuned.trace]).to(level.variance).amin(0)
        return self.bounding(problem, level) & (left > _MOST * level.variance.sqrt())

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
        counts = self.bounding(problem, level)
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


class _Alone(GCV):
    """Cross-validation without the bounds of a level."""

    def bounding(self, problem: Problem, level: Level) -> Tensor:
        """None."""
        return torch.zeros_like(level.certain)
