"""Normalised iterative hard thresholding."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ipx import Problem, Solver, State, image_norm
from ipx.toolkit import relative
from ipx_plugins.greedy import ThresholdOptions
from ipx_plugins.greedy.sparsity import Dictionary, first_count, grown, largest, unfinished

_SAFETY, _TRIALS, _STALLED = 0.01, 30, 1e-3


@dataclass(frozen=True)
class IHTState(State):
    """x, and the sparsity of the next step, ``(B,)``."""

    k: Tensor


class IHT(Solver[ThresholdOptions, IHTState]):
    """c+ = H_k(c + mu g), g = W A^T (y - A x), mu the exact step on the present support.

    Where the support changes, mu is halved until mu <= 0.99 |d|^2 / |A W^T d|^2, d = c+ - c
    (Blumensath, Davies 2010, equations 13 and 15), so that the residual never grows.
    """

    def init(self, problem: Problem) -> IHTState:
        """x = 0."""
        return IHTState(problem.start() * 0, first_count(problem, self.options.k))

    def step(self, problem: Problem, state: IHTState) -> IHTState:
        """One thresholded gradient step."""
        atoms = Dictionary.of(problem)
        c = atoms.coefficients(state.x)
        g = atoms.adjoint(problem.y - atoms.forward(c))
        empty = (c == 0).all(1, keepdim=True)
        support = torch.where(empty, largest(g, state.k), largest(c, state.k))
        on = g * support
        mu = image_norm(on) ** 2 / image_norm(atoms.forward(on)).clamp_min(1e-30) ** 2
        fresh = c
        for _ in range(_TRIALS):
            moved = c + mu[:, None] * g
            fresh = moved * largest(moved, state.k)
            d = fresh - c
            same = ((fresh != 0) == support).all(1)
            bound = image_norm(d) ** 2 / image_norm(atoms.forward(d)).clamp_min(1e-30) ** 2
            good = same | (mu <= (1 - _SAFETY) * bound)
            if bool(good.all()):
                break
            mu = torch.where(good, mu, mu / 2)
        x = atoms.picture(fresh)
        stalled = relative(x - state.x, x) < _STALLED
        k = state.k if self.options.k is not None else grown(problem, state.k, x, stalled)
        return IHTState(x, k)

    def residual(self, problem: Problem, before: IHTState, after: IHTState) -> Tensor:
        """Relative change of x; without a given k |A x - y| / |y|."""
        return unfinished(problem, self.options.k, before.x, after.x)
