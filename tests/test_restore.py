"""The loop, the plan, the tuner and the library's face, end to end on small pictures."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import pytest
import torch
from skimage import data, transform
from torch import Tensor

import ipx
from ipx.numerics.metrics import psnr
from ipx.solving.build import operator_from
from ipx.solving.stop import any_of, converged


def photo(size: int = 64) -> np.ndarray:
    return transform.resize(data.camera() / 255.0, (size, size), anti_aliasing=True)


def quality(x: np.ndarray, truth: np.ndarray) -> float:
    to = [torch.as_tensor(a, dtype=torch.float64)[None, None] for a in (x, truth)]
    return float(psnr(*to))


@dataclass(frozen=True)
class Counting(ipx.State):
    """State of a solver that misbehaves on purpose."""

    step: int = 0


class Exploding(ipx.Solver[ipx.NoOptions, Counting]):
    """Turns the first image to NaN at step 3, grows the second without end, keeps the third."""

    needs: ClassVar[tuple[ipx.Need, ...]] = (ipx.Need(data=(), prior=()),)

    def init(self, problem: ipx.Problem) -> Counting:
        return Counting(problem.start())

    def step(self, problem: ipx.Problem, state: Counting) -> Counting:
        x = state.x.clone()
        if state.step == 2:
            x[0] = torch.nan
        x[1] = x[1] * 10 + 1
        return Counting(x, state.step + 1)


def test_nan_and_growth_are_reported_and_never_leave() -> None:
    y = torch.full((3, 1, 8, 8), 0.5)
    problem = ipx.Problem(
        y, ipx.operator("identity", (1, 8, 8)), ipx.noise("gaussian", sigma=0.1), ipx.prior("tv")
    )
    result = ipx.iterate(problem, Exploding(), iterations=40, tol=0.0)
    assert result.status == ["diverged", "diverged", "budget"]
    assert bool(torch.isfinite(result.x).all())
    assert int(result.iterations[0]) == 3
    torch.testing.assert_close(result.x[0], y[0])
    torch.testing.assert_close(result.x[2], y[2])


def test_each_image_stops_by_itself() -> None:
    truth = torch.as_tensor(photo(32))[None, None]
    easy, hard = (
        truth,
        truth
        + 0.2
        * torch.randn(truth.shape, generator=torch.Generator().manual_seed(0), dtype=truth.dtype),
    )
    op, noise, tv = (
        ipx.operator("blur", (1, 32, 32), sigma=1.5),
        ipx.noise("gaussian", sigma=0.1),
        ipx.prior("tv"),
    )
    lam = torch.tensor([0.002, 0.1], dtype=truth.dtype)
    together = ipx.iterate(
        ipx.Problem(torch.cat([easy, hard]), op, noise, tv, lam), ipx.solver("admm"), tol=1e-3
    )
    for i, y in enumerate((easy, hard)):
        alone = ipx.iterate(
            ipx.Problem(y, op, noise, tv, lam[i : i + 1]), ipx.solver("admm"), tol=1e-3
        )
        assert int(alone.iterations[0]) == int(together.iterations[i])
        torch.testing.assert_close(together.x[i], alone.x[0], atol=1e-10, rtol=0)


def test_reported_objective_is_the_one_minimised() -> None:
    y = torch.as_tensor(photo(32))[None, None]
    problem = ipx.Problem(
        y,
        ipx.operator("blur", (1, 32, 32), sigma=1.0),
        ipx.noise("gaussian", sigma=0.02),
        ipx.prior("tv"),
        lam=0.01,
    )
    seen: list[float] = []
    result = ipx.iterate(
        problem,
        ipx.solver("fista"),
        iterations=50,
        observers=[lambda p: seen.append(float(p.objective)), ipx.History()],
    )
    assert result.history[-1]["objective"][0] == pytest.approx(seen[-1])
    assert float(problem.objective(result.x)) == pytest.approx(float(result.objective))
    smooth = ipx.iterate(problem, ipx.solver("lbfgs"), iterations=20)
    assert not smooth.plan.exact  # TV has no gradient: its Moreau envelope was minimised
    assert float(smooth.objective) < float(problem.objective(smooth.x))


@pytest.mark.slow
@pytest.mark.parametrize(
    "op",
    [
        "identity",
        {"name": "blur", "sigma": 1.5},
        {"name": "inpaint", "missing": 0.5},
        {"name": "super-resolution", "factor": 2},
    ],
)
@pytest.mark.parametrize("prior", ["tv", "wavelet"])
def test_untuned_run_improves(op: str | dict, prior: str) -> None:
    truth = photo(64)
    y = ipx.degrade(truth, op=op, noise={"name": "gaussian", "sigma": 0.03}, seed=1)
    how = ipx.solve(y, op=op, prior=prior)
    assert how.status == ["converged"] or how.status == ["budget"]
    # the degraded picture; bicubic interpolation, the preview of super-resolution, is more
    operator = how.result.problem.operator
    plain = ipx.LinearOperator.preview(operator, how.result.problem.y)
    assert quality(how.image, truth) > quality(plain[0, 0].numpy(), truth) + 0.5
    assert how.level[0] == pytest.approx(0.03, abs=0.02)


def test_automatic_weight_is_wiener_for_white_signals() -> None:
    """Tikhonov denoising of white data: the effective discrepancy gives lam = sigma^2/signal."""
    generator = torch.Generator().manual_seed(0)
    truth = torch.randn(1, 1, 128, 128, generator=generator, dtype=torch.float64)
    y = truth + 0.5 * torch.randn(truth.shape, generator=generator, dtype=torch.float64)
    how = ipx.solve(y, noise={"name": "gaussian", "sigma": 0.5}, prior="tikhonov")
    assert how.lam is not None
    assert how.lam[0] == pytest.approx(0.25, rel=0.1)


def test_batch_is_single_with_everything_automatic() -> None:
    truth = torch.as_tensor(np.stack([photo(32), photo(32).T.copy()]))[:, None]
    generator = torch.Generator().manual_seed(0)
    y = truth + torch.tensor([0.02, 0.1]).view(2, 1, 1, 1) * torch.randn(
        truth.shape, generator=generator, dtype=truth.dtype
    )
    both = ipx.solve(y, prior="tv")
    for i in range(2):
        alone = ipx.solve(y[i : i + 1], prior="tv")
        assert both.lam is not None
        assert alone.lam is not None
        assert both.lam[i] == pytest.approx(alone.lam[0], rel=1e-6)
        torch.testing.assert_close(both.x[i], alone.x[0], atol=1e-7, rtol=0)


def test_noise_free_pixels_are_kept_exactly() -> None:
    truth = photo(32).astype(np.float32)
    op = ipx.operator("inpaint", (1, 32, 32), missing=0.6, seed=2)
    noise = {"name": "gaussian", "sigma": 0}
    y = ipx.degrade(truth, op=op, noise=noise)
    known = op.known(torch.zeros(1, 1, 32, 32))[0]
    for solver in ("auto", "fista", "pdhg", "hqs"):
        x = ipx.restore(y, op=op, noise=noise, prior="tv", solver=solver)
        mask = np.broadcast_to(known.numpy(), (1, 32, 32))[0]
        assert (x[mask] == truth[mask]).all()
        assert quality(x, truth) > quality(y, truth) + 5


@pytest.mark.parametrize(
    "make",
    [
        lambda a: a.astype(np.float32),
        lambda a: a.astype(np.float64),
        lambda a: (a * 255).astype(np.uint8),
        lambda a: (a * 65535).astype(np.uint16),
        lambda a: np.stack([a] * 3, -1).astype(np.float16),
        lambda a: torch.as_tensor(a),
        lambda a: torch.as_tensor(a)[None].half(),
        lambda a: torch.as_tensor(a)[None, None].expand(2, 3, -1, -1).float(),
    ],
)
def test_same_kind_comes_back(make) -> None:
    image = make(photo(16))
    kept = image.copy() if isinstance(image, np.ndarray) else image.clone()
    out = ipx.restore(image, op="blur", prior="tv", lam=0.01, iterations=5)
    assert type(out) is type(image)
    assert out.dtype == image.dtype
    assert out.shape == image.shape
    assert (image == kept).all()


@pytest.mark.parametrize(
    ("bad", "line"),
    [
        (np.full((8, 8), np.nan), "not finite"),
        (np.zeros((0, 4)), "empty"),
        (np.zeros((2, 2, 2, 2)), "has shape"),
        (np.zeros((8, 8), complex), "cannot be restored"),
        ("photo.png", "array or a tensor"),
    ],
)
def test_bad_images_are_refused(bad, line: str) -> None:
    with pytest.raises(ipx.InputError, match=line):
        ipx.restore(bad, prior="tv")


@pytest.mark.parametrize("lam", ["big", -1.0, float("nan"), [0.1, 0.2]])
def test_bad_weights_are_refused(lam) -> None:
    with pytest.raises(ipx.OptionError, match="lam must be"):
        ipx.restore(photo(16), prior="tv", lam=lam)


def test_what_does_not_fit_says_why_and_what_would() -> None:
    y = photo(16)
    with pytest.raises(ipx.PlanError, match=r"gives no .*solvers that fit: .*admm"):
        ipx.restore(y, prior="tv", solver="direct")
    with pytest.raises(ipx.PlanError, match="leaves each pixel as it was measured"):
        ipx.restore(y, prior="none")
    with pytest.raises(ipx.PlanError, match="exactly"):
        ipx.solve(y, op="blur", prior="tv", solver="lbfgs", exact=True)
    with pytest.raises(ipx.UnknownNameError, match="did you mean blur"):
        ipx.restore(y, op="blurr")
    with pytest.raises(ipx.OptionError, match="did you mean sigma"):
        ipx.restore(y, op={"name": "blur", "sigm": 2})


def test_composition_by_description_is_composition_in_code() -> None:
    described = {
        "name": "compose",
        "parts": [{"name": "super-resolution", "factor": 2}, {"name": "blur", "sigma": 1.0}],
    }
    x = torch.rand(1, 1, 16, 16, dtype=torch.float64)
    by_name = operator_from(described, (1, 16, 16))
    by_code = ipx.operator("super-resolution", (1, 16, 16), factor=2) @ ipx.operator(
        "blur", (1, 16, 16), sigma=1.0
    )
    torch.testing.assert_close(by_name.forward(x), by_code.forward(x))
    truth = photo(32)
    quiet = {"name": "gaussian", "sigma": 0.005}
    y = ipx.degrade(truth, op=described, noise=quiet)
    assert y.shape == (16, 16)
    how = ipx.solve(y, op=described, noise=quiet, prior="tv", lam=0.002, iterations=40)
    assert how.image.shape == (32, 32)
    assert quality(how.image, truth) > quality(how.before[0, 0].numpy(), truth)


def test_stopping_rules_compose() -> None:
    class P:
        residual = torch.tensor([0.1, 0.001])

    never = lambda p: torch.zeros(2, dtype=torch.bool)  # noqa: E731
    rule = any_of(converged(0.01), never)
    assert rule(P()).tolist() == [False, True]


def test_observers_see_every_step() -> None:
    steps: list[int] = []

    ipx.solve(
        photo(16),
        op="blur",
        prior="tv",
        lam=0.01,
        iterations=7,
        tol=0.0,
        observers=[lambda p: steps.append(p.iteration)],
    )
    assert steps == list(range(1, 8))


def test_gradient_flows_through_steps() -> None:
    """A step is differentiable: d(solution)/d(lam) of ADMM agrees with a finite difference."""
    y = torch.as_tensor(photo(16))[None, None]
    op, noise, tv = (
        ipx.operator("blur", (1, 16, 16), sigma=1.0, boundary="circular"),
        ipx.noise("gaussian", sigma=0.1),
        ipx.prior("tikhonov"),
    )

    def run(lam: Tensor) -> Tensor:
        solver, problem = ipx.solver("gradient"), ipx.Problem(y, op, noise, tv, lam)
        problem = ipx.attach(problem, ipx.plan_for(problem, solver))
        state = solver.init(problem)
        for _ in range(2):
            state = solver.step(problem, state)
        return solver.solution(problem, state).square().sum()

    lam = torch.tensor([0.3], dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(run(lam), lam)
    step = 1e-6
    with torch.no_grad():
        difference = (run(lam + step) - run(lam - step)) / (2 * step)
    assert float(slope) == pytest.approx(float(difference), rel=1e-4)


@pytest.mark.parametrize(
    ("how", "why"),
    [
        ({"prior": "realnvp-map"}, "weights come with realnvp"),
        ({"prior": "ffdnet"}, "weights come with ffdnet"),
        ({"prior": "gs-drunet"}, "weights come with gs-drunet"),
        ({"prior": "vae-synthesis"}, "is for images of shape"),
        (
            {"prior": {"name": "glow-map", "weights": "no.safetensors"}},
            "neither shipped nor a file",
        ),
        ({"solver": "unrolled-hqs"}, "weights come with unrolled-hqs"),
        (
            {"prior": "none", "solver": {"name": "feedforward", "model": "cyclegan"}},
            "with cyclegan",
        ),
        ({"prior": "tv", "start": "nowhere"}, "start nowhere is neither"),
        ({"prior": "tv", "start": "mean"}, "for priors with a decoder"),
    ],
    ids=str,
)
def test_what_is_missing_is_found_before_anything_is_computed(
    monkeypatch: pytest.MonkeyPatch, how: dict[str, Any], why: str
) -> None:
    def computed(*args: Any, **kwargs: Any) -> None:
        raise AssertionError("computed first")

    for place in ("prepare._problem", "prepared.attach", "restore.solution"):
        monkeypatch.setattr(f"ipx.solving.{place}", computed)
    with pytest.raises(ipx.IpxError, match=why):
        ipx.solve(torch.rand(3, 40, 40), op={"name": "blur", "sigma": 1}, **how)


def test_the_number_of_iterations_bounds_the_classical_start() -> None:
    counts: list[int] = []
    real = ipx.solving.trials.iterate

    def counted(*args: Any, iterations: int | None, **rest: Any) -> Any:
        counts.append(-1 if iterations is None else iterations)
        return real(*args, iterations=iterations, **rest)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("ipx.solving.trials.iterate", counted)
        y = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(0))
        ipx.solve(
            y,
            op={"name": "blur", "sigma": 1},
            prior="wavelet",
            start="tv",
            iterations=3,
            doubtful="keep",
        )
    assert len(counts) > 4  # the tuner, the start, and the same for the main one
    assert set(counts) == {3}
