"""The loop: observers, results put together, plans, states in files."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import safetensors.torch
import torch
from torch import Tensor

import ipx
from ipx import iterate
from small_problems import F64, Edges, Small, Sparse, problem

TOGETHER = torch.tensor([0.002, 0.3], dtype=F64)


class Seen(ipx.Observer):
    """Keeps every iterate."""

    def begin(self, progress: ipx.Progress) -> None:
        self.x: list[Tensor] = []

    def __call__(self, progress: ipx.Progress) -> None:
        self.x.append(progress.x)


# ---------------------------------------------------------------- observers


def test_statistics_are_those_of_the_iterates() -> None:
    seen, p = Seen(), problem("blur", Small(), TOGETHER)
    watching = [seen, ipx.Statistics(after=5)]
    result = iterate(p, ipx.solver("fista"), iterations=25, tol=0.0, observers=watching)
    all_of_them = torch.stack(seen.x[5:])
    assert torch.allclose(result.outputs["mean"], all_of_them.mean(0), atol=1e-14)
    assert torch.allclose(result.outputs["std"], all_of_them.std(0), atol=1e-14)


def test_statistics_of_a_batch_are_those_of_its_images() -> None:
    """Each counts until it is done; one that is done before the first step that counts stands."""
    p = problem("blur", Sparse(), TOGETHER)
    steps = iterate(p, ipx.solver("admm"), tol=1e-5).iterations.tolist()
    assert min(steps) + 5 < max(steps)
    for after in (0, min(steps) + 5):
        watch = ipx.Statistics(after)
        both = iterate(p, ipx.solver("admm"), tol=1e-5, observers=[watch])
        for i in range(2):
            one = p.changed(y=p.y[i : i + 1], lam=TOGETHER[i : i + 1])
            alone = iterate(one, ipx.solver("admm"), tol=1e-5, observers=[watch])
            assert int(alone.iterations) == steps[i]
            for name in ("mean", "std"):
                found = both.outputs[name][i : i + 1]
                assert torch.allclose(found, alone.outputs[name], atol=1e-12), (after, i, name)
    none = iterate(p, ipx.solver("admm"), iterations=3, observers=[ipx.Statistics(after=3)])
    assert torch.equal(none.outputs["mean"], none.x)
    assert not bool(none.outputs["std"].any())


def test_an_observer_begins_anew_with_every_run() -> None:
    p = problem("blur", Small(), 0.1)
    for watch in (ipx.Statistics(), ipx.History(5), ipx.BestSoFar()):
        one, two = (
            iterate(p, ipx.solver("fista"), iterations=20, tol=0.0, observers=[watch])
            for _ in range(2)
        )
        assert [row["iteration"] for row in one.history] == [r["iteration"] for r in two.history]
        assert one.outputs.keys() == two.outputs.keys()
        for name, image in one.outputs.items():
            assert torch.equal(image, two.outputs[name])
        assert torch.equal(one.x, two.x)


def test_observers_of_solve_are_told_of_trials_and_count_the_last_run_only() -> None:
    clean = torch.rand(1, 1, 4, 4, generator=torch.Generator().manual_seed(2))
    clean = clean.repeat_interleave(4, 2).repeat_interleave(4, 3)
    noise = {"name": "gaussian", "sigma": 0.05}
    y = ipx.degrade(clean, op="blur", noise=noise)
    trials: list[tuple[int, int]] = []
    seen, watch = Seen(), ipx.Statistics()
    how = ipx.solve(
        y, op="blur", noise=noise, prior="tv", iterations=20,
        observers=[watch, ipx.BestSoFar(), seen, lambda p: trials.append((p.trial, p.iteration))],
    )  # fmt: skip
    numbers = [t for t, _ in trials]
    assert len(how.trace) > 1
    assert max(numbers) > 1
    assert numbers == [*sorted(n for n in numbers if n), *(0 for n in numbers if not n)]
    assert len(seen.x) == how.iterations[0] == numbers.count(0)
    assert torch.allclose(how.outputs["mean"], torch.stack(seen.x).mean(0), atol=1e-6)
    assert set(how.outputs) == {"restored", "mean", "std"}
    assert how.x is how.outputs["restored"]


def test_history_records_every_so_many_steps_and_what_others_asked_for() -> None:
    p = problem("blur", Small(), TOGETHER)
    asked: list[Tensor] = []

    def ask(progress: ipx.Progress) -> None:
        if progress.iteration in (4, 9):
            asked.append(progress.objective)

    rows = iterate(
        p, ipx.solver("fista"), iterations=9, tol=0.0, observers=[ask, ipx.History(3)]
    ).history
    assert [row["iteration"] for row in rows] == [3, 4, 6, 9]
    assert rows[1]["objective"] == asked[0].tolist()
    assert [len(row["residual"]) for row in rows] == [2] * 4
    assert rows[0]["seconds"] <= rows[-1]["seconds"]
    assert iterate(p, ipx.solver("fista"), iterations=9).history == []


@dataclass(frozen=True)
class Walk(ipx.State):
    steps: int = 0


class Wandering(ipx.Solver[ipx.NoOptions, Walk]):
    """Goes to the minimum of |x|^2 in ten steps, and away from it in the next."""

    needs = (ipx.Need((), (ipx.Value,)),)

    def init(self, problem: ipx.Problem) -> Walk:
        return Walk(torch.ones_like(problem.y))

    def step(self, problem: ipx.Problem, state: Walk) -> Walk:
        k = state.steps + 1
        return Walk(torch.full_like(state.x, abs(10 - k) / 10), k)


def test_the_best_so_far_is_that_of_every_tenth_and_the_last() -> None:
    y = torch.zeros(2, 1, 4, 4, dtype=F64)
    p = ipx.Problem(y, ipx.operator("identity", (1, 4, 4)), ipx.noise("gaussian"), Small(), 1.0)
    far = iterate(p, Wandering(), iterations=15, tol=0.0)
    best = iterate(p, Wandering(), iterations=15, tol=0.0, observers=[ipx.BestSoFar()])
    assert far.x.unique().tolist() == [0.5]
    assert best.x.unique().tolist() == [0.0]
    assert best.objective.tolist() == [0.0, 0.0]
    near = iterate(p, Wandering(), iterations=9, tol=0.0, observers=[ipx.BestSoFar()])
    assert near.x.unique().tolist() == [0.1]


@pytest.mark.parametrize(
    ("after", "line"),
    [
        (lambda s: None, "step of Faulty gives NoneType, not Walk"),
        (lambda s: Walk(s.x[..., :-1]), r"x of shape \(2, 1, 4, 3\), not \(2, 1, 4, 4\)"),
    ],
)
def test_a_step_that_gives_no_state_is_an_error(after: Any, line: str) -> None:
    class Faulty(Wandering):
        def step(self, problem: ipx.Problem, state: Walk) -> Any:
            return after(state)

    y = torch.zeros(2, 1, 4, 4, dtype=F64)
    p = ipx.Problem(y, ipx.operator("identity", (1, 4, 4)), ipx.noise("gaussian"), Small(), 1.0)
    with pytest.raises(ipx.PluginError, match=line):
        iterate(p, Faulty(), iterations=3)


# ---------------------------------------------------------------- results


def test_a_result_is_taken_image_by_image() -> None:
    p = problem("blur", Small(), TOGETHER)
    watch = ipx.Statistics()
    one = iterate(p, ipx.solver("fista"), iterations=3, tol=0.0, observers=[watch])
    two = iterate(p, ipx.solver("fista"), iterations=400, tol=1e-4, observers=[watch])
    mixed = one.where(torch.tensor([False, True]), two)
    for i, part in ((0, two), (1, one)):
        assert torch.equal(mixed.x[i], part.x[i])
        assert torch.equal(mixed.unknown[i], part.unknown[i])
        assert mixed.status[i] == part.status[i]
        assert mixed.iterations[i] == part.iterations[i]
        assert mixed.residual[i] == part.residual[i]
        assert mixed.objective[i] == part.objective[i]
        assert torch.equal(mixed.outputs["std"][i], part.outputs["std"][i])
    assert mixed.problem is one.problem
    plain = iterate(p, ipx.solver("fista"), iterations=3)
    assert one.where(torch.tensor([False, True]), plain).outputs == {}


def test_a_result_knows_its_plan() -> None:
    p = problem("blur", Sparse(), 0.01)
    solver = ipx.solver("lbfgs")
    result = iterate(p, solver, iterations=2)
    assert result.plan == ipx.plan_for(p, solver)
    assert not result.plan.exact
    with pytest.raises(ipx.PlanError, match="exactly"):
        ipx.plan_for(p, solver, exact=True)


def test_a_plan_is_attached_once() -> None:
    p = problem("blur", Small(), 0.01)
    fista, hqs = ipx.solver("fista"), ipx.solver("hqs")
    plan = ipx.plan_for(p, fista)
    attached = ipx.attach(p, plan)
    one = iterate(attached, fista, iterations=3, plan=plan)
    assert one.problem is attached
    assert torch.equal(one.x, iterate(p, fista, iterations=3, plan=plan).x)
    with pytest.raises(ipx.PlanError, match="attached to another plan already"):
        iterate(attached, hqs, plan=ipx.plan_for(p, hqs))
    with pytest.raises(ipx.PlanError, match="gives no DataProx here"):
        iterate(attached, hqs)


# ---------------------------------------------------------------- states


def test_a_state_comes_back_as_it_was(tmp_path: Path) -> None:
    for name, prior in (
        ("admm", Edges()),
        ("lbfgs", Small()),
        ("pdhg", Edges()),
        ("adam", Small()),
    ):
        p = problem("blur-zero", prior, TOGETHER)
        solver = ipx.solver(name)
        half = iterate(p, solver, iterations=7, tol=0.0)
        ipx.save_state(tmp_path / "s", half.state)
        again = ipx.load_state(tmp_path / "s")
        assert type(again) is type(half.state)
        whole = iterate(p, solver, iterations=12, tol=0.0)
        rest = iterate(p, solver, iterations=5, tol=0.0, state=again)
        assert torch.equal(rest.x, whole.x), name


@dataclass(frozen=True)
class Odd(ipx.State):
    more: Any = None


def test_a_state_may_hold_plain_values_and_nothing_else(tmp_path: Path) -> None:
    x = torch.arange(4.0)
    inside = (1, 2.5, float("inf"), -float("inf"), None, True, "text", (x[::2],), Odd(x, x + 1))
    ipx.save_state(tmp_path / "s", Odd(x, inside))
    again: Any = ipx.load_state(tmp_path / "s")
    assert again.more[:7] == inside[:7]
    assert torch.equal(again.more[7][0], x[::2])
    assert torch.equal(again.more[8].more, x + 1)
    ipx.save_state(tmp_path / "s", Odd(x, float("nan")))
    assert str(ipx.load_state(tmp_path / "s").more) == "nan"  # type: ignore[attr-defined]
    with pytest.raises(TypeError, match=r"Odd\.more\.1 is a dict, which no state can hold"):
        ipx.save_state(tmp_path / "s", Odd(x, (1, {"a": x})))
    assert str(ipx.load_state(tmp_path / "s").more) == "nan"  # type: ignore[attr-defined]
    with pytest.raises(ipx.InputError):
        ipx.save_state(tmp_path / "no" / "s", Odd(x))


def written(structure: Any, **tensors: Tensor) -> bytes:
    """A file of tensors with this structure in its header."""
    data: bytes = safetensors.torch.save(tensors, {"ipx-state": json.dumps(structure)})
    return data


STATE = {"class": "ipx.solving.solver:State", "fields": {"x": {"tensor": "State.x"}}}
X = {"State.x": torch.ones(3)}
WHOLE = written(STATE, **X)


@pytest.mark.parametrize(
    "junk",
    [
        b"",
        b"not a state at all",
        b"\x80\x04\x95pickle",
        WHOLE[:20],
        WHOLE[:-1],
        WHOLE + b"more",
        safetensors.torch.save(X),
        safetensors.torch.save(X, {"ipx-state": "{"}),
        safetensors.torch.save(X, {"ipx-state": "null"}),
        written(STATE),
        written(7, **X),
        written([], **X),
        written("text", **X),
        written({}, **X),
        written({"tensor": "State.x"}, **X),
        written({"float": "seven"}, **X),
        written({"tuple": 3}, **X),
        written({"class": 3, "fields": {}}, **X),
        written({"class": "os:system", "fields": {"x": "true"}}, **X),
        written({"class": "builtins:dict", "fields": {}}, **X),
        written({"class": "surely.not:There", "fields": {}}, **X),
        written({"class": "ipx.declare.traits:Traits", "fields": {}}, **X),
        written({"class": "ipx.solving.solver:State", "fields": {}}, **X),
        written({"class": "ipx.solving.solver:State", "fields": 3}, **X),
        written({"class": "ipx.solving.solver:State", "fields": {"x": 3}}, **X),
        written({"class": "ipx.solving.solver:State", "fields": {"y": 3}}, **X),
        written({"class": "ipx.solving.solver:State"}, **X),
        safetensors.torch.save(X, {"ipx-state": 5000 * '{"tuple": [' + "1" + 5000 * "]}"}),
    ],
    ids=range(28),
)
def test_what_is_no_state_is_refused_in_one_line(junk: bytes, tmp_path: Path) -> None:
    path = tmp_path / "s"
    path.write_bytes(WHOLE)
    assert ipx.load_state(path).x.tolist() == [1, 1, 1]
    path.write_bytes(junk)
    with pytest.raises(ipx.InputError, match="holds no state of a solver") as caught:
        ipx.load_state(path)
    assert "\n" not in str(caught.value)


def test_a_state_that_is_not_there_is_told(tmp_path: Path) -> None:
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(ipx.InputError, match="holds no state of a solver"):
            ipx.load_state(path)
