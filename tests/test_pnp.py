"""Plug-and-play: schedule, symmetry, fixed points, and pictures better than with TV."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from skimage import data, transform

import ipx
from ipx.numerics.metrics import psnr
from ipx.planning.request import Request
from ipx.solving.loop import iterate
from ipx.solving.problem import Problem
from ipx_plugins.solvers import PnPOptions, pnp_admm
from ipx_plugins.solvers.schedule import denoised, penalty_at, sigmas

SOLVERS = ("pnp-hqs", "pnp-admm", "pnp-fista", "red")
TASKS = {
    "blur": {"name": "blur", "sigma": 1.6},
    "uniform blur": {"name": "blur", "kind": "uniform", "size": 5},
    "inpaint": {"name": "inpaint", "missing": 0.6},
    "super-resolution": {"name": "super-resolution", "factor": 2},
}


def photograph(size: int) -> torch.Tensor:
    image = transform.resize(data.camera() / 255.0, (size, size), anti_aliasing=True)
    return torch.as_tensor(image, dtype=torch.float32)[None, None]


class Line(ipx.Prior[ipx.NoOptions]):
    """A linear symmetric denoiser: D(x, s) = x / (1 + s^2), the proximal map of s^2 |x|^2 / 2."""

    def denoise(self, x: torch.Tensor, sigma: ipx.Scalar) -> torch.Tensor:
        level = torch.as_tensor(ipx.per_image(sigma, x), dtype=x.dtype)
        return x / (1 + level**2)


class Still(ipx.Prior[ipx.NoOptions]):
    """Leaves every picture alone, and counts."""

    def __init__(self) -> None:
        super().__init__()
        self.matched = 0

    def match(self, x: torch.Tensor, sigma: ipx.Scalar) -> Any:
        self.matched += 1
        return self.matched

    def denoise(self, x: torch.Tensor, sigma: ipx.Scalar, matches: Any = None) -> torch.Tensor:
        return x.clone()


def problem(prior: Any, lam: float = 0.05) -> Problem:
    x = torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    op = ipx.operator("blur", (1, 12, 12), boundary="circular")
    weights = torch.tensor([lam, 2 * lam], dtype=torch.float64)
    return Problem(op.forward(x), op, ipx.noise("gaussian", sigma=0.1), prior, weights)


def made(op: Any, size: int) -> Any:
    name, options = (op, {}) if isinstance(op, str) else (op["name"], {**op})
    options.pop("name", None)
    return ipx.operator(name, (1, size, size), **options)


def test_the_schedule_is_dpirs() -> None:
    p = problem(Line(), 0.23 * (5 / 255) ** 2)
    table = sigmas(p, PnPOptions(), p.y, 8)
    assert table.shape == (8, 2)
    assert math.isclose(float(table[0, 0]), 49 / 255)
    assert math.isclose(float(table[-1, 0]), 5 / 255, rel_tol=1e-9)
    ratios = table[1:, 0] / table[:-1, 0]
    assert torch.allclose(ratios, ratios[:1].expand(7))
    # rho = 0.23 (noise / sigma)^2
    assert math.isclose(float(penalty_at(p, table[0])[0]), 0.23 * (5 / 49) ** 2, rel_tol=1e-9)
    assert float(sigmas(p, PnPOptions(schedule="constant"), p.y, 8)[0, 1]) > float(table[-1, 0])


def test_the_self_ensemble_is_undone() -> None:
    p = problem(Still())
    x = torch.rand(2, 1, 7, 9)
    sigma = torch.tensor([0.1, 0.1])
    for step in range(8):
        out, _ = denoised(p, PnPOptions(refresh=1), x, sigma, step, None)
        assert torch.equal(out, x), step


def test_blocks_are_matched_again_every_so_many_steps() -> None:
    prior = Still()
    iterate(problem(prior), ipx.solver("pnp-hqs", refresh=3), iterations=8, tol=0.0)
    assert prior.matched == 3


KERNELS = {
    "shake": ({"kind": "random-motion", "length": 15, "seed": 1}, 4.0, -0.2),
    "wide": ({"sigma": 1.6}, -0.1, 0.05),
}
"""Kernels; the least gain in dB over the whole multiplier, and over none."""


@pytest.mark.parametrize("name", KERNELS)
def test_a_share_of_the_multiplier_is_kept(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """All of it amplifies noise for camera shake; none of it is worse for wide blurs."""
    kernel, over_all, over_none = KERNELS[name]
    x = photograph(64)
    op, noise = {"name": "blur", **kernel}, {"name": "gaussian", "sigma": 0.03}
    y = ipx.degrade(x[0], op=op, noise=noise, seed=1)

    def score() -> float:
        found = ipx.solve(y, op=op, noise=noise, prior="drunet", solver="pnp-admm").x
        return float(psnr(found, x)[0])

    chosen = score()
    monkeypatch.setattr(pnp_admm, "_kept", lambda problem: 1.0)
    assert chosen - score() > over_all
    monkeypatch.setattr(pnp_admm, "_kept", lambda problem: 0.0)
    assert chosen - score() > over_none


@pytest.mark.parametrize("solver", ["pnp-hqs", "pnp-admm", "pnp-fista", "red"])
def test_a_denoiser_that_is_a_proximal_map_gives_a_fixed_point(solver: str) -> None:
    """At constant sigma each has a fixed point, of the problem it stands for."""
    p = problem(Line())
    s = 0.3
    made = ipx.solver(solver, schedule="constant", sigma_end=s, steps=1, ensemble=False)
    result = iterate(p, made, iterations=4000, tol=1e-12)
    gram = torch.fft.rfft2(p.operator.forward(_point()))
    h = (gram.abs() ** 2).to(torch.float64)
    data_side = torch.fft.rfft2(p.operator.adjoint(p.y))
    lam = torch.as_tensor(p.lam).view(-1, 1, 1, 1)
    rho = lam / s**2
    weight = {
        "pnp-hqs": rho - rho / (1 + s**2),  # (A'A + rho) v = A'y + rho D(v)
        "pnp-admm": rho * s**2,
        "pnp-fista": torch.full_like(lam, 0.23 * s**2),
        "red": rho - rho / (1 + s**2),
    }[solver]
    v = torch.fft.irfft2(data_side / (h + weight), s=(12, 12))
    x = v / (1 + s**2) if solver in ("pnp-hqs",) else v
    shown = result.state.clean * (1 + s**2) if solver == "red" else result.x
    assert torch.allclose(shown, x, atol=1e-7), float((shown - x).abs().max())


def _point() -> torch.Tensor:
    x = torch.zeros(1, 1, 12, 12, dtype=torch.float64)
    x[..., 0, 0] = 1
    return x


def test_the_weight_follows_from_the_noise() -> None:
    y = ipx.degrade(photograph(48), op="identity", noise={"name": "gaussian", "sigma": 0.1})
    how = ipx.solve(y, noise={"name": "gaussian", "sigma": 0.1}, prior="bm3d")
    assert how.lam is not None
    assert math.isclose(how.lam[0], 0.23 * 0.01, rel_tol=1e-5)
    assert how.plan.solver.name == "pnp-admm"


MISSING = {"name": "inpaint", "missing": 0.5}


@pytest.mark.parametrize(
    ("op", "schedule", "steps", "kept"),
    [
        # sigma falls from 49/255 to 1/128 of it: 8 steps halve it, 16 divide it by 1.38
        ("blur", "log", 8, [True] * 6 + [False] * 4),
        (MISSING, "log", 8, [True] * 6 + [False] * 4),
        ("blur", "log", 16, [True] * 13 + [False] * 5),
        (MISSING, "log", 16, [True] * 14 + [False] * 4),
        ("blur", "linear", 3, [True, False, False, False]),
        ("blur", "log", 1, [False] * 3),
        ("blur", "constant", 4, [True] * 8),
    ],
)
def test_the_multiplier_ends_with_the_schedule(
    op: Any, schedule: str, steps: int, kept: list[bool]
) -> None:
    """Of a batch, each picture by its own noise; steps beyond the schedule have none either."""
    operator = made(op, 12)
    x = torch.rand(2, 1, 12, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    sigma = torch.tensor([49 / 255 / 128, 0.3], dtype=torch.float64)
    p = Problem(operator.forward(x), operator, ipx.noise("gaussian"), Line(), 0.23 * sigma**2)
    solver = ipx.solver("pnp-admm", schedule=schedule, steps=steps)
    p = ipx.attach(p, ipx.plan_for(p, solver))
    state = solver.init(p)
    for k, keep in enumerate(kept):
        state = solver.step(p, state)
        assert bool(state.u[0].any()) == keep, k
        # noise above the first sigma: there is no way from strong to weak
        assert bool(state.u[1].any()) == (schedule == "constant"), k


@pytest.mark.parametrize("name", ["drunet", "bm3d"])
@pytest.mark.parametrize("solver", ["pnp-hqs", "pnp-admm"])
def test_noise_alone_is_denoised_once(name: str, solver: str) -> None:
    prior = ipx.prior(name)
    noise = {"name": "gaussian", "sigma": 0.1}
    y = ipx.degrade(photograph(32), op="identity", noise=noise)
    how = ipx.solve(y, noise=noise, prior=name, solver=solver)
    assert how.iterations == [1]
    assert ipx.has(prior, ipx.Denoise)
    assert torch.allclose(how.x, prior.denoise(y, 0.1), atol=1e-5)


@pytest.mark.parametrize(
    ("prior", "op", "noise", "solver", "steps"),
    [
        ("drunet", "identity", "gaussian", "pnp-admm", 1),
        ("drunet", "identity", "poisson", "pnp-hqs", 1),
        ("glow-hqs", "identity", "poisson", "pnp-hqs", 8),
        ("drunet", "blur", "gaussian", "pnp-admm", 8),
        ("drunet", MISSING, "gaussian", "pnp-admm", 12),
        ("drunet", {"name": "inpaint", "missing": 0.0}, "gaussian", "pnp-admm", 1),
        ("drunet", "fourier", "gaussian", "pnp-admm", 12),
        ("nlm", "super-resolution", "gaussian", "pnp-admm", 8),
        ("bm3d", "identity", "gaussian", "pnp-admm", 1),
        ("bm3d", "blur", "gaussian", "pnp-hqs", 8),
        ("bm3d", MISSING, "gaussian", "pnp-admm", 8),
        ("glow-hqs", "identity", "gaussian", "pnp-hqs", 8),
        ("glow-hqs", MISSING, "gaussian", "pnp-hqs", 24),
    ],
)
def test_what_is_taken_without_a_word(
    prior: str, op: Any, noise: str, solver: str, steps: int
) -> None:
    request = Request(
        op=op if isinstance(op, dict) else {"name": op},
        noise={"name": noise},
        prior={"name": prior},
    )
    assert request.plan().solver.name == solver
    operator = made(op, 16)
    y = operator.forward(torch.full((1, 1, 16, 16), 0.5))
    p = Problem(y, operator, ipx.noise(noise), ipx.prior(prior), 1e-3)
    assert ipx.solver(solver).budget(p) == steps


@pytest.mark.slow
@pytest.mark.parametrize("task", list(TASKS))
def test_bm3d_is_better_than_total_variation(task: str) -> None:
    clean = photograph(128)
    noise = {"name": "gaussian", "sigma": 0.02}
    y = ipx.degrade(clean, op=TASKS[task], noise=noise, seed=2)
    edges = ipx.solve(y, op=TASKS[task], noise=noise, prior="tv").x
    found = ipx.solve(y, op=TASKS[task], noise=noise, prior="bm3d").x
    assert float(psnr(found, clean) - psnr(edges, clean)) > 0.3


@pytest.mark.slow
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("task", list(TASKS))
def test_two_hundred_steps_do_not_diverge(solver: str, task: str) -> None:
    clean = photograph(48)
    noise = {"name": "gaussian", "sigma": 0.03}
    y = ipx.degrade(clean, op=TASKS[task], noise=noise, seed=2)
    how = ipx.solve(
        y, op=TASKS[task], noise=noise, prior={"name": "tv-filter"}, solver=solver,
        iterations=200, tol=0.0,
    )  # fmt: skip
    assert how.status == ["budget"]
    start = ipx.solve(y, op=TASKS[task], noise=noise, prior="tv-filter", iterations=1).before
    assert float(psnr(how.x, clean)) > float(psnr(start, clean)) - 0.5


@pytest.mark.parametrize("prior", ["bm3d", "drunet"])
@pytest.mark.parametrize("solver", [*SOLVERS, "diffpir"])
@pytest.mark.parametrize("op", ["identity", "blur"])
def test_the_weight_zero_is_a_weight(op: str, solver: str, prior: str) -> None:
    clean = photograph(32)
    y = clean + 0.05 * torch.randn(clean.shape, generator=torch.Generator().manual_seed(0))
    done = ipx.solve(y, op=op, prior=prior, solver=solver, lam=0, iterations=6)
    assert done.status[0] != "diverged"
    assert bool(done.x.isfinite().all())
    if op == "identity":  # else it is the inverse filter, with the noise amplified
        assert float((done.x - y).abs().mean()) < 0.2


@pytest.mark.parametrize(
    ("noise", "gain"), [({"name": "poisson", "peak": 10.0}, 0.5), ({"name": "speckle"}, 2.0)]
)
def test_noise_that_grows_is_denoised_behind_its_transform(
    noise: dict[str, Any], gain: float
) -> None:
    x = photograph(96)[..., 20:84, 20:84]
    y = ipx.degrade(x, noise=noise, seed=1)
    told = {"noise": noise["name"], "prior": "drunet"}
    behind = ipx.solve(y, **told)
    assert behind.iterations == [1]
    split = ipx.solve(y, **told, solver={"name": "pnp-hqs", "steps": 8})
    assert psnr(behind.x, x) > psnr(split.x, x) + gain


def test_photons_are_denoised_at_the_strength_of_their_noise() -> None:
    """Not at that of the unit of lam, which is the strength at intensity 1: 2 dB less here."""
    x = photograph(96)[..., 20:84, 20:84]
    noise = {"name": "poisson", "peak": 30.0}
    y = ipx.degrade(x, noise=noise, seed=1)
    how: dict[str, Any] = {"noise": noise, "prior": "drunet", "solver": "pnp-hqs"}
    usual = ipx.solve(y, **how)
    assert usual.lam is not None
    for factor in (0.5, 2.0):
        other = ipx.solve(y, lam=factor * usual.lam[0], **how)
        assert psnr(usual.x, x) > psnr(other.x, x) - 0.2


@pytest.mark.slow
def test_the_multiplier_brings_no_noise_back_behind_projections() -> None:
    """With a fifth of it ADMM was 0.6 dB below half-quadratic splitting."""
    clean = torch.from_numpy(data.camera()[160:256, 200:296] / 255.0).float()[None]
    op, noise = {"name": "tomography"}, {"name": "gaussian", "sigma": 0.03}
    y = ipx.degrade(clean, op=op, noise=noise, seed=1)
    admm, hqs = (
        float(ipx.psnr(ipx.solve(y, op=op, noise=noise, prior="drunet", solver=name).x, clean)[0])
        for name in ("pnp-admm", "pnp-hqs")
    )
    assert admm > hqs - 0.1
