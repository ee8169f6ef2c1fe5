"""Rules for lam against the minimum of their exact criterion, where that has a closed form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from PIL import Image
from scipy import fft, ndimage, optimize
from skimage import data, transform

import ipx
from command_line import call
from ipx_plugins.discrepancy import DiscrepancyOptions
from ipx_plugins.discrepancy.gcv import GCV
from ipx_plugins.discrepancy.l_curve import corner
from ipx_plugins.discrepancy.tuner import Discrepancy

SIDE, SIGMA = 64, 0.1
K = 2 - 2 * np.cos(np.pi * np.arange(SIDE) / SIDE)
GRAM = K[:, None] + K
"""Eigenvalues of D^T D in the cosine transform."""
TOLD = {"name": "gaussian", "sigma": SIGMA}
BLUR = {"name": "blur", "sigma": 1.0}


def scene() -> np.ndarray[Any, Any]:
    image = transform.resize(data.camera() / 255.0, (SIDE, SIDE), anti_aliasing=True)
    smooth: np.ndarray[Any, Any] = ndimage.gaussian_filter(image, 1.5)
    return smooth


def noisy(x: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return x + SIGMA * np.random.default_rng(0).standard_normal(x.shape)


def least(score: Callable[[float], float]) -> float:
    return float(np.exp(optimize.minimize_scalar(score, bounds=(-8, 5), method="bounded").x))


def chosen(y: Any, **how: Any) -> float:
    found = ipx.solve(y, **how).lam
    assert found is not None
    return float(found[0])


def test_sure_finds_the_minimum_of_its_exact_estimate() -> None:
    y = noisy(scene())
    c = fft.dctn(y, norm="ortho")

    def risk(log: float) -> float:
        kept = 1 / (1 + np.exp(log) * GRAM)
        return float((((1 - kept) * c) ** 2).sum() + 2 * SIGMA**2 * kept.sum()) / c.size

    lam = chosen(y, noise=TOLD, prior="smooth", tuner="sure")
    assert risk(np.log(lam)) - risk(np.log(least(risk))) < 0.005 * SIGMA**2
    far = risk(np.log(lam) + 2) - risk(np.log(least(risk)))
    assert far > 0.02 * SIGMA**2  # the criterion tells weights apart


def test_gsure_finds_the_minimum_of_its_exact_estimate() -> None:
    op = ipx.operator("blur", (1, SIDE, SIDE), sigma=1.0)
    x = torch.from_numpy(scene())[None, None]
    y = noisy(op.forward(x)[0, 0].numpy())
    c = fft.dctn(y, norm="ortho")
    point = torch.zeros(1, 1, SIDE, SIDE, dtype=torch.float64)
    point[..., 0, 0] = 1  # all cosines are positive there
    gain = fft.dctn(op.forward(point)[0, 0].numpy()) / fft.dctn(point[0, 0].numpy())
    floor = 0.01 * gain.max() ** 2

    def risk(log: float) -> float:
        kept = gain**2 / (gain**2 + np.exp(log) * GRAM)
        inverse = 1 / (gain**2 + floor)
        fit = (inverse * ((1 - kept) * c) ** 2).sum()
        return float(fit + 2 * SIGMA**2 * (inverse * kept).sum()) / c.size

    lam = chosen(y, op=BLUR, noise=TOLD, prior="smooth", tuner="gsure")
    assert risk(np.log(lam)) - risk(np.log(least(risk))) < 0.05 * SIGMA**2
    assert risk(np.log(lam) - 3) - risk(np.log(least(risk))) > 0.1 * SIGMA**2
    assert 0.5 < lam / least(risk) < 2


def test_the_corner_of_an_l() -> None:
    """A hyperbola (t, 1 / t) bends most at t = 1."""
    logs = np.linspace(-2.5, 2.0, 15)
    f, g = logs, -logs  # log of t and 1 / t: no corner
    assert not corner(logs, f, g)[1]
    f, g = np.exp(logs), np.exp(-logs)
    at, bent = corner(logs, f, g)
    assert bent
    assert abs(at) < 0.02


def test_l_curve_finds_the_corner_of_the_exact_curve() -> None:
    y = noisy(scene())
    c = fft.dctn(y, norm="ortho")
    logs = np.linspace(np.log(1e-3), np.log(100), 200)
    kept = 1 / (1 + np.exp(logs)[:, None, None] * GRAM)
    misfit = np.log((((1 - kept) * c) ** 2).sum((1, 2)))
    value = np.log(0.5 * (GRAM * (kept * c) ** 2).sum((1, 2)))
    exact, bent = corner(logs, misfit, value)
    assert bent
    tuner = {"name": "l-curve", "lowest": 1e-3, "highest": 100, "evaluations": 18}
    how = ipx.solve(y, prior="smooth", tuner=tuner)
    assert how.rule == "l-curve: as asked"
    assert how.lam is not None
    assert abs(np.log(how.lam[0]) - exact) < 0.2


class Coded(ipx.Prior[ipx.NoOptions]):
    """1/2 |x|^2, with the image itself as its code."""

    provides = (ipx.Value, ipx.Grad, ipx.Latent)

    def value(self, x: torch.Tensor) -> torch.Tensor:
        return ipx.image_sum(x * x) / 2

    def grad(self, x: torch.Tensor) -> torch.Tensor:
        return x.clone()

    def code_size(self, image_shape: tuple[int, ...]) -> int:
        return int(np.prod(image_shape))

    def encode(self, x: torch.Tensor) -> torch.Tensor:
        return x.flatten(1)

    def decode(self, z: torch.Tensor, image_shape: tuple[int, ...]) -> torch.Tensor:
        return z.reshape(-1, *image_shape)


def test_radius_gives_the_code_its_length() -> None:
    """x = y / (1 + lam), so that |x| = r sqrt(n) at lam = |y| / (r sqrt(n)) - 1."""
    y = torch.rand(2, 1, 8, 8, generator=torch.Generator().manual_seed(0)) + 0.5
    tuner = {"name": "radius", "radius": 0.4, "step": 2.0, "evaluations": 30}
    found = ipx.solve(y, noise=TOLD, prior=Coded(), tuner=tuner, tol=1e-7)
    assert found.lam is not None
    exact = y.flatten(1).norm(dim=1) / (0.4 * 8) - 1
    assert torch.allclose(torch.tensor(found.lam), exact, rtol=0.1)
    with pytest.raises(ipx.PlanError, match="prior tv gives no Latent"):
        ipx.solve(y, tuner="radius")


def test_the_oracle_knows_the_truth() -> None:
    """x = y / (1 + lam) is nearest to the truth at 1 / (1 + lam) = <y, x> / |y|^2."""
    x = torch.rand(2, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    y = x + 0.5 * torch.randn(x.shape, generator=torch.Generator().manual_seed(1))
    prior = {"name": "tikhonov", "about": "zero"}
    found = ipx.solve(y, prior=prior, tuner="oracle", truth=x).lam
    exact = (y * y).sum((1, 2, 3)) / (y * x).sum((1, 2, 3)) - 1
    assert found is not None
    assert torch.allclose(torch.tensor(found), exact, rtol=0.1)
    with pytest.raises(ipx.PlanError, match="the truth is not known"):
        ipx.solve(y, prior=prior, tuner="oracle")
    with pytest.raises(ipx.InputError, match="the truth has shape"):
        ipx.solve(y, prior=prior, tuner="oracle", truth=x[..., :8])


def test_holdout_finds_the_best_prediction() -> None:
    """Against the exact minimiser of 1/2 |M (x - y)|^2 + lam/2 |D x|^2, M the values kept."""
    side = 16
    rows, columns = np.mgrid[:side, :side] / side
    clean = np.sin(4 * rows) * np.cos(3 * columns)
    y = clean + 0.3 * np.random.default_rng(2).standard_normal(clean.shape)
    generator = torch.Generator().manual_seed(0)
    out = (torch.rand((1, side, side), generator=generator) < 0.3).numpy()[0]
    edge = np.diff(np.eye(side), axis=0)
    line = edge.T @ edge
    gram = np.kron(line, np.eye(side)) + np.kron(np.eye(side), line)

    def error(log: float) -> float:
        system = np.diag((~out).ravel().astype(float)) + np.exp(log) * gram
        x = np.linalg.solve(system, np.where(out, 0.0, y).ravel()).reshape(side, side)
        return float(np.log(((x - y)[out] ** 2).sum()))

    how = {"noise": TOLD, "prior": "smooth", "tuner": {"name": "holdout", "share": 0.3}}
    lam = chosen(torch.from_numpy(y)[None, None], **how)
    assert error(np.log(lam)) - error(np.log(least(error))) < 0.01
    assert min(error(np.log(lam) + 4), error(np.log(lam) - 4)) - error(np.log(lam)) > 0.05


def test_little_noise_of_unknown_level() -> None:
    """The score of cross-validation hardly depends on small weights; it alone gains 0.2 dB."""
    clean = torch.from_numpy(transform.resize(data.camera() / 255, (96, 96), anti_aliasing=True))
    y = ipx.degrade(clean[None, None], noise={"name": "gaussian", "sigma": 0.01})
    how = ipx.solve(y, prior="tv")
    assert float(ipx.psnr(how.x, clean) - ipx.psnr(y, clean)) > 1.0
    assert str(how.rule).startswith("gcv")


def test_a_criterion_that_falls_first_has_its_root_further_out() -> None:
    """A search that is broken off takes the best weight tried, not one still to be tried."""
    y = ipx.degrade(scene(), op="fourier", noise=TOLD, seed=0)
    how: dict[str, Any] = {"op": "fourier", "noise": TOLD, "prior": "smooth"}
    whole = ipx.solve(y, image_shape=(1, SIDE, SIDE), tuner="discrepancy", **how)
    gaps = [trial["log_ratio"][0] for trial in whole.trace]
    assert gaps[1] < gaps[0] < 0 < max(gaps)
    assert whole.lam is not None
    assert whole.lam[0] > 1
    short = {"name": "discrepancy", "evaluations": 2}
    broken = ipx.solve(y, image_shape=(1, SIDE, SIDE), tuner=short, **how)
    assert broken.lam is not None
    assert broken.lam[0] == whole.trace[0]["lam"][0]


Trial = tuple[float, float, float]


@pytest.mark.parametrize(
    ("points", "log", "ends"),
    [
        ([(0.0, 0.0, np.inf), (1.0, 0.0, -12.0), (2.0, 0.0, -11.9)], 0.5, False),
        ([(0.6, 0.0, np.inf), (1.0, 0.0, -12.0), (2.0, 0.0, -11.9)], 0.8, True),
        ([(-1.0, 0.0, 1.0), (0.0, 0.0, 0.0), (1.0, 0.0, 1.0)], 0.0, True),
    ],
)
def test_the_least_of_a_score(points: list[Trial], log: float, ends: bool) -> None:
    """A trial that tells nothing counts as a weight too small, and does not bend the parabola."""
    assert GCV().proposed(points) == (pytest.approx(log), ends)


def test_trials_that_tell_nothing_ask_for_larger_weights() -> None:
    assert GCV().proposed([(0.0, 0.0, np.inf), (1.0, 0.0, np.inf)])[0] > 1


@pytest.mark.parametrize("slope", [0.02, 1.0])
def test_the_root_of_a_criterion_with_a_bend(slope: float) -> None:
    """Regula falsi alone creeps to the root of such a criterion."""
    tuner = Discrepancy(DiscrepancyOptions(near=0.01))
    points: list[Trial] = [(-3.0, -3.0 * slope, 0.0)]
    for _ in range(13):
        log, ends = tuner.proposed(points)
        if ends:
            break
        points.append((log, log * (1.0 if log > 0 else slope), 0.0))
    assert ends
    assert log == pytest.approx(0, abs=0.01)


def test_the_root_of_a_criterion_that_jumps() -> None:
    """The misfit of impulses is 0 up to a weight, and large soon beyond it."""
    tuner = Discrepancy(DiscrepancyOptions())
    points: list[Trial] = [(-4.0, -21.0, 0.0)]
    for _ in range(9):
        log, ends = tuner.proposed(points)
        if ends:
            break
        points.append((log, -21.0 if log < -1 else 3 * (log + 1), 0.0))
    assert ends
    assert log == pytest.approx(-1, abs=0.4)


@pytest.mark.parametrize("tuner", ["gcv", "discrepancy"])
def test_images_of_a_batch_get_the_weights_that_they_get_alone(tuner: str) -> None:
    clean = scene()
    y = torch.from_numpy(np.stack([noisy(clean), clean + 0.1 * noisy(clean), noisy(1 - clean)]))
    how: dict[str, Any] = {"prior": "smooth", "op": BLUR, "noise": TOLD, "tuner": tuner}
    both = ipx.solve(y[:, None], **how).lam
    assert both is not None
    for image, lam in zip(y, both, strict=True):
        assert chosen(image, **how) == pytest.approx(lam, rel=0.02)


def test_the_command_line_takes_the_truth(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    small = (transform.resize(data.camera(), (32, 32), anti_aliasing=True) * 255).astype(np.uint8)
    Image.fromarray(small).save("x.png")
    assert call("degrade", "x.png", "--noise.sigma", "0.1", "-o", "y.tif").exit_code == 0
    oracle = ["solve", "y.tif", "--prior", "smooth", "--tuner", "oracle", "-o", "z.tif"]
    refused = call(*oracle)
    assert refused.exit_code == 2
    assert "the truth is not known" in refused.stderr
    done = call(*oracle, "--truth", "x.png")
    assert done.exit_code == 0, done.stderr
    assert "(oracle: as asked)" in done.stdout


def test_line_art_without_noise_is_not_smoothed_away() -> None:
    """Cross-validation alone takes its lines for noise: 48 dB were left."""
    sheet = torch.ones(1, 64, 64)
    sheet[:, 8::16] = 0
    sheet[:, :, 12::24] = 0
    sheet[:, 16:48, 16:48] += torch.eye(32) * -0.5
    how = ipx.solve(sheet.clamp(0, 1), prior="smooth")
    assert float(ipx.psnr(how.x, sheet.clamp(0, 1)[None])) > 50


def test_a_level_that_the_data_refute_does_not_bound_the_weight() -> None:
    """Photons taken for white noise: the level is that of the dark half, the noise twice as strong.

    Every weight leaves more than twice the level, and the least one made noise of the image.
    """
    x = transform.resize(data.camera() / 255.0, (128, 128), anti_aliasing=True)
    x = torch.from_numpy(x).float()[None, None]
    blur = {"name": "blur", "sigma": 1.5, "boundary": "unknown"}
    a = ipx.operator(**blur, image_shape=(1, 128, 128))
    y = ipx.degrade(x, op=a, noise={"name": "poisson", "peak": 30}, seed=1)
    found = ipx.solve(y, op=blur, noise="gaussian", prior="smooth")
    assert float(ipx.psnr(found.x, a.view(x))) > 22
