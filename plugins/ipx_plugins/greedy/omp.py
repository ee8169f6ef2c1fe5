"""Orthogonal matching pursuit."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ipx import Problem, Solver, State
from ipx_plugins.greedy import OMPOptions
from ipx_plugins.greedy.sparsity import Dictionary, misfit

_DEPENDENT = 1e-6


@dataclass(frozen=True)
class OMPState(State):
    """x; the chosen atoms ``(B, k)``, and their factorisation Q R.

    Q is ``(B, m, k)`` with orthonormal columns, R ``(B, k, k)`` upper triangular, ``residual``
    what is left of the data, ``(B, *data_shape)``.
    """

    chosen: Tensor
    q: Tensor
    r: Tensor
    residual: Tensor


class OMP(Solver[OMPOptions, OMPState]):
    """Adds the atom that correlates most with the residual, then fits all chosen ones.

    The least-squares fit is updated by one column of a QR factorisation, orthogonalised twice.
    Atoms are not normalised: their norms should be about equal, as those of random matrices are.
    """

    def budget(self, problem: Problem) -> int:
        """k, or half the number of data."""
        count: int = problem.y[0].numel()
        return self.options.k or max(1, count // 2)

    def schedule(self, problem: Problem) -> int | None:
        """k."""
        return self.options.k

    def init(self, problem: Problem) -> OMPState:
        """No atoms, x = 0."""
        y = problem.y
        count, m = len(y), y[0].numel()
        return OMPState(
            problem.start() * 0,
            torch.zeros(count, 0, dtype=torch.int64, device=y.device),
            y.new_zeros(count, m, 0),
            y.new_zeros(count, 0, 0),
            y,
        )

    def step(self, problem: Problem, state: OMPState) -> OMPState:
        """One more atom."""
        atoms, y, q = Dictionary.of(problem), problem.y.flatten(1), state.q
        fit = atoms.adjoint(state.residual)
        at = fit.abs().scatter(1, state.chosen, -1.0).argmax(1, keepdim=True)
        one = torch.zeros_like(fit).scatter(1, at, 1.0)
        atom = atoms.forward(one).flatten(1)[..., None]
        share = q.mT @ atom
        rest = atom - q @ share
        again = q.mT @ rest
        share, rest = share + again, rest - q @ again
        length = rest.norm(dim=1, keepdim=True)
        # an atom that depends on the others is kept with coefficient 0
        fresh = length > _DEPENDENT * atom.norm(dim=1, keepdim=True)
        column = torch.where(fresh, rest / torch.where(fresh, length, 1.0), 0.0)
        diagonal = torch.where(fresh, length, 1.0)
        q = torch.cat([q, column], 2)
        below = state.r.new_zeros(len(y), 1, state.r.shape[2])
        r = torch.cat([torch.cat([state.r, below], 1), torch.cat([share, diagonal], 1)], 2)
        seen = q.mT @ y[..., None]
        values = torch.linalg.solve_triangular(r, seen, upper=True)[..., 0]
        chosen = torch.cat([state.chosen, at], 1)
        c = torch.zeros_like(fit).scatter(1, chosen, values)
        residual = (y - (q @ seen)[..., 0]).reshape(problem.y.shape)
        return OMPState(atoms.picture(c), chosen, q, r, residual)

    def residual(self, problem: Problem, before: OMPState, after: OMPState) -> Tensor:
        """|A x - y| / |y|."""
        return misfit(problem, after.residual)
