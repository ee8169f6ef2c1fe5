"""min over z of f(V z) + lam R(z), the columns of V principal components of the spectra."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ipx import (
    Diagonal,
    LinearOperator,
    NoOptions,
    Problem,
    Shape,
    ShapeError,
    Solver,
    State,
    attach,
    best_for,
    has,
    using,
)
from ipx_plugins.subspace import Spectra, SubspaceOptions

ABOVE = 1.1
"""Eigenvalues count as signal this far above the largest that noise alone has."""


@dataclass(frozen=True)
class SubspaceState(State):
    """``x`` = V z, and the state of the solver that finds z."""

    inner: Any


class Scale(LinearOperator[NoOptions]):
    """A z = d z, d the same for each component."""

    provides = (Diagonal,)

    def __init__(self, image_shape: Shape, weights: Tensor) -> None:
        super().__init__(image_shape)
        self.weights = weights  # (1, H, W)

    def forward(self, x: Tensor) -> Tensor:
        """d z."""
        return self.weights * x

    def adjoint(self, y: Tensor) -> Tensor:
        """d y."""
        return self.weights * y

    def diagonal(self, like: Tensor) -> Tensor:
        """d, ``(1, H, W)``."""
        return self.weights.to(like)

    def known(self, like: Tensor) -> Tensor:
        """Where d is not 0."""
        return self.weights.to(like.device) != 0


class Subspace(Solver[SubspaceOptions, SubspaceState]):
    """Spectra lie near a subspace of few dimensions, which the measured ones show.

    V, ``(C, k)`` with V^T V = I, holds the first principal components of the measured spectra. As
    A x = d x with the same d for each band, 1/2 |A V z - y|^2 is 1/2 |d z - V^T y|^2 up to a
    constant: an image z of k bands is restored in place of one of C, by the solver that fits the
    prior best, and x = V z. The prior is one of z. For those that do not change when the bands are
    rotated, such as ``tv``, ``smooth`` and ``tikhonov``, R(z) = R(V z), and the result is the
    minimiser of f(x) + lam R(x) in the subspace.
    """

    def init(self, problem: Problem) -> SubspaceState:
        """The components of the start."""
        _, reduced, solver = self._reduced(problem)
        return self._state(problem, solver.init(reduced))

    def step(self, problem: Problem, state: SubspaceState) -> SubspaceState:
        """A step of the solver for z."""
        _, reduced, solver = self._reduced(problem)
        return self._state(problem, solver.step(reduced, state.inner))

    def residual(self, problem: Problem, before: SubspaceState, after: SubspaceState) -> Tensor:
        """That of the solver for z."""
        _, reduced, solver = self._reduced(problem)
        return solver.residual(reduced, before.inner, after.inner)

    def budget(self, problem: Problem) -> int:
        """That of the solver for z."""
        _, reduced, solver = self._reduced(problem)
        return 1 if solver.one_shot else solver.budget(reduced)

    def schedule(self, problem: Problem) -> int | None:
        """That of the solver for z."""
        _, reduced, solver = self._reduced(problem)
        return solver.schedule(reduced)

    def _state(self, problem: Problem, inner: State) -> SubspaceState:
        basis, reduced, solver = self._reduced(problem)
        return SubspaceState(turned(basis, solver.solution(reduced, inner)), inner)

    def _reduced(self, problem: Problem) -> tuple[Tensor, Problem, Solver[Any, Any]]:
        """V of each image ``(B, C, k)``, the problem in z with its plan attached, its solver."""

        def make() -> tuple[Tensor, Problem, Solver[Any, Any]]:
            across = _fused if has(problem.operator, Spectra) else _scaled
            basis, operator, y = across(problem, self.options.rank)
            reduced = Problem(y, operator, problem.noise, problem.prior, 1.0)
            plan, solver = best_for(reduced)
            return basis, attach(reduced, plan), solver

        basis, reduced, solver = problem.derived(("subspace", self.options.rank), make)
        start = None if problem.x0 is None else turned(basis.mT, problem.x0)
        return basis, reduced.with_lam(problem.lam, start), solver


def turned(basis: Tensor, x: Tensor) -> Tensor:
    """Each spectrum s as V s: ``(B, C, H, W)`` by V ``(B, K, C)`` to ``(B, K, H, W)``."""
    out: Tensor = torch.einsum("bkc,bchw->bkhw", basis, x)
    return out


Reduced = tuple[Tensor, LinearOperator[Any], Tensor]
"""V, the operator on z, and its data."""


def _scaled(problem: Problem, rank: int | None) -> Reduced:
    """A x = d x with the same d for each band: d z = V^T y."""
    d = using(problem.operator, Diagonal).diagonal(problem.y)
    if d.numel() == 1:
        d = d.reshape(1, 1, 1)
    if d.ndim < 3 or d.shape[0] != 1:
        raise ShapeError(
            "solver subspace needs bands that are all measured at the same pixels; take operator "
            "spectral-inpaint, or another solver"
        )
    d = d.expand(1, *problem.y.shape[-2:])
    seen = d[0] != 0
    louder = float((1 / d[0][seen] ** 2).mean())  # the noise of y / d
    basis = components(problem, problem.y[:, :, seen] / d[0][seen], rank, louder)
    shape = (basis.shape[-1], *problem.image_shape[1:])
    return basis, Scale(shape, d), turned(basis.mT, problem.y)


def _fused(problem: Problem, rank: int | None) -> Reduced:
    """A V, with the data as they are."""
    if problem.y.shape[0] > 1:  # each image has its own V
        raise ShapeError("solver subspace restores data of two instruments one image at a time")
    seen = using(problem.operator, Spectra)
    basis = components(problem, seen.spectra(problem.y), rank)
    return basis, seen.turned(basis[0]), problem.y


def components(problem: Problem, spectra: Tensor, rank: int | None, louder: float = 1.0) -> Tensor:
    """The first eigenvectors of the second moments of the measured spectra, ``(B, C, k)``.

    Means are not removed: the mean spectrum is a component like others. Without a given rank those
    are taken whose eigenvalue is above all those of noise alone, sigma^2 (1 + sqrt(C / n))^2 for n
    spectra (Marchenko and Pastur 1967). An image with fewer of them than others has zeros in their
    place.

    Args:
        problem: with the noise level.
        spectra: ``(B, C, n)``.
        rank: k, or None.
        louder: mean variance of the noise of ``spectra`` over that of the data.
    """
    spectra = spectra.double()
    bands, count = spectra.shape[1:]
    values, vectors = torch.linalg.eigh(spectra @ spectra.mT / count)
    values, vectors = values.flip(-1), vectors.flip(-1)
    if rank is None:
        noise = problem.noise
        if noise.level is None:
            noise = noise.estimated(problem.y, problem.operator.known(problem.y))
        sigma = torch.as_tensor(noise.level, dtype=values.dtype, device=values.device)
        edge = ABOVE * louder * sigma.reshape(-1, 1) ** 2 * (1 + math.sqrt(bands / count)) ** 2
        above = values > edge
        above[:, 0] = True
        vectors, rank = vectors * above[:, None], int(above.sum(1).max())
    first: Tensor = vectors[..., : min(rank, bands)]
    return first.to(problem.y)
