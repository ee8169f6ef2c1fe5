"""Sums of priors: contract, closed forms, weights given and chosen, the command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

import ipx
from command_line import call
from ipx.declare.options import NoOptions
from ipx.files import images
from ipx.planning.tree import tree
from ipx.solving.choose_lams import shares
from ipx.testing import checks

F64 = torch.float64
HAAR = {"name": "wavelet", "wavelet": "haar", "levels": 2, "invariant": False}
NOISE = {"name": "gaussian", "sigma": 0.05}
BLUR = {"name": "blur", "sigma": 1.0, "boundary": "circular"}


class Box(ipx.Prior):
    """The constraint x <= 0.7, with a proximal map only."""

    provides = (ipx.Value, ipx.Prox)
    traits = ipx.Traits(weighted=False)

    def value(self, x: Tensor) -> Tensor:
        return torch.where((x <= 0.7).flatten(1).all(1), 0.0, torch.inf).to(x)

    def prox(self, x: Tensor, t: ipx.Scalar) -> Tensor:
        return x.clamp_max(0.7)


class Sparse(ipx.Prior):
    """|x|_1, with a proximal map only."""

    provides = (ipx.Value, ipx.Prox)

    def value(self, x: Tensor) -> Tensor:
        return ipx.image_sum(x.abs())

    def prox(self, x: Tensor, t: ipx.Scalar) -> Tensor:
        return x.sign() * (x.abs() - ipx.per_image(t, x)).clamp_min(0)


class OfDecimated(ipx.Sum):
    """Parts g(Kx) whose data have other shapes, and a proximal map."""

    def __init__(self, options: Any = None) -> None:
        super().__init__([ipx.prior("tv"), ipx.prior(**HAAR), Sparse()], [1.0, 0.5, 0.2])


class OfQuadratics(ipx.Sum):
    """Parts with gradients."""

    def __init__(self, options: Any = None) -> None:
        super().__init__([ipx.prior("smooth"), ipx.prior("tikhonov")], [2.0, 0.3])


def contract() -> list[Any]:
    found = []
    for cls in (OfDecimated, OfQuadratics):
        made = cls()
        spec = ipx.PriorSpec(
            name="sum", target=f"{__name__}:{cls.__name__}", summary="A sum.",
            provides=tuple(made.capabilities), traits=made.traits,
        )  # fmt: skip
        found += [
            pytest.param(check, id=f"{cls.__name__}-{name}")
            for name, check in checks(spec, NoOptions())
        ]
    return found


@pytest.mark.parametrize("check", contract())
def test_a_sum_passes_the_checks_of_priors(check: Any) -> None:
    check()


def scene(n: int = 16) -> np.ndarray:
    """Grey steps, ``(n, n)``."""
    steps = np.random.default_rng(3).uniform(0.1, 0.9, (4, 4))
    return np.kron(steps, np.ones((n // 4, n // 4)))


def data(n: int = 16, op: Any = BLUR) -> Any:
    return ipx.degrade(scene(n), op=op, noise=NOISE, seed=1)


@pytest.mark.parametrize("parts", [["tv", HAAR], ["smooth", "tikhonov"], ["tv", "range", "l1"]])
def test_a_plan_knows_of_a_sum_what_the_sum_knows(parts: list[Any]) -> None:
    told = tree("prior", parts)
    made = ipx.Sum([ipx.prior(p) if isinstance(p, str) else ipx.prior(**p) for p in parts])
    assert (told.facts.capabilities, told.facts.traits) == (made.capabilities, made.traits)
    assert tree("prior", told.to_mapping()).facts == told.facts


def test_two_quadratic_priors_have_their_closed_form() -> None:
    y = torch.as_tensor(data(8, "identity"))[None, None]
    how = ipx.solve(
        y, noise=NOISE, prior=["smooth", "tikhonov"], lam=[0.7, 0.2], tol=1e-12, iterations=2000
    )
    eye = torch.eye(64, dtype=F64).reshape(64, 1, 8, 8)
    slope = 0.7 * ipx.prior("smooth").grad(eye) + 0.2 * ipx.prior("tikhonov").grad(eye)
    matrix = (eye + slope).reshape(64, 64)
    wanted = torch.linalg.solve(matrix, y.flatten())
    assert torch.allclose(how.x.flatten(), wanted, atol=1e-8)


def test_a_prior_twice_is_the_prior_with_the_sum_of_the_weights() -> None:
    how: dict[str, Any] = {"op": BLUR, "noise": NOISE, "tol": 1e-7, "iterations": 1000}
    once = ipx.solve(data(), prior="tv", lam=0.05, **how)
    twice = ipx.solve(data(), prior=["tv", "tv"], lam=[0.03, 0.02], **how)
    assert np.allclose(once.image, twice.image, atol=2e-5)
    assert torch.allclose(once.result.objective, twice.result.objective, rtol=1e-6)


@pytest.mark.parametrize("op", [BLUR, {"name": "inpaint", "missing": 0.4}])
def test_solvers_find_the_same_minimum(op: Any) -> None:
    found = [
        ipx.solve(
            data(op=op), op=op, noise=NOISE, prior=["tv", HAAR], lam=[0.02, 0.05], solver=solver,
            tol=1e-7, iterations=2000,
        )
        for solver in ("admm", "pdhg")
    ]  # fmt: skip
    lowest = [float(f.result.objective) for f in found]
    assert lowest[0] == pytest.approx(lowest[1], rel=1e-6)


def test_a_constraint_of_a_sum_holds() -> None:
    """The first iterates do not satisfy it, and have not diverged."""
    how: dict[str, Any] = {"op": BLUR, "noise": NOISE, "lam": 0.01}
    free = ipx.solve(data(), prior="tv", **how)
    bound = ipx.solve(data(), prior=["tv", Box()], tol=1e-7, iterations=2000, **how)
    assert float(free.x.max()) > 0.75
    assert float(bound.x.max()) < 0.7 + 1e-5
    assert bound.status == ["converged"]
    assert bound.lam == [0.01]


def test_weights_are_told_for_each_prior_and_image() -> None:
    y = np.stack([data(), data()[::-1]])
    how: dict[str, Any] = {"op": BLUR, "noise": NOISE, "prior": ["tv", HAAR], "axes": "BHW"}
    both = ipx.solve(y, lam=torch.tensor([[0.01, 0.03], [0.02, 0.05]], dtype=F64), **how)
    assert both.lam == [[0.01, 0.03], [0.02, 0.05]]
    same = ipx.solve(y, lam=[0.01, 0.02], **how)
    assert same.lam == [[0.01, 0.01], [0.02, 0.02]]
    for i, lam in enumerate(([0.01, 0.02], [0.03, 0.05])):
        alone = ipx.solve(y[i : i + 1], lam=lam, **how)
        assert np.allclose(both.image[i], alone.image[0], atol=1e-12)
    assert np.array_equal(same.image[0], both.image[0])


class Fixed(ipx.Tuner):
    """lam = 0.04 for each prior alone."""

    def tune(self, problem: ipx.Problem, solve: ipx.Solve) -> ipx.Tuned:
        lam = torch.full_like(problem.y[:, 0, 0, 0], 0.04)
        return ipx.Tuned(lam)


class Picky(Fixed):
    """The first image has the best score at the largest share of the first prior, others not."""

    def score(self, problem: ipx.Problem, result: Any, solve: ipx.Solve) -> Tensor:
        first = torch.as_tensor(problem.prior.weights[0])
        return first * torch.where(torch.arange(len(first)) == 0, -1.0, 1.0)


def test_shares_are_those_of_the_best_score_image_by_image() -> None:
    y = np.stack([data(), data()[::-1]])
    how: dict[str, Any] = {"op": BLUR, "noise": NOISE, "prior": ["tv", HAAR], "axes": "BHW"}
    equal = ipx.solve(y, tuner=Fixed(), **how)
    assert np.allclose(equal.lam, [[0.02, 0.02], [0.02, 0.02]])
    picked = ipx.solve(y, tuner=Picky(), **how)
    assert np.allclose(picked.lam, [[0.03, 0.01], [0.01, 0.03]])
    again = ipx.solve(y, lam=picked.lam, **how)
    assert np.array_equal(picked.image, again.image)
    assert np.allclose(np.sum(shares(3), 1), 1)


def test_chosen_weights_are_parts_of_those_of_each_prior_alone() -> None:
    y = data(16)
    how: dict[str, Any] = {"op": BLUR, "noise": NOISE}
    alone = [ipx.solve(y, prior=p, **how).lam for p in ("tv", HAAR)]
    both = ipx.solve(y, prior=["tv", HAAR], **how)
    assert both.lam is not None
    parts = [lam[0] / one[0] for lam, one in zip(both.lam, alone, strict=True)]  # type: ignore[index]
    assert parts in [pytest.approx(share, rel=1e-3) for share in shares(2)]
    assert {t.get("prior") for t in both.trace} == {"tv", "wavelet", None}


def test_data_without_noise_need_no_tuner() -> None:
    op = {"name": "inpaint", "missing": 0.3}
    y = ipx.degrade(scene(), op=op, noise={"name": "gaussian", "sigma": 0.0})
    how = ipx.solve(y, op=op, noise={"name": "gaussian", "sigma": 0.0}, prior=["tv", "smooth"])
    assert how.lam == [[5e-4], [5e-4]]


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (["--prior", "tv", "--prior", "bm3d"], "prior bm3d has no value"),
        (["--prior", "tv", "--prior", "gs-drunet"], "tv has no gradient and gs-drunet no prox"),
        (["--prior", "tv", "--prior", "wavelet", "--lam", "1"], "tv and wavelet, or auto for all"),
        (["--prior", "tv", "--lam", "1", "--lam", "2"], "2 weights are given for one prior"),
        (
            ["--prior", "tv", "--prior", "l1", "--lam", "auto", "--lam", "2"],
            "--lam auto is for all priors",
        ),
        (["--prior", "tv", "--prior", "l1", "--prior.tol", "1"], "did you mean --prior.tv.tol?"),
        (["--prior", "sum"], "once for each prior"),
        (["--prior", "tv", "--prior", "tv", "--prior.tv.tol", "1"], "--prior.1.tol, "),
    ],
)
def test_mistakes_get_one_line(words: list[str], told: str) -> None:
    done = call("solve", "--op", "blur", *words, "--dry-run")
    assert done.exit_code != 0
    assert told in done.output


def test_the_command_line_from_end_to_end(tmp_path: Path) -> None:
    """Options of each, a record that repeats the run, resuming, and the same from a file."""
    source, out = tmp_path / "y.png", tmp_path / "out.png"
    source.write_bytes(images.encoded(source, data()[None].clip(0, 1).astype(np.float32)))
    words: list[str | Path] = ["solve", source, "--op", "blur", "--op.sigma", "1", "-q", "--json"]
    priors = ["--prior", "tv", "--prior", "wavelet", "--no-prior.tv.isotropic"]
    priors += ["--prior.wavelet.levels", "2", "--lam", "0.01", "--lam", "0.02"]
    done = call(*words, *priors, "-o", out)
    assert done.exit_code == 0, done.output
    row = json.loads(done.output)
    assert row["lam"] == pytest.approx([0.01, 0.02])
    assert row["plan"]["prior"] == "tv + wavelet"
    record = json.loads(out.with_name("out.png.json").read_text())
    assert [p["name"] for p in record["config"]["prior"]["parts"]] == ["tv/tv", "wavelet/wavelet"]
    assert record["config"]["prior"]["parts"][0]["isotropic"] is False
    again = tmp_path / "again.png"
    assert call("solve", "--config", out.with_name("out.png.json"), "-o", again).exit_code == 0
    assert again.read_bytes() == out.read_bytes()
    skipped = call(*words[:-2], *priors, "-o", out, "--resume")
    assert "done before, skipped" in skipped.output
    file = tmp_path / "how.toml"
    file.write_text(
        'prior = [{ name = "tv", isotropic = false }, { name = "wavelet", levels = 2 }]\n'
        'lam = [0.01, 0.02]\nop = { name = "blur", sigma = 1 }\n'
    )
    told = call("solve", source, "--config", file, "-o", again, "--force")
    assert told.exit_code == 0, told.output
    assert again.read_bytes() == out.read_bytes()
    shown = call(
        "solve", source, "--config", file, "--prior.wavelet.levels", "1", "--dry-run", "--json"
    )
    assert json.loads(shown.stdout)["request"]["prior"]["parts"][1]["levels"] == 1


def test_the_weight_beside_a_constraint_is_searched() -> None:
    """Each trial once made a sum of its own, which the factorisation did not know."""
    y = torch.rand(1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    how: dict[str, Any] = {"noise": {"name": "gaussian", "sigma": 0.2}, "prior": ["tv", "range"]}
    found = ipx.solve(y, **how)
    assert found.lam is not None
    again = ipx.solve(y, **how, lam=found.lam[0])
    assert torch.equal(found.x, again.x)
    assert len(found.trace) > 1
