"""Mean-field variational inference: closed forms, and the equations that its results solve."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

import ipx
from ipx.solving.attach import attach, plan_for
from ipx_plugins.samplers.vi import VIState, diagonal
from small_problems import F64

SHAPE = (1, 9, 8)
SIGMA, LAM = 0.1, 0.02
T = SIGMA**2


def attached(prior: ipx.Prior, op: dict[str, object] | None = None) -> ipx.Problem:
    rng = torch.Generator().manual_seed(0)
    y = torch.rand(2, *SHAPE, generator=rng, dtype=F64)
    operator = ipx.operator("blur", SHAPE, **(op or {"sigma": 0.8}))
    problem = ipx.Problem(y, operator, ipx.noise("gaussian", sigma=SIGMA), prior, LAM)
    return attach(problem, plan_for(problem, ipx.sampler("vi")))


def dense(operator: ipx.LinearOperator) -> Tensor:
    """The matrix of an operator, ``(m, n)``."""
    eye = torch.eye(72, dtype=F64).view(72, *SHAPE)
    return operator.forward(eye).flatten(1).T


def found(problem: ipx.Problem, **options: object) -> VIState:
    return ipx.sampler("vi", **options).init(problem, problem.start())


def test_gaussian_posterior() -> None:
    """The mean is exact, a variance is T / H_ii, below the exact (T / H)_ii."""
    problem = attached(ipx.prior("smooth"), {"sigma": 0.8, "boundary": "circular"})
    a = dense(problem.operator)
    k = dense(problem.prior.quadratic_part(SHAPE))
    h = a.T @ a + LAM * k.T @ k
    state = found(problem)
    mean = torch.linalg.solve(h, a.T @ problem.y.flatten(1).T).T
    torch.testing.assert_close(state.mean.flatten(1), mean, rtol=0, atol=1e-5)
    std = (T / h.diag()).sqrt().expand(2, -1)
    torch.testing.assert_close(state.std.flatten(1), std, rtol=1e-6, atol=0)
    exact = (T * torch.linalg.inv(h).diag()).sqrt()
    assert bool((state.std.flatten(1) < exact).all())
    draws = ipx.sample(problem, ipx.sampler("vi"), draws=150)
    assert float((draws.std / state.std).mean()) == pytest.approx(1, abs=0.02)


@pytest.mark.parametrize("options", [{}, {"isotropic": False}])
def test_total_variation(options: dict[str, bool]) -> None:
    """m, v and w solve each other's equations."""
    problem = attached(ipx.prior("tv", **options), {"sigma": 0.8, "boundary": "circular"})
    state = found(problem, rounds=200)
    m, v = state.mean.flatten(1), state.std.flatten(1) ** 2
    a, d = dense(problem.operator), dense(problem.prior.linear_part(SHAPE))
    square = (m @ d.T) ** 2 + v @ (d.T**2)
    if not options:
        square = square.view(2, 2, -1).sum(1, keepdim=True).expand(2, 2, -1).flatten(1)
    square = square.clamp_min(1e-18)  # no differences across the border
    for i in range(2):
        h = a.T @ a + LAM * d.T @ torch.diag(square[i].rsqrt()) @ d
        mean = torch.linalg.solve(h, a.T @ problem.y[i].flatten())
        torch.testing.assert_close(m[i], mean, rtol=0, atol=1e-4)
        torch.testing.assert_close(v[i], T / h.diag(), rtol=1e-3, atol=0)


def test_sparse_pixels_with_holes() -> None:
    """l1 and a mask: each pixel by itself; without data w falls to 0, slowly."""
    y = torch.tensor([0.02, 0.1, 0.5, 1.0], dtype=F64).view(1, 1, 2, 2)
    operator = ipx.operator("identity", (1, 2, 2))
    problem = ipx.Problem(y, operator, ipx.noise("gaussian", sigma=0.1), ipx.prior("l1"), 0.05)
    state = found(attach(problem, plan_for(problem, ipx.sampler("vi"))), rounds=300)
    w = (state.mean**2 + state.std**2).sqrt()
    torch.testing.assert_close(state.mean, y / (1 + 0.05 / w), rtol=0, atol=1e-5)
    torch.testing.assert_close(state.std**2, 0.01 / (1 + 0.05 / w), rtol=1e-4, atol=0)


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("inpaint", {"missing": 0.5}),
        ("super-resolution", {"factor": 2, "filter": "mean"}),
        ("blur", {"sigma": 0.8, "boundary": "replicate"}),
    ],
)
def test_diagonal(name: str, options: dict[str, object]) -> None:
    """The diagonal of A^T A, also without a closed form."""
    operator = ipx.operator(name, (1, 8, 8), **options)
    eye = torch.eye(64, dtype=F64).view(64, 1, 8, 8)
    exact = operator.forward(eye).flatten(1).square().sum(1).view(8, 8)
    torch.testing.assert_close(diagonal(operator, eye[:2])[1, 0], exact, rtol=1e-5, atol=1e-6)


def test_vi_is_never_chosen_by_itself() -> None:
    y = torch.rand(1, 8, 8, dtype=F64)
    noise = {"name": "gaussian", "sigma": 0.1}
    how = ipx.solve(y, noise=noise, prior="tv", lam=0.02, estimate="mmse", draws=4)
    assert how.posterior is not None
    assert how.posterior.sampler != "vi"
