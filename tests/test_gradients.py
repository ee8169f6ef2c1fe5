"""Gradients through a restoration, as docs/extending.md promises them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
from torch import Tensor, nn

import ipx
from small_problems import F64

SHAPE = (1, 16, 16)
NOISE = {"name": "gaussian", "sigma": 0.03}


def scene() -> Tensor:
    x = torch.linspace(0.2, 0.6, 16, dtype=F64).expand(1, *SHAPE).clone()
    x[..., 3:8, 4:12] += 0.3
    return x


def operator() -> Any:
    return ipx.operator("blur", SHAPE, sigma=1.0)


def data(seed: int = 0) -> Tensor:
    noise = torch.randn(1, *SHAPE, generator=torch.Generator().manual_seed(seed), dtype=F64)
    return operator()(scene()) + 0.03 * noise


def along(function: Callable[[Tensor], Tensor], at: Tensor, h: float = 1e-7) -> tuple[float, float]:
    """The derivative in a direction by autograd, and by a difference."""
    d = torch.randn(at.shape, generator=torch.Generator().manual_seed(5), dtype=F64)
    point = at.clone().requires_grad_(True)
    (gradient,) = torch.autograd.grad(function(point), point)
    with torch.no_grad():
        difference = (function(at + h * d) - function(at - h * d)) / (2 * h)
    return float((gradient * d).sum()), float(difference)


def loss(x: Tensor) -> Tensor:
    return (x - scene()).square().sum()


@pytest.mark.parametrize(
    ("prior", "solver"),
    [
        ("tv", "admm"),
        ("tv", "pdhg"),
        ("tv", "fista"),
        ("l1", "hqs"),
        ("tv", "lbfgs"),
        ("wavelet", "admm"),
        ("smooth", "direct"),
        ("smooth", "gradient"),
        ("smooth", "pgd"),
        ("smooth", "adam"),
        ("bilateral", "pnp-hqs"),
        ("tv-filter", "pnp-admm"),
        ("bilateral", "red"),
        ("median", "pnp-fista"),
    ],
)
def test_of_the_data_and_the_weight(prior: str, solver: str) -> None:
    def solved(y: Tensor, lam: Tensor) -> Tensor:
        how = {"op": operator(), "noise": NOISE, "prior": prior, "solver": solver}
        return loss(ipx.solve(y, lam=lam, iterations=4, tol=0, **how).x)

    lam = torch.tensor([0.02], dtype=F64)
    found, difference = along(lambda y: solved(y, lam), data())
    assert found == pytest.approx(difference, rel=1e-3, abs=1e-4)
    found, difference = along(lambda v: solved(data(), v), lam)
    assert found == pytest.approx(difference, rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("flat", [0.5, 0.0])
def test_total_variation_of_a_flat_image_has_a_gradient(flat: float) -> None:
    y = torch.full((1, *SHAPE), flat, dtype=F64, requires_grad=True)
    lam = torch.tensor([0.1], dtype=F64, requires_grad=True)
    for solver in ("admm", "pdhg", "fista"):
        x = ipx.solve(y, op=operator(), noise=NOISE, prior="tv", lam=lam, solver=solver).x
        for gradient in torch.autograd.grad(x.square().sum(), (y, lam)):
            assert bool(gradient.isfinite().all()), solver


class Filter(ipx.Prior[ipx.NoOptions]):
    """A denoiser with a weight."""

    def __init__(self, weight: Tensor) -> None:
        super().__init__()
        self.weight = weight

    def denoise(self, x: Tensor, sigma: Any) -> Tensor:
        mean = nn.functional.avg_pool2d(x, 3, 1, 1, count_include_pad=False)
        return torch.lerp(x, mean, self.weight)


def test_of_the_parameters_of_a_prior() -> None:
    def solved(weight: Tensor) -> Tensor:
        return loss(ipx.solve(data(), op=operator(), noise=NOISE, prior=Filter(weight)).x)

    found, difference = along(solved, torch.tensor(0.5, dtype=F64))
    assert found == pytest.approx(difference, rel=1e-5)


class Light(ipx.LinearOperator[ipx.NoOptions]):
    """gain x."""

    def __init__(self, gain: Tensor) -> None:
        super().__init__(SHAPE)
        self.gain = gain

    def forward(self, x: Tensor) -> Tensor:
        return self.gain * x

    def adjoint(self, y: Tensor) -> Tensor:
        return self.gain * y


@pytest.mark.parametrize("solver", ["direct", "lbfgs", "fista"])
def test_of_the_parameters_of_an_operator(solver: str) -> None:
    def solved(gain: Tensor) -> Tensor:
        # the norm of the operator, which steps follow from, is a constant: no matter at the end
        how = {"noise": NOISE, "prior": "smooth", "lam": 0.05, "solver": solver, "tol": 1e-9}
        return loss(ipx.solve(0.7 * scene(), op=Light(gain), iterations=1000, **how).x)

    found, difference = along(solved, torch.tensor(0.5, dtype=F64), h=1e-5)
    assert found == pytest.approx(difference, rel=1e-3)


def test_a_weight_that_was_chosen_is_a_constant() -> None:
    y = data().requires_grad_(True)
    auto = ipx.solve(y, op=operator(), noise=NOISE, prior="tikhonov")
    given = ipx.solve(y, op=operator(), noise=NOISE, prior="tikhonov", lam=auto.lam)
    one, two = (torch.autograd.grad(loss(how.x), y)[0] for how in (auto, given))
    assert torch.allclose(one, two, rtol=1e-9)


def test_a_few_steps_at_the_end_have_nearly_the_whole_gradient() -> None:
    lam = torch.tensor([0.1], dtype=F64, requires_grad=True)
    noise = ipx.noise("gaussian", sigma=0.03)
    problem = ipx.Problem(data(), operator(), noise, ipx.prior("smooth"), lam)
    (exact,) = torch.autograd.grad(loss(ipx.iterate(problem, ipx.solver("direct")).x), lam)
    solver = ipx.solver("fista")
    with torch.no_grad():
        state = ipx.iterate(problem, solver, tol=1e-9, iterations=5000).state
    x = ipx.iterate(problem, solver, iterations=50, tol=0, state=state).x
    (found,) = torch.autograd.grad(loss(x), lam)
    assert float(found) == pytest.approx(float(exact), rel=0.02)


@pytest.mark.parametrize("prior", ["bm3d", "nlm", "wavelet-filter"])
def test_denoisers_outside_of_automatic_differentiation(prior: str) -> None:
    y = data().requires_grad_(True)
    x = ipx.solve(y, op=operator(), noise=NOISE, prior=prior).x
    assert not x.requires_grad
