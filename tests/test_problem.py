"""The problem: terms, what is measured, what is shared, and the ways that only a plan gives."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor

import ipx
from ipx import Problem, Term
from small_problems import F64, Outliers, Small, Sparse, White, operator, picture, problem

SHAPE = (1, 8, 8)


class Shrinking(ipx.Prior[ipx.NoOptions]):
    """A denoiser, which states no value."""

    def denoise(self, x: Tensor, sigma: ipx.Scalar) -> Tensor:
        return x / 2


def halves() -> tuple[Any, Any]:
    """A half of the pixels, and all of them at half the light."""
    return ipx.operator("inpaint", SHAPE, missing=0.5), 0.5 * ipx.operator("identity", SHAPE)


def test_the_objective_sums_all_terms() -> None:
    lam = torch.tensor([0.1, 0.2], dtype=F64)
    p = problem("blur", Small(), lam)
    both = p.changed(terms=(Term(Small(), lam), Term(Sparse(), 0.3)))
    x = picture(2)
    wanted = p.objective(x) + 0.3 * Sparse().value(x)
    assert torch.allclose(both.objective(x), wanted, rtol=1e-14)
    assert torch.equal(both.lam, lam + 0.3)
    silent = p.changed(terms=(*both.terms, Term(Shrinking(), 1.0)))
    assert bool(silent.objective(x).isnan().all())


def test_another_prior_or_weight_is_that_of_the_sum() -> None:
    terms = (Term(Small(), 0.1), Term(Sparse(), 0.3))
    p, x = problem("blur", Small(), 0.1).changed(terms=terms), picture(2)
    assert p.changed(x0=None).terms == terms
    data = p.data.value(x)
    for other in (p.changed(lam=0.8), p.with_lam(0.8)):
        assert torch.allclose(other.objective(x) - data, 2 * (p.objective(x) - data), rtol=1e-12)
    changed = p.changed(prior=Sparse())
    assert isinstance(changed.prior, Sparse)
    assert changed.lam == pytest.approx(0.4)


def test_what_a_problem_needs() -> None:
    y, a = torch.zeros(1, *SHAPE), operator("blur")
    for lam in (None, 0.1):
        with pytest.raises(ipx.UsageError, match="needs a prior"):
            Problem(y, a, White(), lam=lam)
    with pytest.raises(ipx.ShapeError, match="the data have shape"):
        Problem(y[..., 1:], a, White(), Small())
    with pytest.raises(ipx.ShapeError, match="the start has shape"):
        Problem(y, a, White(), Small(), x0=y[..., 1:])


@pytest.mark.parametrize(
    ("ask", "capability"),
    [
        (lambda p: p.data.grad(p.y), "DataGrad"),
        (lambda p: p.data.prox(p.y, 0.1), "DataProx"),
        (lambda p: p.data.way(ipx.DataQuadratic).back, "DataQuadratic"),
    ],
)
def test_without_a_plan_the_data_term_has_no_ways(ask: Any, capability: str) -> None:
    p = problem("blur", Small(), 0.1)
    with pytest.raises(ipx.PlanError, match=f"gives no {capability} here: the problem is not att"):
        ask(p)
    assert p.data.capabilities == frozenset()
    assert bool((p.data.value(p.y) >= 0).all())


def test_a_plan_gives_what_its_solver_asks_for() -> None:
    p = problem("blur", Small(), 0.1)
    for name, given in (
        ("fista", {ipx.DataGrad}),
        ("hqs", {ipx.DataProx}),
        ("direct", {ipx.DataQuadratic}),
    ):
        solver = ipx.solver(name)
        attached = ipx.attach(p, ipx.plan_for(p, solver))
        assert attached.data.capabilities == given
        assert attached.plan is not None
        assert p.plan is None


def test_the_normal_equations_of_a_plan() -> None:
    lam = torch.tensor([0.1, 0.2], dtype=F64)
    p = problem("blur", Small(), lam)
    p = ipx.attach(p, ipx.plan_for(p, ipx.solver("direct")))
    normal = p.data.way(ipx.DataQuadratic)
    assert isinstance(p.operator, ipx.LinearOperator)
    assert torch.equal(normal.back, p.operator.adjoint(p.y))
    assert normal.system.closed(None)
    x = normal.system.solve(normal.back, lam)
    assert torch.allclose(normal.system.matrix(lam)(x), normal.back, atol=1e-12)


def test_what_was_worked_out_is_shared_with_other_weights_only() -> None:
    p = problem("blur", Small(), 0.1)
    p = ipx.attach(p, ipx.plan_for(p, ipx.solver("fista")))
    calls: list[int] = []

    def work() -> int:
        calls.append(1)
        return len(calls)

    assert p.derived("key", work) == 1
    other = p.with_lam(0.5, p.y)
    assert (other.derived("key", work), other.data is p.data, other.lam) == (1, True, 0.5)
    assert other.x0 is p.y
    assert p.with_prior(Sparse(), 0.2).data is p.data
    assert p.with_prior(Sparse(), 0.2).derived("key", work) == 2
    assert p.changed(y=p.y).derived("key", work) == 3
    assert p.changed(y=p.y).data is not p.data
    assert p.lam == 0.1


def test_a_problem_without_noise_may_be_inverted() -> None:
    """Whatever the noise model says of its level."""
    noisy = problem("blur", ipx.prior("none"), 1.0)
    with pytest.raises(ipx.PlanError, match="inverts the noise"):
        ipx.plan_for(noisy, ipx.solver("direct"))
    assert ipx.plan_for(noisy.changed(hard=True), ipx.solver("direct")).exact
    outliers = noisy.changed(noise=Outliers())
    with pytest.raises(ipx.PlanError, match="leaves outliers"):
        ipx.plan_for(outliers, ipx.solver("admm"))
    assert ipx.plan_for(outliers.changed(hard=True), ipx.solver("admm"))


# ---------------------------------------------------------------- what is measured


def test_a_stack_knows_the_holes_of_its_parts() -> None:
    """Joined along the channels, or flat; a part without a mask is known everywhere."""
    hole, whole = halves()
    x = picture(1)
    mask = hole.known(x).expand(1, *SHAPE)
    both = ipx.vstack([hole, whole])
    seen = both.known(both.forward(x))
    assert torch.equal(seen, torch.cat([mask, torch.ones_like(mask)], 1)[0])
    flat = ipx.vstack([ipx.operator("super-resolution", SHAPE, factor=2), hole])
    seen = flat.known(flat.forward(x))
    assert torch.equal(seen, torch.cat([torch.ones(16, dtype=torch.bool), mask.flatten()]))
    assert ipx.vstack([whole, whole]).known(both.forward(x)[:, :1].expand(-1, 2, -1, -1)) is None


def test_a_sum_measures_where_one_of_its_parts_does() -> None:
    hole, whole = halves()
    x = picture(1)
    assert (hole + whole).known(x) is None
    other = ipx.operator("inpaint", SHAPE, missing=0.5, seed=7)
    assert torch.equal((hole + other).known(x), hole.known(x) | other.known(x))
    assert torch.equal((3.0 * hole).known(x), hole.known(x))


@pytest.mark.parametrize(
    "made",
    [
        lambda hole, whole: hole + whole,
        lambda hole, whole: hole + ipx.operator("inpaint", SHAPE, missing=0.5, seed=7),
        lambda hole, whole: ipx.vstack([hole, whole]),
        lambda hole, whole: ipx.vstack([hole, ipx.operator("super-resolution", SHAPE, factor=2)]),
        lambda hole, whole: 2.0 * hole,
        lambda hole, whole: hole @ whole,
        lambda hole, whole: whole @ hole,
    ],
)
def test_the_truth_fits_its_data_whatever_stands_in_the_holes(made: Any) -> None:
    a = made(*halves())
    x = picture(2)
    y: Tensor = a.forward(x)
    seen = a.known(y)
    if seen is not None:
        y = torch.where(seen, y, torch.full_like(y, 7.0))
    p = Problem(y, a, White(), Small())
    assert float(p.data.value(x).max()) < 1e-20
    total = p.y[0].numel() if seen is None else int(seen.expand_as(y[:1]).sum())
    assert ipx.known_count(p).tolist() == [total, total]
