"""The bridge ``split-prox``: the prox of a data term that has no gradient, by splitting."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ipx.declare.adapters import SPLIT_TOL
from ipx.declare.capabilities import DataProx, NoiseProx, Scalar, using
from ipx.numerics.tensors import column, image_norm, per_image
from ipx.parts.linear import LinearOperator
from ipx.parts.noise import Noise
from ipx.parts.normal import NormalSystem
from ipx.parts.operator import Operator
from ipx.solving.problem import Problem

PENALTY = 10.0
"""Penalty on w = A u: the prox of |. - y|_1 moves w by at most 0.1, for images in [0, 1]."""


class SplitProx:
    """prox of f(u) = nll(A u, y): argmin nll(w, y) + |u - v|^2 / (2 t) with w = A u, by ADMM.

    Figueiredo and Bioucas-Dias (IEEE Trans. Image Process. 19(12), 2010) for photons; here for any
    nll with a prox.
    """

    iterations = 100

    def __init__(self, operator: Operator[Any], noise: Noise[Any], y: Tensor) -> None:
        assert isinstance(operator, LinearOperator)  # it provides Adjoint
        self.operator, self.noise, self.y = operator, using(noise, NoiseProx), y
        self.system = NormalSystem(operator, y)

    def prox(self, v: Tensor, t: Scalar, guess: Tensor | None = None) -> Tensor:
        """argmin_u f(u) + |u - v|^2 / (2 t), each image to `SPLIT_TOL`."""
        weight = 1 / (PENALTY * per_image(t, v))
        u = v if guess is None else guess
        w = self.operator.forward(u)
        dual = torch.zeros_like(w)
        active = torch.ones(v.shape[0], dtype=torch.bool, device=v.device)
        for _ in range(self.iterations):
            b = self.operator.adjoint(w - dual) + weight * v
            new = self.system.solve(b, weight, guess=u)
            seen = self.operator.forward(new)
            split = self.noise.prox(seen + dual, self.y, 1 / PENALTY)
            on, change = column(active, new), image_norm(new - u)
            gap = image_norm(seen - split) / image_norm(split).clamp_min(1e-12)
            change = torch.maximum(change / image_norm(new).clamp_min(1e-12), gap)
            u, on = torch.where(on, new, u), column(active, seen)
            dual = torch.where(on, dual + seen - split, dual)
            w = torch.where(on, split, w)
            active = active & (change > SPLIT_TOL)
            if not bool(active.any()):
                break
        return u


def split_prox(problem: Problem) -> Problem:
    """Prox of the data term by splitting."""
    return problem.with_way(DataProx, SplitProx)
