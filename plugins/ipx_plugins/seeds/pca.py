"""The Gaussian prior from principal components, and its posterior mean."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ipx import InputError, LinearOperator, NormalSystem


@dataclass(frozen=True)
class PCA:
    """x ~ N(mean, U diag(variance - rest) U^T + rest I) (Tipping and Bishop 1999).

    Attributes:
        mean: ``(n,)``.
        basis: U, orthonormal, ``(n, K)``.
        variance: variance along each component, ``(K,)``, decreasing.
        rest: variance in all other directions.
    """

    mean: Tensor
    basis: Tensor
    variance: Tensor
    rest: float


def fit(x: Tensor, components: int) -> PCA:
    """Maximum-likelihood fit to pictures ``(N, C, H, W)``, in float64.

    Components are found by randomised subspace iteration with a fixed seed (Halko, Martinsson
    and Tropp 2011).

    Raises:
        InputError: there are fewer than ``components`` + 2 pictures.
    """
    if len(x) <= components + 1:
        raise InputError(f"{len(x)} training pictures are too few for {components} components")
    flat = x.flatten(1)
    mean = flat.mean(0)
    centred = flat - mean
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        _, s, basis = torch.svd_lowrank(centred, min(components + 10, *centred.shape), niter=4)
    variance = s.double()[:components] ** 2 / (len(x) - 1)
    total = float(centred.double().square().sum()) / (len(x) - 1)
    rest = max((total - float(variance.sum())) / (flat.shape[1] - components), 1e-8)
    return PCA(mean.double(), basis[:, :components].double(), variance, rest)


def posterior_mean(pca: PCA, operator: LinearOperator[Any], y: Tensor, variance: float) -> Tensor:
    """E[x | y], ``(B, C, H, W)`` for data ``(B, ...)`` with white noise of this variance.

    With 1/t = variance / rest and M = A^T A + I/t the normal equations of d = x - mean are
    (M - U S U^T / t) d = A^T (y - A mean), S = 1 - rest / variance_k. M is inverted in closed form
    where possible; Woodbury's identity adds a K x K system.

    Args:
        pca: the prior.
        operator: A, linear.
        y: the data.
        variance: variance of the noise, > 0.
    """
    shape = operator.image_shape
    t = pca.rest / variance
    mean, u = pca.mean.view(1, *shape), pca.basis
    r = y.double() - operator(mean)
    system, images = NormalSystem(operator, r), u.T.reshape(-1, *shape)
    first = system.solve(operator.adjoint(r), 1 / t).flatten(1)  # M^-1 A^T r
    solved = system.solve(images, 1 / t, guess=t * images).flatten(1)  # M^-1 U, transposed
    share = (1 - pca.rest / pca.variance).clamp_min(1e-6)
    inner = torch.diag(t / share) - solved @ u
    d = first + torch.linalg.solve(inner, u.T @ first.T).T @ solved
    x: Tensor = mean + d.view(-1, *shape)
    return x.to(y.dtype)
