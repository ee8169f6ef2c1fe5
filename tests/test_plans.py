"""The plan of the declarations, that of the instances, and what runs: the same, everywhere."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import cache
from typing import Any

import pytest
import torch

import ipx
from ipx.declare.registry import registry
from ipx.declare.specs import PriorSpec
from ipx.errors import MissingExtraError, PlanError
from ipx.parts import normal
from ipx.planning.parts import Parts
from ipx.planning.plan import Plan, all_solvers, best, fits
from ipx.planning.request import Request
from ipx.planning.tree import Tree, tree
from ipx.solving.build import build, operator_from
from ipx.solving.problem import Problem

FACES = {"face": (3, 64, 64)}
SMALL = (3, 24, 24)
SHAPES = {
    "compressed-sensing": (1, 48, 48),
    "tomography": (1, 48, 48),
    "varying-blur": (1, 48, 48),
    "pansharpen": SMALL,
    "spectral-fusion": SMALL,
}
"""Of operators that do not take `SMALL` and faces."""
ALGEBRA: tuple[dict[str, Any], ...] = (
    {"name": "stack", "parts": [{"name": "blur", "boundary": "circular"}] * 2},
    {"name": "stack", "parts": ["blur", {"name": "blur", "boundary": "circular"}]},
    {"name": "compose", "parts": ["inpaint", "blur"]},
    {"name": "compose", "parts": ["inpaint", {"name": "inpaint", "seed": 3}]},
    {"name": "sum", "parts": ["blur", "identity"]},
    {"name": "blur", "scale": 0.5},
    {"name": "super-resolution", "scale": 2.0},
    {"name": "blur", "scale": -1.0},
)


def variants(kind: str) -> Iterator[dict[str, Any]]:
    """Every component of a kind, with its defaults and its examples."""
    for spec in registry().all(kind):
        for values in ({}, *spec.examples):
            yield {"name": spec.id, **values}


def shape_for(op: dict[str, Any], usual: tuple[int, ...] = SMALL) -> tuple[int, ...]:
    """A shape that the operator takes, the usual one if it does."""
    if op.get("colors") == 1:
        usual = (1, *usual[1:])
    return SHAPES.get(op["name"].split("/")[-1], usual)


def label(table: dict[str, Any]) -> str:
    told = [f"{k}={v}" for k, v in table.items() if k not in ("name", "parts")]
    parts = "+".join(label(p) if isinstance(p, dict) else p for p in table.get("parts", ()))
    return ",".join([table["name"].split("/")[-1], *told, *([parts] if parts else [])])


def instance(described: Tree, shape: tuple[int, ...]) -> Any:
    if described.kind == "operator":
        return operator_from(described, shape)
    return build(described.kind, described)


@cache
def pairs(kind: str) -> list[tuple[Tree, Tree]]:
    """Declaration and instance of all variants, one of those that say the same."""
    found = {}
    more = [{"name": "gaussian", "sigma": 0.0}] if kind == "noise" else []
    for described in (*variants(kind), *more):
        declared = tree(kind, described)
        made = tree(kind, build(kind, declared))
        both = (declared, made)
        said = tuple((t.facts, t.prefers, kind == "noise" and t.silent) for t in both)
        found.setdefault(said, (declared, made))
    return list(found.values())


def told_by(described: Tree) -> str:
    return f"{described.name} {described.options}"


def unnamed(parts: Parts) -> Parts:
    """The facts of which, and of the solver's declaration, plans are a function."""
    return replace(parts, operator="", noise="", prior="")


OPERATORS = [*variants("operator"), *ALGEBRA]


def _different() -> list[dict[str, Any]]:
    """One of all operators with the same capabilities and traits: their plans agree.

    `test_declarations_and_instances_plan_alike` has all operators and variants. One whose products
    take long comes after those that share its facts.
    """
    seen = set()
    found = []
    for op in sorted(OPERATORS, key=lambda op: op["name"] == "varying-blur"):
        facts = tree("operator", op).facts
        key = (label(op) if op in ALGEBRA else "", facts.capabilities, facts.traits)
        if key not in seen:
            seen.add(key)
            found.append(op)
    return found


def _is_slow(op: dict[str, Any]) -> bool:
    """True except for a blur, which has every way."""
    return label(op) != "blur"


@pytest.mark.parametrize("op", OPERATORS, ids=label)
def test_declarations_and_instances_plan_alike(op: dict[str, Any]) -> None:
    """For every noise, prior and solver: the same plan, or the same refusal."""
    operator = tree("operator", op)
    shapes = {shape_for(op), shape_for(op, FACES["face"])}
    made = {shape: tree("operator", instance(operator, shape)) for shape in shapes}
    for prior, inner in pairs("prior"):
        shape = FACES.get(prior.facts.traits.suits, SMALL)
        shape = shape if shape in made else shape_for(op)
        for noise, told in pairs("noise"):
            declared = Parts.of(operator, noise, prior)
            real = Parts.of(made[shape], told, inner)
            assert unnamed(declared) == unnamed(real)


@pytest.mark.parametrize("prior", ["tv", "smooth", "bm3d", "vae-synthesis", "none"])
def test_plans_of_both_are_alike(prior: str) -> None:
    """The whole way, through every solver."""
    described = [tree("operator", "blur"), tree("noise", "gaussian"), tree("prior", prior)]
    made = [tree(t.kind, instance(t, FACES["face"])) for t in described]
    for solver in all_solvers():
        for exact in (False, True):
            one, why = fits(Parts.of(*described), solver, exact)
            two, reason = fits(Parts.of(*made), solver, exact)
            assert (one is None) == (two is None), (solver.name, why, reason)
            if one is not None and two is not None:
                assert (one.need, one.bridges) == (two.need, two.bridges)


def plans(op: dict[str, Any]) -> Iterator[tuple[Plan, Tree, Tree]]:
    """Every plan for an operator that differs in solver, need, bridges or kind of prior."""
    seen, known = set(), set()
    operator = tree("operator", op)
    for noise in (tree("noise", n) for n in variants("noise")):
        for prior, _ in pairs("prior"):
            if prior.facts.traits.suits in ("face", "digit"):
                continue  # minutes; test_synthesis_plans_what_it_runs has them
            parts = Parts.of(operator, noise, prior)
            if unnamed(parts) in known:
                continue
            known.add(unnamed(parts))
            for solver in all_solvers():
                plan, _ = fits(parts, solver)
                if plan is None or solver.traits_for().own_prior:
                    continue  # of a network its weights say which ways it goes
                key = (solver.name, plan.need, plan.bridges)
                if key not in seen:
                    seen.add(key)
                    yield plan, noise, prior


@pytest.mark.parametrize(
    "op",
    [
        pytest.param(op, id=label(op), marks=[pytest.mark.slow] if _is_slow(op) else [])
        for op in _different()
    ],
)
def test_what_runs_is_what_was_planned(op: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    """The ways that a solver goes are those of the plan, and CG runs where the plan says so."""
    rounds = []
    solve = normal.conjugate_gradient
    monkeypatch.setattr(normal, "conjugate_gradient", lambda *a: rounds.append(1) or solve(*a))
    shape = shape_for(op)
    operator: Any = operator_from(op, shape)
    x = torch.linspace(0.1, 0.9, shape[-1]).expand(1, *shape).contiguous()
    data: dict[str, tuple[torch.Tensor, Any]] = {}
    priors: dict[str, Any] = {}  # with their networks, which take long to load
    for plan, noise, prior in plans(op):
        if told_by(noise) not in data:
            told: Any = build("noise", noise)
            y = told.sample(operator.forward(x), torch.Generator().manual_seed(0))
            data[told_by(noise)] = y, told.estimated(y, operator.known(y))
        y, model = data[told_by(noise)]
        if told_by(prior) not in priors:
            priors[told_by(prior)] = build("prior", prior)
        regulariser = priors[told_by(prior)]
        problem = ipx.attach(Problem(y, operator, model, regulariser, 0.01), plan)
        solver = registry().create(plan.solver)
        rounds.clear()
        words = f"{plan.solver.name}, {noise.name}, {prior.name}: {plan.lines()}"
        try:
            ipx.iterate(problem, solver, iterations=2, tol=0.0)
        except MissingExtraError:
            continue  # a denoiser without weights
        used = set(problem.data._made)
        assert used == {b.gives for b in plan.bridges if b.side == "data"}, words
        inner = {b.name for b in plan.bridges if b.tolerance and b.name.endswith("cg")}
        if "split-prox" not in {b.name for b in plan.bridges}:  # it takes CG where it must
            assert bool(rounds) == bool(inner), words


def test_synthesis_plans_what_it_runs() -> None:
    """Behind a decoder nothing is linear: the gradient is that of autograd, and the plan says so.

    So it was not: the plan said chain-rule.
    """
    request = Request(op={"name": "blur"}, prior={"name": "vae-synthesis"})
    plan = request.plan()
    assert {b.gives.__name__: b.name for b in plan.bridges} == {
        "Grad": "change-of-variable",
        "DataGrad": "autograd-data",
    }
    y = torch.full((1, 3, 64, 64), 0.4)
    result = ipx.solve(y, op="blur", prior="vae-synthesis", lam=0.01, iterations=2).result
    assert type(result.problem.data.way(ipx.DataGrad)).__name__ == "AutogradData"
    assert result.plan == plan


def test_a_stack_of_circular_blurs_is_planned_in_closed_form() -> None:
    """The dry run refused what the instance could."""
    blur = {"name": "blur", "boundary": "circular"}
    op = {"name": "stack", "parts": [blur, {**blur, "sigma": 1.0}]}
    settings = ipx.SolveSettings(exact=True)
    request = Request(op=op, prior={"name": "tikhonov"}, solver={"name": "hqs"}, settings=settings)
    assert [b.name for b in request.plan().bridges] == ["spectral"]
    mixed = {"name": "stack", "parts": [blur, "blur"]}
    request = Request(op=mixed, prior={"name": "tikhonov"}, solver={"name": "hqs"})
    assert [b.name for b in request.plan().bridges] == ["cg"]


def test_conjugate_gradients_are_told_with_their_tolerance() -> None:
    """`--exact` passed them through normal-equations as if they were a closed form."""
    op = {"name": "blur", "kind": "motion"}  # no symmetry: no transform holds it
    plan = Request(op=op, solver={"name": "admm"}, settings=ipx.SolveSettings(exact=True)).plan()
    (bridge,) = plan.bridges
    assert (bridge.name, bridge.accuracy()) == ("normal-cg", "iterative to 1e-05")
    assert plan.tolerance == 1e-2  # ADMM asks for no more, of the change of its iterate
    assert "iterative to 0.01" in "\n".join(plan.lines())
    closed = Request(op={"name": "blur"}, solver={"name": "admm"}).plan()
    assert (closed.bridges[0].name, closed.tolerance) == ("normal-equations", 0.0)


def test_exact_refuses_what_approximates() -> None:
    settings = ipx.SolveSettings(exact=True)
    how = {"op": {"name": "blur"}, "solver": {"name": "lbfgs"}, "settings": settings}
    with pytest.raises(PlanError, match="only an approximate one"):
        Request(prior={"name": "tv"}, **how).plan()
    assert Request(**how).plan().prior != "tv"  # auto takes one that fits


def test_a_preference_of_the_prior_decides() -> None:
    request = Request(op={"name": "blur"}, prior={"name": "tgv"})
    spec = request.tree("prior").spec
    assert isinstance(spec, PriorSpec)
    assert spec.preferred() == ("pdhg",)
    assert request.plan().solver.name == "pdhg"
    assert Request(op={"name": "blur"}, prior={"name": "tv"}).plan().solver.name == "admm"


def test_the_gradient_of_an_analysis_is_not_random() -> None:
    """It once claimed to be, and was given to adam."""
    for name in ("realnvp-analysis", "vae-analysis"):
        request = Request(op={"name": "blur"}, prior={"name": name})
        spec = request.tree("prior").spec
        assert isinstance(spec, PriorSpec)
        assert ipx.StochasticGrad not in spec.capabilities()
        assert request.plan().solver.name == "lbfgs"


def test_no_solver_fits_is_said_as_such() -> None:
    """It said: no solver does not fit."""
    with pytest.raises(PlanError, match=r"^no solver fits operator .*prior l1: poisson data"):
        Request(prior={"name": "l1"}, noise={"name": "poisson"}).plan()


def test_a_gaussian_noise_is_no_prior() -> None:
    """By its methods it 'provided' Prox, Grad and Sample; and a flag set to False counted."""
    assert ipx.noise("gaussian").capabilities == {ipx.NoiseGrad, ipx.NoiseProx, ipx.Quadratic}

    class Half(ipx.Noise[ipx.NoOptions]):
        quadratic = False
        sample = nll = expected = estimated = None  # type: ignore[assignment]

        def grad(self, pred: Any, y: Any) -> Any:
            return pred - y

    Half.__abstractmethods__ = frozenset()
    assert Half().capabilities == {ipx.NoiseGrad}


def test_best_takes_no_network() -> None:
    parts = Parts.of(tree("operator", "blur"), tree("noise", "gaussian"), tree("prior", "none"))
    every = [p for s in all_solvers() if (p := fits(parts, s)[0])]
    assert any(p.solver.traits_for().own_prior for p in every)
    chosen = best(parts, every)
    assert chosen is not None
    assert not chosen.solver.traits_for().own_prior


def test_a_prior_that_is_not_convex_stays_so_behind_a_bridge() -> None:
    """L-BFGS took a smoothed prior for a convex one and compared slopes alone."""

    class Hollow(ipx.Prior[ipx.NoOptions]):
        """sum of log(1 + |x| / 0.1), by its prox on a grid."""

        provides = (ipx.Value, ipx.Prox)
        traits = ipx.Traits(convex=False, oriented=True, lam_per_variance=0.5)

        def value(self, x: torch.Tensor) -> torch.Tensor:
            return torch.log1p(x.abs() / 0.1).flatten(1).sum(1)

        def prox(self, x: torch.Tensor, t: Any) -> torch.Tensor:
            grid = torch.linspace(-2, 2, 401)
            cost = torch.log1p(grid.abs() / 0.1) + (grid - x[..., None]) ** 2 / (2 * t)
            return grid[cost.argmin(-1)]

    y = torch.full((1, 1, 8, 8), 0.5)
    problem = Problem(y, ipx.operator("identity", (1, 8, 8)), ipx.noise("gaussian"), Hollow(), 0.01)
    attached = ipx.attach(problem, ipx.plan_for(problem, ipx.solver("lbfgs")))
    assert attached.prior is not problem.prior
    kept = attached.prior.traits
    assert (kept.convex, kept.oriented, kept.lam_per_variance) == (False, True, 0.5)
    with pytest.raises(PlanError, match="not convex, so that it has no dual form"):
        ipx.plan_for(problem, ipx.solver("admm"))


def test_prox_of_a_prior_that_has_only_that_of_its_conjugate() -> None:
    """`dual-prox`: for total variation the same as its own prox."""

    class Edges(ipx.OuterProx[ipx.NoOptions]):
        """Total variation without its prox."""

        traits = ipx.Traits(basis="dct")

        def value(self, x: torch.Tensor) -> torch.Tensor:
            return ipx.using(ipx.prior("tv"), ipx.Value).value(x)

        def linear_part(self, image_shape: tuple[int, ...]) -> ipx.Linear:
            return ipx.Gradient(image_shape)

        def prox_outer(self, u: torch.Tensor, t: Any) -> torch.Tensor:
            return ipx.using(ipx.prior("tv"), ipx.ProxConjugate).prox_outer(u, t)

    x = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    problem = Problem(x, ipx.operator("identity", (1, 16, 16)), ipx.noise("gaussian"), Edges(), 0.1)
    attached = ipx.attach(problem, ipx.plan_for(problem, ipx.solver("fista")))
    assert [b.name for b in attached.plan.bridges] == ["dual-prox", "chain-rule"]
    t = torch.tensor([0.05, 0.2], dtype=torch.float64)
    found = ipx.using(attached.prior, ipx.Prox).prox(x, t)
    best = ipx.using(ipx.prior("tv", tol=1e-8), ipx.Prox).prox(x, t)
    assert float((found - best).norm() / best.norm()) < 1e-4


def test_gradient_of_a_prior_that_has_only_a_value() -> None:
    class Bumps(ipx.Prior[ipx.NoOptions]):
        """1/4 |x|_4^4."""

        def value(self, x: torch.Tensor) -> torch.Tensor:
            return (x**4).flatten(1).sum(1) / 4

    x = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    problem = Problem(x, ipx.operator("identity", (1, 8, 8)), ipx.noise("gaussian"), Bumps(), 0.1)
    result = ipx.iterate(problem, ipx.solver("lbfgs"), tol=1e-10)
    assert [b.name for b in result.plan.bridges] == ["autograd-prior", "chain-rule"]
    assert torch.allclose(result.x + 0.1 * result.x**3, x, atol=1e-8)
