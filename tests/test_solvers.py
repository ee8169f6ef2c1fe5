"""What every solver keeps to: image by image, differentiable, finite, within its options."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from torch import Tensor

import ipx
from ipx import Problem, image_norm, image_sum, iterate
from ipx.declare.registry import registry
from ipx.toolkit import curvature_ahead, filled_start, momentum
from ipx_plugins import solvers as declared
from small_problems import F64, OPERATORS, Edges, Positive, Ridge, Small, Sparse, White, problem


def test_declarations_and_classes_agree() -> None:
    for spec in declared.ipx_components():
        cls = spec.load()
        assert cls().needs == spec.needs
        assert cls.options_type is spec.options
        assert spec.source
        assert len(spec.summary) <= 80
    names = {s.name for s in declared.ipx_components()}
    assert names <= set(registry().names("solver"))


CASES = [
    ("direct", "blur", Ridge()),
    ("direct", "inpaint", Ridge()),
    ("gradient", "inpaint", Ridge()),
    ("fista", "super-resolution", Sparse()),
    ("fista", "blur", Sparse()),
    ("admm", "blur", Edges()),
    ("admm", "blur-zero", Edges()),
    ("admm", "inpaint", Edges()),
    ("admm", "super-resolution", Edges()),
    ("hqs", "blur", Sparse()),
    ("pdhg", "blur", Edges()),
    ("pdhg", "blur-zero", Edges()),
    ("lbfgs", "blur-zero", Ridge()),
    ("adam", "blur-zero", Ridge()),
]


@pytest.mark.parametrize(("solver", "name", "prior"), CASES)
def test_batch_is_single_and_nothing_is_mutated(solver: str, name: str, prior: Any) -> None:
    # with CG and lam = 0 the system is so ill-conditioned that roundings show
    least = 1e-3 if (solver, name) == ("admm", "blur-zero") else 0.0
    lam = torch.tensor([0.002, 0.05, least], dtype=F64)
    p = problem(name, prior, lam, batch=3)
    y = p.y.clone()
    made = ipx.solver(solver)
    both = iterate(p, made, iterations=25, tol=1e-3)
    again = iterate(p, made, iterations=25, tol=1e-3)
    assert torch.equal(both.x, again.x)
    assert torch.equal(p.y, y)
    for i in range(3):
        single = Problem(p.y[i : i + 1], p.operator, p.noise, p.prior, lam[i : i + 1])
        one = iterate(single, made, iterations=25, tol=1e-3)
        assert one.status[0] == both.status[i]
        assert int(one.iterations) == int(both.iterations[i])
        assert float((one.x[0] - both.x[i]).abs().max()) < 1e-10


@pytest.mark.parametrize(("solver", "name", "prior"), CASES)
def test_three_steps_can_be_differentiated(solver: str, name: str, prior: Any) -> None:
    base = problem(name, prior, 0.02, batch=1)
    made = ipx.solver(solver)
    if solver == "direct" and name == "inpaint":
        made = ipx.solver("direct", tol=1e-13)

    def unrolled(y: Tensor, lam: Tensor) -> Tensor:
        p = Problem(y, base.operator, base.noise, base.prior, lam)
        p = ipx.attach(p, ipx.plan_for(p, made))
        state = made.init(p)
        for _ in range(3):
            state = made.step(p, state)
        return image_sum(torch.sin(made.solution(p, state))).sum()

    y = base.y.clone().requires_grad_(True)
    lam = torch.tensor([0.02], dtype=F64, requires_grad=True)
    gy, gl = torch.autograd.grad(unrolled(y, lam), (y, lam))
    d = torch.randn(y.shape, generator=torch.Generator().manual_seed(0), dtype=F64)
    h = 1e-6
    with torch.no_grad():
        slope_y = (unrolled(y + h * d, lam) - unrolled(y - h * d, lam)) / (2 * h)
        slope_l = (unrolled(y, lam + 1e-7) - unrolled(y, lam - 1e-7)) / 2e-7
    assert float(slope_y) == pytest.approx(float((gy * d).sum()), rel=1e-3, abs=1e-6)
    assert float(slope_l) == pytest.approx(float(gl), rel=1e-3, abs=1e-4)


@pytest.mark.parametrize("solver", ["fista", "admm", "hqs", "pdhg"])
@pytest.mark.parametrize("name", ["blur", "blur-zero", "inpaint"])
def test_constraints_hold_in_what_is_returned(solver: str, name: str) -> None:
    p = problem(name, Positive(), 1.0)
    p = p.changed(y=p.y - 0.4)
    result = iterate(p, ipx.solver(solver), iterations=40)
    assert bool((result.x >= 0).all())
    assert bool(torch.isfinite(result.objective).all())


@pytest.mark.parametrize("solver", ["fista", "admm", "hqs", "pdhg", "gradient", "lbfgs", "adam"])
@pytest.mark.parametrize("lam", [0.0, 1e-8, 1e3])
def test_extreme_weights_stay_finite(solver: str, lam: float) -> None:
    for name in OPERATORS:
        p = problem(name, Small(), lam)
        p = p.changed(hard=True, y=p.y.float())
        result = iterate(p, ipx.solver(solver), iterations=30)
        assert "diverged" not in result.status
        assert bool(torch.isfinite(result.x).all())
        assert result.x.dtype == torch.float32


def test_starts_fill_what_was_not_measured() -> None:
    for shape in ((1, 16, 16), (3, 13, 10), (1, 1, 9)):
        a = ipx.operator("inpaint", shape)
        x = torch.linspace(0.2, 0.8, math.prod(shape), dtype=F64).reshape(1, *shape)
        p = Problem(a.forward(x), a, White(), Edges(), 0.01)
        filled = filled_start(p)
        known = a.known(x).expand_as(x)
        assert torch.equal(filled[known], x[known])
        assert float(filled.min()) >= 0.19
        assert float(filled.max()) <= 0.81
    given = torch.zeros_like(x)
    assert filled_start(p.changed(x0=given)) is given


def test_solvers_refuse_options_out_of_range() -> None:
    for name, values in (
        ("admm", {"rho": 0}),
        ("admm", {"relaxation": 2}),
        ("lbfgs", {"memory": 0}),
    ):
        with pytest.raises(ipx.OptionError):
            ipx.solver(name, **values)


def test_the_fixed_point_residual_falls_to_rounding() -> None:
    p = problem("blur", Edges(), 0.01)
    result = iterate(p, ipx.solver("admm"), iterations=1500, tol=1e-9)
    assert result.status == ["converged", "converged"]
    assert float(image_norm(result.x).min()) > 0


def test_admm_stops_with_the_picture_not_with_the_frame() -> None:
    """Of a redundant frame most of z and u is outside its range and moves long after."""
    x = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0), dtype=F64)
    op = ipx.operator("blur", (1, 32, 32), sigma=1.5)
    x = op.forward(op.forward(x))
    p = Problem(op.forward(x), op, White(), ipx.prior("wavelet"), 0.01)
    settled = iterate(p, ipx.solver("admm"), iterations=3000, tol=1e-5).x
    found = iterate(p, ipx.solver("admm"), iterations=3000, tol=1e-4)
    assert found.status == ["converged"]
    assert int(found.iterations) < 100  # 197 where all of z + u must stand still
    assert float(image_norm(found.x - settled) / image_norm(settled)) < 1e-3


def test_momentum_and_curvature() -> None:
    t, weight = momentum(torch.tensor([2.0, 2.0]), torch.tensor([False, True]))
    assert t.tolist() == pytest.approx([(1 + math.sqrt(17)) / 2, 1.0])
    assert weight.tolist() == pytest.approx([2 / (1 + math.sqrt(17)), 0.0])
    x = torch.ones(2, 1, 2, 2, dtype=F64)
    scale = torch.tensor([3.0, 0.0], dtype=F64).view(2, 1, 1, 1)
    assert curvature_ahead(x, lambda at: scale * at).tolist() == pytest.approx([3.0, 0.0])
