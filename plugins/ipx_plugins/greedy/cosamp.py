"""Compressive sampling matching pursuit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ipx import Problem, Solver, State, image_norm
from ipx.toolkit import column, conjugate_gradient
from ipx_plugins.greedy import ThresholdOptions
from ipx_plugins.greedy.sparsity import Dictionary, first_count, grown, largest, unfinished

_PROGRESS, _TOL = 0.98, 1e-10  # of the residual in a step, below which k grows
_STEPS = 5  # section 5 of the paper: from the last coefficients, three are enough


@dataclass(frozen=True)
class CoSaMPState(State):
    """x, and the sparsity of the next step, ``(B,)``."""

    k: Tensor


class CoSaMP(Solver[ThresholdOptions, CoSaMPState]):
    """Least squares on the support and the 2k largest correlations, then the k largest values.

    Needell and Tropp 2009, algorithm 1. The fit is by five conjugate gradient steps from the last
    coefficients. k is at most about m/5. A step that does not lower |A x - y| is not taken: without
    restricted isometry the supports would alternate.
    """

    iterations = 100

    def init(self, problem: Problem) -> CoSaMPState:
        """x = 0."""
        return CoSaMPState(problem.start() * 0, first_count(problem, self.options.k))

    def step(self, problem: Problem, state: CoSaMPState) -> CoSaMPState:
        """Identify, merge, estimate, prune."""
        atoms = Dictionary.of(problem)
        c = atoms.coefficients(state.x)
        c = c * largest(c, state.k)
        left = problem.y - atoms.forward(c)
        proxy = atoms.adjoint(left)
        support = largest(proxy, 2 * state.k) | (c != 0)

        def normal(v: Tensor) -> Tensor:
            return atoms.adjoint(atoms.forward(v * support)) * support

        right = atoms.adjoint(problem.y) * support
        fit = conjugate_gradient(normal, right, c, _STEPS, _TOL)
        fit = fit * largest(fit, state.k)
        before, after = image_norm(left), image_norm(problem.y - atoms.forward(fit))
        x = atoms.picture(torch.where(column(after < before, fit), fit, c))
        stalled = after > _PROGRESS * before
        k = state.k if self.options.k is not None else grown(problem, state.k, x, stalled)
        return CoSaMPState(x, k)

    def residual(self, problem: Problem, before: CoSaMPState, after: CoSaMPState) -> Tensor:
        """Relative change of x; without a given k |A x - y| / |y|."""
        return unfinished(problem, self.options.k, before.x, after.x)
