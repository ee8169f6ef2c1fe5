"""The weight at which the code of the result is as long as that of a clean image.

For a model with a code z ~ N(0, I) of n numbers |z| is near sqrt(n), or a share of it that is
measured on clean images. The larger the weight, the shorter the code. No noise level is needed.
"""

from __future__ import annotations

import torch

from ipx import Latent, Problem, Result, Solve, image_norm, using
from ipx_plugins.discrepancy import RadiusOptions
from ipx_plugins.discrepancy.search import LeastScore, Measured


class Radius(LeastScore[RadiusOptions]):
    """The weight with |E(x_lam)| = radius sqrt(n)."""

    solves = 1

    def measured(
        self, problem: Problem, result: Result, solve: Solve, before: Result | None
    ) -> Measured:
        """The square of log(|z| / (radius sqrt(n))); beside it ``radius``, |z| / sqrt(n)."""
        code = result.unknown
        if problem.code is None:
            code = using(problem.prior, Latent).encode(result.x)
        share = image_norm(code) / code[0].numel() ** 0.5
        tiny = torch.finfo(share.dtype).tiny
        score = (share / self.options.radius).clamp_min(tiny).log() ** 2
        return Measured(score[None], {"radius": share})
