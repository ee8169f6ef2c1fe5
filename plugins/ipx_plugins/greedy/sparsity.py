"""The bridge to a bound on the number of coefficients, and what the solvers share."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from ipx import (
    Adjoint,
    Linear,
    NoOptions,
    Orthonormal,
    Prior,
    Problem,
    Shape,
    image_norm,
    known_count,
    using,
)
from ipx.toolkit import relative
from ipx_plugins.greedy import Sparse


class SparseImages(Prior[NoOptions]):
    """Images with few nonzero coefficients W x, W that of another prior."""

    provides = (Sparse,)

    def __init__(self, prior: Prior[Any]) -> None:
        super().__init__()
        self.prior = prior
        self.traits = replace(prior.traits, weighted=False, convex=False, basis="")

    def transform(self, image_shape: Shape) -> Linear:
        """W."""
        return using(self.prior, Orthonormal).orthonormal_part(image_shape)


def sparsity(problem: Problem) -> Problem:
    """A bound on the number of coefficients in place of the prior."""
    return problem.changed(prior=SparseImages(problem.prior))


@dataclass(frozen=True)
class Dictionary:
    """The atoms A W^T e_j of a problem; coefficients c are flat, ``(B, n)``."""

    problem: Problem
    transform: Linear

    @classmethod
    def of(cls, problem: Problem) -> Dictionary:
        """That of a problem with a sparse prior."""
        return cls(problem, using(problem.prior, Sparse).transform(problem.image_shape))

    def coefficients(self, x: Tensor) -> Tensor:
        """W x."""
        return self.transform.forward(x).flatten(1)

    def picture(self, c: Tensor) -> Tensor:
        """W^T c, ``(B, C, H, W)``."""
        return self.transform.adjoint(c.reshape(-1, *self.transform.data_shape))

    def forward(self, c: Tensor) -> Tensor:
        """A W^T c, ``(B, *data_shape)``."""
        return using(self.problem.operator, Adjoint).forward(self.picture(c))

    def adjoint(self, r: Tensor) -> Tensor:
        """W A^T r, ``(B, n)``."""
        return self.coefficients(using(self.problem.operator, Adjoint).adjoint(r))


def largest(c: Tensor, k: Tensor) -> Tensor:
    """True at the k ``(B,)`` largest values of c ``(B, n)`` in size; zeros never count."""
    size = c.abs()
    ordered = size.sort(1, descending=True).values
    least = ordered.gather(1, (k.clamp(1, c.shape[1]) - 1)[:, None])
    return (size >= least) & (size > 0)


def first_count(problem: Problem, k: int | None) -> Tensor:
    """The sparsity of each image to begin with, ``(B,)``."""
    count = max(1, problem.y[0].numel() // 50) if k is None else k
    return torch.full((len(problem.y),), count, device=problem.y.device)


def grown(problem: Problem, k: Tensor, x: Tensor, stalled: Tensor) -> Tensor:
    """k a third larger where the iterations stall above the noise, up to a third of the data."""
    most = max(1, problem.y[0].numel() // 3)
    level = problem.noise.expected(problem.y, known_count(problem))
    stalled = stalled & (problem.data.value(x) > level)
    return torch.where(stalled, (k * 4 // 3 + 1).clamp_max(most), k)


def misfit(problem: Problem, residual: Tensor) -> Tensor:
    """|A x - y| / |y|, ``(B,)``: what is left to explain, for runs without a given k."""
    return image_norm(residual) / image_norm(problem.y).clamp_min(1e-12)


def unfinished(problem: Problem, k: int | None, before: Tensor, after: Tensor) -> Tensor:
    """The residual of a step of hard thresholding: relative change of x, `misfit` without a k."""
    if k is not None:
        return relative(after - before, after)
    return misfit(problem, problem.operator.forward(after) - problem.y)
