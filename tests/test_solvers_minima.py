"""The solvers reach the minimiser."""

from __future__ import annotations

from typing import Any

import pytest
import torch

import ipx
from ipx import Problem, iterate
from small_problems import (
    F64,
    OPERATORS,
    SHAPE,
    Edges,
    Nothing,
    Outliers,
    Ridge,
    Robust,
    Slope,
    Small,
    Sparse,
    White,
    closed_form,
    dense,
    gap,
    problem,
)


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("prior", [Ridge(), Small()])
def test_direct_is_the_closed_form(name: str, prior: Any) -> None:
    p = problem(name, prior, torch.tensor([0.02, 0.3], dtype=F64))
    x = iterate(p, ipx.solver("direct", tol=1e-12)).x
    truth = closed_form(p, prior.quadratic_part(SHAPE))
    assert float((x - truth).abs().max()) < 1e-6


@pytest.mark.parametrize("name", OPERATORS)
def test_direct_without_weight_is_the_pseudo_inverse(name: str) -> None:
    p = problem(name, Small(), torch.tensor([0.0, 0.1], dtype=F64)).changed(hard=True)
    x = iterate(p, ipx.solver("direct", tol=1e-13, rcond=1e-14)).x
    a = dense(p.operator)  # type: ignore[arg-type]
    pseudo = torch.linalg.pinv(a, rcond=1e-7) @ p.y[0].flatten()
    assert float((x[0].flatten() - pseudo).abs().max()) < 1e-5
    if name == "inpaint":
        return  # without a prior nothing can be done there: refused
    p = p.changed(prior=Nothing())
    nothing = iterate(p, ipx.solver("direct", tol=1e-13, rcond=1e-14))
    assert float((nothing.x[0].flatten() - pseudo).abs().max()) < 1e-5


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("solver", ["gradient", "lbfgs"])
def test_smooth_solvers_reach_the_closed_form(name: str, solver: str) -> None:
    p = problem(name, Ridge(), torch.tensor([0.05, 0.3], dtype=F64))
    x = iterate(p, ipx.solver(solver), iterations=1500, tol=1e-11).x
    assert float((x - closed_form(p, Slope(SHAPE))).abs().max()) < 1e-6


@pytest.mark.parametrize("solver", ["fista", "admm", "pdhg"])
def test_proximal_solvers_reach_the_closed_form(solver: str) -> None:
    for name in OPERATORS:
        p = problem(name, Small(), torch.tensor([0.05, 0.3], dtype=F64))
        x = iterate(p, ipx.solver(solver), iterations=1500, tol=1e-11).x
        truth = closed_form(p, ipx.Identity(SHAPE))
        assert float((x - truth).abs().max()) < 1e-6, name


def test_adam_and_hqs_come_close() -> None:
    p = problem("blur", Ridge(), 0.3)
    x = iterate(p, ipx.solver("adam"), iterations=400, tol=0).x
    assert float((x - closed_form(p, Slope(SHAPE))).abs().max()) < 2e-3
    p = problem("blur", Small(), 0.05)
    x = iterate(p, ipx.solver("hqs"), iterations=200, tol=1e-9).x
    assert float((x - closed_form(p, ipx.Identity(SHAPE))).abs().max()) < 1e-2


@pytest.mark.parametrize("name", OPERATORS)
def test_lasso_has_one_minimum(name: str) -> None:
    p = problem(name, Sparse(), torch.tensor([0.02, 0.2], dtype=F64))
    best = iterate(p, ipx.solver("fista"), iterations=500, tol=1e-8).objective
    assert abs(gap(p, "admm", best, 120)) < 1e-4
    assert abs(gap(p, "pdhg", best, 300)) < 3e-3
    assert gap(p, "hqs", best, 60) < 2e-2


@pytest.mark.parametrize("name", ["blur", "inpaint", "super-resolution"])
def test_total_variation_has_one_minimum(name: str) -> None:
    p = problem(name, Edges(), torch.tensor([0.003, 0.02], dtype=F64), shape=(1, 16, 16))
    best = iterate(p, ipx.solver("admm"), iterations=250, tol=1e-8).objective
    assert abs(gap(p, "pdhg", best, 300)) < 1e-3
    assert gap(p, "admm", best, 100) < 1e-3
    assert abs(gap(p, "admm", best, 150, rho=0.1, relaxation=1.0)) < 1e-3


@pytest.mark.slow
@pytest.mark.parametrize("name", ["blur", "inpaint", "super-resolution"])
def test_admm_pdhg_and_fista_agree_on_total_variation(name: str) -> None:
    p = problem(name, ipx.prior("tv", tol=1e-7), 0.01, shape=(1, 32, 32))
    best = iterate(p, ipx.solver("admm"), iterations=2000, tol=1e-9).objective
    for solver in ("pdhg", "fista"):
        assert abs(gap(p, solver, best, 1000)) < 1e-4, solver


def test_what_has_no_closed_form_is_solved_by_cg_or_gradients() -> None:
    p = problem("blur-zero", Edges(), 0.01, shape=(1, 16, 16))
    best = iterate(p, ipx.solver("admm"), iterations=60, tol=1e-6).objective
    assert abs(gap(p, "pdhg", best, 400)) < 2e-3


@pytest.mark.parametrize("name", ["blur", "blur-zero", "inpaint"])
def test_absolute_data_terms(name: str) -> None:
    p = problem(name, Edges(), 0.3, noise=Outliers(), shape=(1, 16, 16))
    best = iterate(p, ipx.solver("admm"), iterations=80, tol=1e-6).objective
    assert abs(gap(p, "pdhg", best, 400)) < 5e-3


def test_fista_and_gradient_find_their_step_for_other_noises() -> None:
    p = problem("blur-zero", Small(), torch.tensor([0.05, 0.3], dtype=F64), noise=Robust())
    best = iterate(p, ipx.solver("lbfgs"), iterations=300, tol=1e-12).objective
    assert abs(gap(p, "fista", best, 1000)) < 1e-8
    assert abs(gap(p, "gradient", best, 1000)) < 1e-8
    assert abs(gap(p, "pdhg", best, 3000)) < 1e-6


@pytest.mark.parametrize("solver", ["gradient", "lbfgs"])
def test_convex_objectives_fall_at_each_step(solver: str) -> None:
    p = problem("blur-zero", Ridge(), torch.tensor([0.01, 1.0], dtype=F64), noise=Robust())
    made = ipx.solver(solver)
    p = ipx.attach(p, ipx.plan_for(p, made))
    state, last = made.init(p), p.objective(made.init(p).x)
    for _ in range(40):
        state = made.step(p, state)
        now = p.objective(state.x)
        assert bool((now <= last + 1e-12).all())
        last = now


class Uneven(ipx.Prior[ipx.NoOptions]):
    """R(x) = 1/2 sum w (x - 1)^2 with curvatures w of six decades, told to be nonconvex."""

    traits = ipx.Traits(convex=False)
    provides = (ipx.Value, ipx.Grad)
    weights = torch.logspace(-2, 4, 16, dtype=F64).view(1, 1, 4, 4)

    def value(self, x: torch.Tensor) -> torch.Tensor:
        return (self.weights * (x - 1) ** 2).flatten(1).sum(1) / 2

    def grad(self, x: torch.Tensor) -> torch.Tensor:
        return self.weights * (x - 1)


def test_lbfgs_takes_no_short_first_step_for_a_minimum() -> None:
    """The steep pixels are near the minimum and keep the first steps short; the others are far."""
    y = torch.full((1, 1, 4, 4), 0.5, dtype=F64)
    wanted = (y + Uneven.weights) / (1 + Uneven.weights)
    first = torch.where(Uneven.weights > 1, wanted + 1e-3, 0.0)
    p = Problem(y, ipx.operator("identity", (1, 4, 4)), White(), Uneven(), 1.0, first)
    result = iterate(p, ipx.solver("lbfgs"))
    assert result.status == ["converged"]
    assert float(p.objective(result.x) - p.objective(wanted)) < 1e-5


class Modelled(Ridge):
    """1/2 |Lx|^2, told to be nonconvex, with its Hessian up to a factor."""

    traits = ipx.Traits(convex=False)
    provides = (ipx.Value, ipx.Grad, ipx.QuadraticModel)

    def model_part(self, image_shape: Any) -> Slope:
        return Slope(image_shape)

    def model_spaces(self, x: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return (x,)


def test_lbfgs_with_the_true_hessian_is_newtons_method() -> None:
    p = problem("blur", Modelled(), torch.tensor([0.05, 0.3], dtype=F64))
    one = iterate(p, ipx.solver("lbfgs"), iterations=2, tol=0.0).x
    assert float((one - closed_form(p, Slope(SHAPE))).abs().max()) < 1e-3
