"""The solvers: each reaches the minimiser, image by image, and can be differentiated."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

import ipx
from ipx import Problem, Spectral, image_norm, image_sum, iterate, per_image
from ipx.registry import registry
from ipx_plugins import solvers as declared

F64 = torch.float64


# ---------------------------------------------------------------- small components


class White(ipx.Noise[ipx.NoOptions]):
    """1/2 |pred - y|^2."""

    quadratic = True
    level = 0.01

    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        return clean + 0.01 * torch.randn(clean.shape, generator=generator, dtype=clean.dtype)

    def nll(self, pred: Tensor, y: Tensor) -> Tensor:
        return 0.5 * image_sum((pred - y) ** 2)

    def grad(self, pred: Tensor, y: Tensor) -> Tensor:
        return pred - y

    def prox(self, v: Tensor, y: Tensor, t: Any) -> Tensor:
        t = per_image(t, v)
        return (v + t * y) / (1 + t)

    def expected(self, y: Tensor, count: Tensor) -> Tensor:
        return 0.5e-4 * count

    def estimated(self, y: Tensor, known: Tensor | None = None) -> White:
        return self


class Outliers(White):
    """|pred - y|_1."""

    def provides(self) -> frozenset[type]:
        return frozenset({ipx.NoiseProx})

    def nll(self, pred: Tensor, y: Tensor) -> Tensor:
        return image_sum((pred - y).abs())

    def prox(self, v: Tensor, y: Tensor, t: Any) -> Tensor:
        d = v - y
        return y + d.sign() * (d.abs() - per_image(t, v)).clamp_min(0)


class Robust(White):
    """sum sqrt(1 + (pred - y)^2) - 1: smooth, not quadratic."""

    def provides(self) -> frozenset[type]:
        return frozenset({ipx.NoiseGrad})

    def nll(self, pred: Tensor, y: Tensor) -> Tensor:
        return image_sum(torch.sqrt(1 + (pred - y) ** 2) - 1)

    def grad(self, pred: Tensor, y: Tensor) -> Tensor:
        return (pred - y) / torch.sqrt(1 + (pred - y) ** 2)


class Slope(ipx.LinearOperator[ipx.NoOptions]):
    """Forward differences, zero beyond the border: ``(B, C, H, W)`` to ``(B, 2C, H, W)``."""

    def __init__(self, image_shape: tuple[int, ...]) -> None:
        super().__init__(image_shape)
        self.data_shape = (2 * image_shape[0], *image_shape[1:])

    def forward(self, x: Tensor) -> Tensor:
        down = torch.nn.functional.pad(x[..., 1:, :] - x[..., :-1, :], (0, 0, 0, 1))
        right = torch.nn.functional.pad(x[..., 1:] - x[..., :-1], (0, 1))
        return torch.cat([down, right], 1)

    def adjoint(self, y: Tensor) -> Tensor:
        pad = torch.nn.functional.pad
        down, right = y.chunk(2, 1)
        down, right = down[..., :-1, :], right[..., :-1]
        up = pad(down, (0, 0, 1, 0)) - pad(down, (0, 0, 0, 1))
        return up + pad(right, (1, 0)) - pad(right, (0, 1))

    def spectrum(self, like: Tensor) -> Spectral:
        def eigenvalues(n: int) -> Tensor:
            return 4 * torch.sin(math.pi * torch.arange(n, dtype=F64) / (2 * n)) ** 2

        h, w = self.image_shape[-2:]
        gram = self.buffer("gram", like, lambda: eigenvalues(h)[:, None] + eigenvalues(w))
        return Spectral("dct", gram)

    def norm(self) -> float:
        return math.sqrt(8)


class Edges(ipx.OuterProx[ipx.NoOptions]):
    """Isotropic total variation, known through its outer prox only."""

    def linear_part(self, image_shape: tuple[int, ...]) -> Slope:
        return Slope(image_shape)

    def value(self, x: Tensor) -> Tensor:
        down, right = Slope(tuple(x.shape[1:])).forward(x).chunk(2, 1)
        return image_sum(torch.sqrt(down**2 + right**2))

    def prox_outer(self, u: Tensor, t: Any) -> Tensor:
        down, right = u.chunk(2, 1)
        size = torch.sqrt(down**2 + right**2 + 1e-300)
        shrink = (1 - per_image(t, u) / size).clamp_min(0)
        return u * torch.cat([shrink, shrink], 1)


class Ridge(ipx.Prior[ipx.NoOptions]):
    """1/2 |Dx|^2, with everything a quadratic can do but its prox."""

    def value(self, x: Tensor) -> Tensor:
        return 0.5 * image_sum(Slope(tuple(x.shape[1:])).forward(x) ** 2)

    def grad(self, x: Tensor) -> Tensor:
        part = Slope(tuple(x.shape[1:]))
        return part.adjoint(part.forward(x))

    def quadratic_part(self, image_shape: tuple[int, ...]) -> Slope:
        return Slope(image_shape)


class Small(ipx.Prior[ipx.NoOptions]):
    """1/2 |x|^2, with gradient, prox and quadratic part."""

    def value(self, x: Tensor) -> Tensor:
        return 0.5 * image_sum(x**2)

    def grad(self, x: Tensor) -> Tensor:
        return x

    def prox(self, x: Tensor, t: Any) -> Tensor:
        return x / (1 + per_image(t, x))

    def quadratic_part(self, image_shape: tuple[int, ...]) -> ipx.LinearOperator[Any]:
        return ipx.Identity(image_shape)


class Sparse(ipx.Prior[ipx.NoOptions]):
    """|x|_1."""

    def value(self, x: Tensor) -> Tensor:
        return image_sum(x.abs())

    def prox(self, x: Tensor, t: Any) -> Tensor:
        return x.sign() * (x.abs() - per_image(t, x)).clamp_min(0)


class Nothing(Small):
    """No prior."""

    weighted = informs = False

    def value(self, x: Tensor) -> Tensor:
        return 0 * image_sum(x)

    def grad(self, x: Tensor) -> Tensor:
        return 0 * x


class Positive(ipx.Prior[ipx.NoOptions]):
    """x >= 0."""

    weighted = False

    def value(self, x: Tensor) -> Tensor:
        return torch.where((x >= 0).flatten(1).all(1), 0.0, torch.inf).to(x)

    def prox(self, x: Tensor, t: Any) -> Tensor:
        return x.clamp_min(0)


# ---------------------------------------------------------------- problems

SHAPE = (1, 8, 8)
OPERATORS = ("blur", "blur-circular", "blur-zero", "inpaint", "super-resolution")


def operator(name: str, shape: tuple[int, ...] = SHAPE) -> Any:
    if name.startswith("blur"):
        boundary = {"blur": "reflect", "blur-circular": "circular", "blur-zero": "zero"}[name]
        return ipx.operator("blur", shape, sigma=0.8, boundary=boundary)
    if name == "inpaint":
        return ipx.operator("inpaint", shape)
    return ipx.operator("super-resolution", shape, factor=2)


def picture(batch: int, shape: tuple[int, ...] = SHAPE) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(batch, shape[0], shape[1] // 4, shape[2] // 4, generator=generator, dtype=F64)
    return x.repeat_interleave(4, -1).repeat_interleave(4, -2)


def problem(
    name: str,
    prior: Any,
    lam: Any,
    batch: int = 2,
    noise: Any = None,
    shape: tuple[int, ...] = SHAPE,
) -> Problem:
    a = operator(name, shape)
    generator = torch.Generator().manual_seed(1)
    y = a.forward(White().sample(picture(batch, shape), generator))
    return Problem(y, a, noise or White(), prior, lam)


def dense(a: ipx.LinearOperator[Any]) -> Tensor:
    n = math.prod(a.image_shape)
    columns = a.forward(torch.eye(n, dtype=F64).reshape(n, *a.image_shape))
    return columns.reshape(n, -1).T


def closed_form(p: Problem, part: ipx.LinearOperator[Any]) -> Tensor:
    a, k = dense(p.operator), dense(part)  # type: ignore[arg-type]
    lam = torch.as_tensor(p.lam, dtype=F64).expand(p.y.shape[0])
    rows = [
        torch.linalg.solve(a.T @ a + w * k.T @ k, a.T @ y.flatten())
        for w, y in zip(lam, p.y, strict=True)
    ]
    return torch.stack(rows).reshape(-1, *p.operator.image_shape)


def gap(
    p: Problem, name: str, best: Tensor, iterations: int | None = None, **options: Any
) -> float:
    result = iterate(p, ipx.solver(name, **options), iterations=iterations, tol=1e-9)
    assert "diverged" not in result.status
    return float(((p.objective(result.x) - best) / best).max())


# ---------------------------------------------------------------- tests


def test_declarations_and_classes_agree() -> None:
    for spec in declared.ipx_components():
        cls = spec.load()
        assert cls.needs == spec.needs
        assert cls.options_type is spec.options
        assert spec.source
        assert len(spec.summary) <= 80
    names = {s.name for s in declared.ipx_components()}
    assert names <= set(registry().names("solver"))


@pytest.mark.parametrize("name", OPERATORS)
@pytest.mark.parametrize("prior", [Ridge(), Small()])
def test_direct_is_the_closed_form(name: str, prior: Any) -> None:
    p = problem(name, prior, torch.tensor([0.02, 0.3], dtype=F64))
    x = iterate(p, ipx.solver("direct", tol=1e-12)).x
    truth = closed_form(p, prior.quadratic_part(SHAPE))
    assert float((x - truth).abs().max()) < 1e-6


@pytest.mark.parametrize("name", OPERATORS)
def test_direct_without_weight_is_the_pseudo_inverse(name: str) -> None:
    p = replace(problem(name, Small(), torch.tensor([0.0, 0.1], dtype=F64)), hard=True)
    x = iterate(p, ipx.solver("direct", tol=1e-13, rcond=1e-14)).x
    a = dense(p.operator)  # type: ignore[arg-type]
    pseudo = torch.linalg.pinv(a, rcond=1e-7) @ p.y[0].flatten()
    assert float((x[0].flatten() - pseudo).abs().max()) < 1e-5
    if name == "inpaint":
        return  # without a prior nothing can be done there: refused
    nothing = iterate(replace(p, prior=Nothing()), ipx.solver("direct", tol=1e-13, rcond=1e-14))
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
    x = iterate(p, ipx.solver("adam"), iterations=500, tol=0).x
    assert float((x - closed_form(p, Slope(SHAPE))).abs().max()) < 2e-3
    p = problem("blur", Small(), 0.05)
    x = iterate(p, ipx.solver("hqs"), iterations=200, tol=1e-9).x
    assert float((x - closed_form(p, ipx.Identity(SHAPE))).abs().max()) < 1e-2


@pytest.mark.parametrize("name", OPERATORS)
def test_lasso_has_one_minimum(name: str) -> None:
    p = problem(name, Sparse(), torch.tensor([0.02, 0.2], dtype=F64))
    best = iterate(p, ipx.solver("fista"), iterations=800, tol=1e-9).objective
    assert abs(gap(p, "admm", best, 300)) < 1e-4
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
    best = iterate(p, ipx.solver("admm"), iterations=150, tol=1e-6).objective
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
    state, last = made.init(p), p.objective(made.init(p).x)
    for _ in range(40):
        state = made.step(p, state)
        now = p.objective(state.x)
        assert bool((now <= last + 1e-12).all())
        last = now


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
        p = ipx.iterate.__globals__["attach"](p, ipx.iterate.__globals__["plan_for"](p, made))
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
    p = replace(p, y=p.y - 0.4)
    result = iterate(p, ipx.solver(solver), iterations=100)
    assert bool((result.x >= 0).all())
    assert bool(torch.isfinite(result.objective).all())


@pytest.mark.parametrize("solver", ["fista", "admm", "hqs", "pdhg", "gradient", "lbfgs", "adam"])
@pytest.mark.parametrize("lam", [0.0, 1e-8, 1e3])
def test_extreme_weights_stay_finite(solver: str, lam: float) -> None:
    for name in OPERATORS:
        p = replace(problem(name, Small(), lam), hard=True)
        p = replace(p, y=p.y.float())
        result = iterate(p, ipx.solver(solver), iterations=60)
        assert "diverged" not in result.status
        assert bool(torch.isfinite(result.x).all())
        assert result.x.dtype == torch.float32


def test_starts_fill_what_was_not_measured() -> None:
    from ipx_plugins.solvers.common import start

    for shape in ((1, 16, 16), (3, 13, 10), (1, 1, 9)):
        a = ipx.operator("inpaint", shape)
        x = torch.linspace(0.2, 0.8, math.prod(shape), dtype=F64).reshape(1, *shape)
        p = Problem(a.forward(x), a, White(), Edges(), 0.01)
        filled = start(p)
        known = a.known(x).expand_as(x)
        assert torch.equal(filled[known], x[known])
        assert float(filled.min()) >= 0.19
        assert float(filled.max()) <= 0.81
    given = torch.zeros_like(x)
    assert start(replace(p, x0=given)) is given


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
