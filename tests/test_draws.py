"""Draws of a sampler: where they are kept, which count as mixed, checks that fit each image."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

import ipx
from command_line import call
from ipx.errors import UsageError
from ipx.files import images
from ipx.numerics.mixing import potential, rhat, trend, usual
from ipx.solving.posterior import MIXED
from small_problems import F64

Y = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0), dtype=F64)


def drawn(
    y: torch.Tensor, noise: ipx.Noise, sampler: str = "gibbs", **how: object
) -> ipx.Posterior:
    operator = ipx.operator("identity", (1, 8, 8))
    problem = ipx.Problem(y, operator, noise, ipx.prior("smooth"), 0.1)
    return ipx.sample(problem, ipx.sampler(sampler), **how)  # type: ignore[arg-type]


def test_gibbs_is_independent_unless_it_draws_variances() -> None:
    noise = ipx.noise("gaussian", sigma=0.1)
    found = drawn(Y, noise, draws=8)
    assert found.independent
    assert found.lengths.chains == 1
    assert found.lengths.warmup == 0
    assert found.mixed == [True, True]
    assert not ipx.sampler("gibbs", noise=True).independent


def test_files_of_draws_hold_the_same_as_memory(tmp_path: Path) -> None:
    """With a checkpoint draws go to files one by one; no state holds them."""
    noise = ipx.noise("gaussian", sigma=0.1)
    inside = drawn(Y, noise, draws=8, keep=3)
    outside = drawn(Y, noise, draws=8, keep=3, checkpoint=tmp_path / "run")
    again = drawn(Y, noise, draws=8, keep=3, checkpoint=tmp_path / "run")
    for other in (outside, again):
        assert other.state.kept == ()  # type: ignore[attr-defined]
        assert all(torch.equal(a, b) for a, b in zip(inside.samples, other.samples, strict=True))
    assert len(list((tmp_path / "run.samples").iterdir())) == 3


@pytest.mark.parametrize("name", ["gaussian", "poisson"])
def test_predictive_checks_do_not_depend_on_the_batch(name: str) -> None:
    """With a level for each image, and the same numbers for all."""
    told = {"gaussian": ("sigma", 0.1, 0.2), "poisson": ("peak", 30.0, 60.0)}[name]
    option, *levels = told
    both = ipx.noise(name, **{option: levels[0]})
    both.level = torch.tensor(levels, dtype=F64)
    if name == "poisson":
        both.peak = both.level  # type: ignore[attr-defined]
    how = {"sampler": "hmc", "draws": 12, "chains": 1, "warmup": 4}
    found = drawn(Y, both, **how)
    for i, level in enumerate(levels):
        alone = drawn(Y[i : i + 1], ipx.noise(name, **{option: level}), **how)
        for check, values in found.predictive.items():
            assert values[i] == alone.predictive[check][0], check
    assert 0 < found.predictive["misfit"][0] < 1


def test_independent_draws_stay_below_the_usual_ratio() -> None:
    """Of 4000 sets of 4 chains of 25 normal draws a share of 0.05 exceeds it."""
    x = torch.randn(4, 25, 4000, generator=torch.Generator().manual_seed(3), dtype=F64)
    share = float((potential(x) > usual(4, 25, 0.05)).double().mean())
    assert share == pytest.approx(0.05, abs=0.01)


@pytest.mark.parametrize("draws", [50, 100, 200])
def test_short_runs_of_independent_numbers_count_as_mixed(draws: int) -> None:
    """The largest of 22 R-hats exceeds the limit in at most about 5 % of the runs."""
    rng = torch.Generator().manual_seed(draws)
    runs, numbers = 200, 22
    x = torch.randn(2, draws, runs * numbers, generator=rng, dtype=F64)
    largest = rhat(x).view(runs, numbers).amax(1)
    limit = min(max(usual(4, draws // 2, 0.05 / (2 * numbers)), MIXED[0]), MIXED[1])
    assert float((largest > limit).double().mean()) < 0.08


def test_chains_that_disagree_have_no_bounds() -> None:
    """Two short chains that start apart and hardly move."""
    sampler = {"name": "ula", "step": 1e-4}
    noise = {"name": "gaussian", "sigma": 0.1}
    how = ipx.solve(
        Y[:1], noise=noise, prior="smooth", lam=0.1, sampler=sampler, interval=90, draws=40,
        warmup=0, thin=1,
    )  # fmt: skip
    assert "lower" not in how.outputs
    assert how.posterior is not None
    assert MIXED[0] <= how.posterior.limit <= MIXED[1]
    with pytest.raises(UsageError, match="have not mixed"):
        how.posterior.bounds()


def test_chains_that_drift_together_are_told() -> None:
    """More draws would not help them."""
    up = torch.linspace(0, 1, 50, dtype=F64) + 0.1 * torch.randn(2, 50, dtype=F64)
    assert float(trend(up[..., None])) > 0.8
    assert float(trend(torch.stack([up[0], -up[1]])[..., None])) == 0
    noise = torch.randn(2, 50, 200, generator=torch.Generator().manual_seed(0), dtype=F64)
    assert float(trend(noise).amax()) < 0.5
    how = ipx.solve(
        Y[:1], noise={"name": "gaussian", "sigma": 0.1}, prior="smooth", lam=0.1,
        sampler={"name": "ula", "step": 1e-4}, interval=90, draws=40, warmup=0, thin=1,
    )  # fmt: skip
    found = how.posterior
    assert found is not None
    assert "draws would do" in found.refusal()  # the chains stay where they started, apart
    rising = {
        name: replace(s, trace=s.trace + 100 * torch.arange(s.trace.shape[1])[:, None])
        for name, s in found.statistics.items()
    }
    told = replace(found, statistics=rising).refusal()
    assert "drift the same way" in told
    assert "--warmup than 0" in told


def test_a_sampler_without_anything_to_draw_is_refused() -> None:
    with pytest.raises(UsageError, match="if draws are asked for"):
        ipx.solve(Y, noise="gaussian", prior="smooth", lam=0.1, sampler="gibbs")


def test_draws_need_a_weight_of_the_prior() -> None:
    """`iht` takes `l1` as a constraint: how many values may differ from zero."""
    with pytest.raises(UsageError, match=r"solver iht takes prior l1 as a constraint"):
        ipx.solve(Y[:1], prior="l1", solver="iht", interval=90)


OPTIONS = ("--prior", "smooth", "--noise.sigma", "0.05", "--lam", "0.1", "--draws", "8")


@pytest.mark.usefixtures("source")
def test_the_deviation_has_the_file_that_is_named() -> None:
    asked = ("solve", "y.png", *OPTIONS, "--estimate", "mmse")
    done = call(*asked, "--std", "doubt/s.tif", "-o", "x.png")
    assert done.exit_code == 0, done.output
    assert "doubt/s.tif" in done.output
    std = images.read(Path("doubt/s.tif")).pixels
    assert np.all(std > 0)
    assert not Path("x-std.tif").exists()
    assert call(*asked, "-o", "z.png").exit_code == 0
    again = call(*asked, "--std", "doubt/s.tif", "-o", "x.png", "--resume")
    assert "done before" in again.output
    refused = call(*asked, "--std", "y.png", "-o", "w.png")
    assert "standard deviation y.png is also an input" in refused.output
    assert "cannot hold float32" in call(*asked, "--std", "s.png", "-o", "w.png").output
    assert "--estimate mmse" in call("solve", "y.png", "--std", "s.tif", "-o", "w.png").output
    assert np.array_equal(std, images.read(Path("z-std.tif")).pixels)
