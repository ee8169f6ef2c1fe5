"""The weight with the least error against the truth: for benchmarks of the other rules."""

from __future__ import annotations

import torch

from ipx import Problem, Result, Solve
from ipx_plugins.discrepancy import OracleOptions
from ipx_plugins.discrepancy.search import LeastScore, Measured


class Oracle(LeastScore[OracleOptions]):
    """The weight of the least log |x_lam - x|^2, x the clean image."""

    solves = 1
    weights = 7  # of 537 searches, tests/benchmarks/lam.py

    def measured(
        self, problem: Problem, result: Result, solve: Solve, before: Result | None
    ) -> Measured:
        """log of the mean squared error."""
        assert solve.truth is not None  # the declaration needs it
        error = (problem.physical.view(result.x) - solve.truth).flatten(1)
        square = error.square().mean(1).clamp_min(torch.finfo(error.dtype).tiny)
        return Measured(square.log()[None])
