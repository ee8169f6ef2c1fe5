"""Harmonic and biharmonic filling of missing pixels; the known ones are kept.

Harmonic filling minimises |grad x|^2, biharmonic filling |laplace x|^2, over the missing pixels.
The gradient across the border of the picture is zero. The equations of all missing pixels are
solved at once by a sparse factorisation, outside of automatic differentiation.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from scipy import sparse
from scipy.sparse.linalg import splu

from ipx import Diagonal, NoOptions, Problem, Solver, State, using


class Harmonic(Solver[NoOptions, State]):
    """x with L x = 0 at the missing pixels, L = grad^T grad, and x = y / d at the others."""

    iterations = 1
    one_shot = True
    order: ClassVar[int] = 1

    def init(self, problem: Problem) -> State:
        """The start; `step` does not use it."""
        return State(problem.start())

    def step(self, problem: Problem, state: State) -> State:
        """The filled picture."""
        y, shape = problem.noise.centred(problem.y), state.x.shape[1:]
        d = using(problem.operator, Diagonal).diagonal(y).expand(shape)
        known, trusted = d != 0, problem.noise.trusted(problem.y)
        seen = known.expand(y.shape) if trusted is None else known & trusted
        x = torch.where(seen, y / torch.where(known, d, torch.ones_like(d)), torch.zeros_like(y))
        values, masks = x.detach().cpu().double().numpy(), seen.cpu().numpy()
        for picture, mask in zip(values, masks, strict=True):
            for same in _alike(mask):
                picture[same] = self._filled(picture[same], mask[same[0]])
        return State(torch.from_numpy(values).to(x))

    def _filled(self, channels: Any, known: Any) -> Any:
        """Channels ``(N, ...)`` with the same mask, filled; without any known pixel unchanged."""
        hole = ~known.ravel()
        if not hole.any() or hole.all():
            return channels
        flat = channels.reshape(len(channels), -1)
        laplace = _laplace(known.shape)
        matrix = laplace if self.order == 1 else laplace @ laplace
        rows = matrix[hole]
        right = -(rows[:, ~hole] @ flat[:, ~hole].T)
        flat[:, hole] = splu(rows[:, hole].tocsc()).solve(right).T
        return flat.reshape(channels.shape)


class Biharmonic(Harmonic):
    """x with L^2 x = 0 at the missing pixels, and x = y / d at the others."""

    order = 2


def _alike(mask: Any) -> list[list[int]]:
    """The channels of a mask ``(C, ...)`` in groups of equal masks."""
    groups: dict[bytes, list[int]] = {}
    for channel, values in enumerate(mask):
        groups.setdefault(np.packbits(values).tobytes(), []).append(channel)
    return list(groups.values())


def _laplace(shape: tuple[int, ...]) -> Any:
    """grad^T grad for forward differences, zero across the border."""
    total = sparse.csr_matrix((int(np.prod(shape)),) * 2)
    for axis, n in enumerate(shape):
        if n == 1:
            continue
        slope = sparse.diags([-np.ones(n - 1), np.ones(n - 1)], [0, 1], shape=(n - 1, n))
        before, after = int(np.prod(shape[:axis])), int(np.prod(shape[axis + 1 :]))
        line = sparse.kron(sparse.eye(before), sparse.kron(slope.T @ slope, sparse.eye(after)))
        total = total + line
    return total.tocsr()
