"""The weight that predicts measurements best that were left out: no noise level is needed.

A share of the measured values, at random, is taken out of the data. The weight is that of the least
data term of their prediction by the solution from the rest (Stone, J. Royal Statistical Society
B 36(2), 1974: cross-validation with one fold). For Gaussian noise that is the squared error: the
noise of the values left out is independent of the solution, so that the expected error is that of
A x_lam plus a constant. For impulses it is the sum of distances, which does not depend much on few
wrong values.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor

from ipx import (
    Adjoint,
    Diagonal,
    InputError,
    LinearOperator,
    NoiseGrad,
    NoOptions,
    Problem,
    Result,
    Solve,
    Tuned,
    Tuner,
    attach,
    best_for,
    has,
)
from ipx_plugins.discrepancy import HoldoutOptions
from ipx_plugins.discrepancy.search import LeastScore, Measured

_LEAST_WITH_KINKS = 1e-3
"""Least weight beside a data term with kinks: below it solvers are far from converged.

With the weight 1e-7 a photograph behind a blur has 13 dB after 200 steps, with 1e-3 37 dB.
"""


class Kept(LinearOperator[NoOptions]):
    """Data with some values set to zero, as not measured.

    Args:
        mask: true for the values that are kept, of the shape of the data of one image.
    """

    provides = (Adjoint, Diagonal)

    def __init__(self, mask: Tensor) -> None:
        super().__init__(tuple(mask.shape))
        self.mask = mask

    def forward(self, x: Tensor) -> Tensor:
        return torch.where(self.mask, x, torch.zeros((), dtype=x.dtype, device=x.device))

    def adjoint(self, y: Tensor) -> Tensor:
        return self.forward(y)

    def diagonal(self, like: Tensor) -> Tensor:
        """1 where a value is kept, else 0."""
        return self.mask.to(like)

    def known(self, like: Tensor) -> Tensor | None:
        """The mask."""
        return self.mask


class Holdout(Tuner[HoldoutOptions]):
    """The weight of the least error of the values that were left out."""

    def most(self, problem: Problem) -> int:
        """One solve for each weight."""
        return self.options.evaluations

    def usual(self, problem: Problem) -> int:
        """As many."""
        return self.most(problem)

    def tune(self, problem: Problem, solve: Solve) -> Tuned:
        """Choose lam for each image by the best solver for the rest of the data."""
        known, shape = problem.operator.known(problem.y), tuple(problem.y.shape[1:])
        known = torch.ones(shape, dtype=torch.bool) if known is None else known.cpu().expand(shape)
        if int(known.sum()) < 2:
            raise InputError(f"holdout cannot divide {int(known.sum())} measured values")
        out = self._chosen(known)
        device, whole = problem.y.device, problem.operator
        assert isinstance(whole, LinearOperator)  # the tuner needs Adjoint
        operator: LinearOperator[Any] = Kept((known & ~out).to(device)) @ whole
        rest = problem.changed(operator=operator, plan=None, ways={}, x0=None)
        plan, solver = best_for(rest)
        fold = _Fold(self.options, problem, out.to(device))
        found = fold.tune(attach(rest, plan), solve.by(solver))
        return Tuned(found.lam, found.trace, decided=found.decided)

    def _chosen(self, known: Tensor) -> Tensor:
        """The values to leave out: at least one, and not all that are known."""
        generator = torch.Generator().manual_seed(self.options.seed)
        draws = torch.rand(known.shape, generator=generator)
        least, most = draws[known].min(), draws[known].max()
        return known & (draws != most) & (draws < self.options.share) | known & (draws == least)


class _Fold(LeastScore[HoldoutOptions]):
    """The search on the rest of the data.

    Args:
        options: of the tuner.
        whole: the problem with all data.
        out: true for the values that were left out.
    """

    solves = 1

    def __init__(self, options: HoldoutOptions, whole: Problem, out: Tensor) -> None:
        super().__init__(options)
        self.whole, self.out = whole, out
        if not has(whole.noise, NoiseGrad):
            self.lowest = math.log(_LEAST_WITH_KINKS)

    def measured(
        self, problem: Problem, result: Result, solve: Solve, before: Result | None
    ) -> Measured:
        """log of the data term of the prediction."""
        noise, y = self.whole.noise, self.whole.y
        predicted = self.whole.operator.forward(result.unknown)
        misfit = noise.nll(torch.where(self.out, predicted, noise.centred(y)), y)
        score = misfit.clamp_min(torch.finfo(misfit.dtype).tiny).log()
        return Measured(score[None])
