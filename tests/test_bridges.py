"""Bridges: those of the core one by one, and those of third parties everywhere like them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch

import ipx
from ipx.declare.registry import registry
from ipx.planning.matrix import matrix
from ipx.planning.request import Request
from ipx.solving.bridges import Elementwise
from ipx.solving.splitting import SplitProx
from small_problems import F64, Edges, Outliers, Ridge, Robust, Small, Sparse, White, problem
from third_party import installed


@pytest.fixture
def bridging(tmp_path: Path) -> Iterator[None]:
    """The plugin in tests/plugins, as if installed."""
    with installed("bridging", tmp_path / "site"):
        yield


def used(p: ipx.Problem, solver: str, **how: Any) -> dict[str, str]:
    """What a plan takes for what."""
    plan = ipx.plan_for(p, ipx.solver(solver), **how)
    return {b.gives.__name__: b.name for b in plan.bridges}


@pytest.mark.parametrize(
    ("name", "prior", "noise", "solver", "bridges"),
    [
        ("blur", Small(), White(), "fista", {"DataGrad": "chain-rule"}),
        ("blur", Small(), White(), "hqs", {"DataProx": "spectral"}),
        ("inpaint", Small(), White(), "hqs", {"DataProx": "elementwise"}),
        ("blur-zero", Small(), White(), "hqs", {"DataProx": "cg"}),
        ("blur", Ridge(), White(), "direct", {"DataQuadratic": "normal-equations"}),
        ("blur-zero", Ridge(), White(), "direct", {"DataQuadratic": "normal-cg"}),
        ("blur", Ridge(), Robust(), "lbfgs", {"DataGrad": "chain-rule"}),
        ("blur", Edges(), Outliers(), "pdhg", {"DataDual": "dual"}),
        ("blur", Small(), Outliers(), "hqs", {"DataProx": "split-prox"}),
        ("blur", Sparse(), White(), "lbfgs", {"Grad": "moreau-envelope", "DataGrad": "chain-rule"}),
        ("blur", Edges(), White(), "fista", {"Prox": "dual-prox", "DataGrad": "chain-rule"}),
    ],
)
def test_which_bridge_is_taken(
    name: str, prior: Any, noise: Any, solver: str, bridges: dict[str, str]
) -> None:
    assert used(problem(name, prior, 0.1, noise=noise), solver) == bridges


def test_iterative_bridges_count_as_exact_and_state_their_tolerance() -> None:
    p = problem("blur-zero", Small(), 0.1)
    plan = ipx.plan_for(p, ipx.solver("hqs"), exact=True)
    assert (plan.exact, plan.tolerance) == (True, 1e-5)
    assert "DataProx by cg (iterative to 1e-05)" in plan.lines()[1]
    assert ipx.plan_for(problem("blur", Ridge(), 0.1), ipx.solver("direct")).tolerance == 0
    smooth = problem("blur", Sparse(), 0.1)
    assert used(smooth, "lbfgs")["Grad"] == "moreau-envelope"
    with pytest.raises(ipx.PlanError, match="no Grad, only an approximate one"):
        used(smooth, "lbfgs", exact=True)


def test_a_wrapped_prior_keeps_what_it_is() -> None:
    class Odd(Sparse):
        traits = ipx.Traits(unit=3.0, oriented=True, lam_per_variance=0.5)

    p = problem("blur", Odd(), 0.1)
    for solver, gives in (("lbfgs", ipx.Grad), ("admm", ipx.ProxConjugate)):
        wrapped = ipx.attach(p, ipx.plan_for(p, ipx.solver(solver))).prior
        assert not isinstance(wrapped, Odd)
        assert ipx.has(wrapped, gives)
        assert ipx.has(wrapped, ipx.Value)
        assert not ipx.has(wrapped, ipx.Prox)
        assert wrapped.unit == 3.0
        assert wrapped.traits.oriented
        assert wrapped.traits.lam_per_variance == 0.5


def test_the_moreau_envelope_is_smooth_and_below() -> None:
    p = problem("blur", Sparse(), 0.1)
    soft: Any = ipx.attach(p, ipx.plan_for(p, ipx.solver("lbfgs"))).prior
    x = torch.linspace(-0.05, 0.05, 128, dtype=F64).reshape(2, 1, 8, 8).requires_grad_()
    (slope,) = torch.autograd.grad(soft.value(x).sum(), x)
    assert torch.allclose(slope, soft.grad(x), atol=1e-9)
    below = Sparse().value(x) - soft.value(x)
    assert bool(((below >= 0) & (below <= 64 * soft.mu / 2)).all())


def test_the_prox_behind_a_linear_part_solves_its_problem() -> None:
    """Against ADMM on the same problem, denoising."""
    x = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=F64)
    t = torch.tensor([0.05, 0.3], dtype=F64)
    p = ipx.Problem(x, ipx.operator("identity", (1, 8, 8)), White(), Edges(), t)
    inner: Any = ipx.attach(p, ipx.plan_for(p, ipx.solver("fista"))).prior
    best = ipx.iterate(p, ipx.solver("admm"), iterations=2000, tol=1e-9)
    assert float((p.objective(inner.prox(x, t)) / best.objective - 1).abs().max()) < 1e-3
    for i in range(2):
        alone = inner.prox(x[i : i + 1], float(t[i]))
        assert torch.allclose(inner.prox(x, t)[i : i + 1], alone, atol=1e-12)
    assert torch.allclose(inner.prox(x, 0.0), x, atol=1e-9)


# ---------------------------------------------------------------- those of third parties


@pytest.mark.usefixtures("bridging")
def test_a_third_partys_bridge_is_in_every_plan() -> None:
    request = Request(op={"name": "blur"}, prior={"name": "grey-world"}, solver={"name": "fista"})
    plan = request.plan()
    assert [b.id for b in plan.bridges] == ["bridging/pull-prox", plan.bridges[1].id]
    (row,) = matrix(["blur"], ["gaussian"], ["grey-world"], ["fista", "hqs", "pdhg", "lbfgs"])
    assert row.plans["fista"] == plan
    assert set(row.plans) == {"fista", "hqs", "lbfgs"}
    assert "prior grey-world gives no ProxConjugate" in row.refused["pdhg"]
    x = ipx.restore(torch.rand(1, 1, 8, 8), op="blur", prior="grey-world", lam=1e6)
    assert torch.allclose(x, torch.tensor(0.5), atol=1e-3)


@pytest.mark.usefixtures("bridging")
def test_a_prior_made_in_code_has_a_third_partys_capability() -> None:
    registry()  # imports the plugin, which defines it
    from bridging import Pull

    class Black(ipx.Prior[ipx.NoOptions]):
        def value(self, x: torch.Tensor) -> torch.Tensor:
            return ipx.image_sum(x**2) / 2

        def pull(self, x: torch.Tensor, share: torch.Tensor) -> torch.Tensor:
            return (1 - share) * x

    assert ipx.has(Black(), Pull)
    lam = torch.tensor([0.1, 0.4], dtype=F64)
    p, told = problem("blur", Black(), lam), problem("blur", Small(), lam)
    assert used(p, "fista")["Prox"] == "pull-prox"
    one, two = (ipx.iterate(q, ipx.solver("fista"), iterations=30, tol=0.0).x for q in (p, told))
    assert torch.allclose(one, two, atol=1e-12)


@pytest.mark.usefixtures("bridging")
def test_an_approximate_bridge_is_the_last_choice_and_refused_where_exactness_is_asked() -> None:
    class Bent(ipx.Operator[ipx.NoOptions]):
        """x^2, which no bridge of the core has a prox for."""

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x**2

    assert used(problem("blur-zero", Small(), 0.1), "hqs") == {"DataProx": "cg"}
    y = torch.full((1, 1, 4, 4), 0.25, dtype=F64)
    p = ipx.Problem(y, Bent((1, 4, 4)), White(), Small(), 0.1)
    assert used(p, "hqs") == {"DataProx": "rough-prox"}
    assert not ipx.plan_for(p, ipx.solver("hqs")).exact
    with pytest.raises(ipx.PlanError, match="no DataProx, only an approximate one"):
        ipx.plan_for(p, ipx.solver("hqs"), exact=True)
    assert bool(ipx.iterate(p, ipx.solver("hqs"), iterations=3).x.isfinite().all())


def test_the_prox_by_splitting_is_that_of_each_value() -> None:
    """For a diagonal operator there is a closed form to compare with."""
    p = problem("inpaint", Small(), 0.1, noise=Outliers())
    direct = Elementwise(p.operator, p.noise, p.y)
    split = SplitProx(p.operator, p.noise, p.y)
    v = torch.rand(p.start().shape, generator=torch.Generator().manual_seed(0), dtype=F64)
    for t in (0.01, 0.2, 5.0):
        assert torch.allclose(split.prox(v, t), direct.prox(v, t), atol=5e-3)
