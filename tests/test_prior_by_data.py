"""The prior of auto is chosen by the data, among those near the best by measurement."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import skimage.data
import torch
from click.testing import CliRunner
from skimage.transform import resize

import ipx
from ipx.declare.registry import registry
from ipx.declare.specs import TunerSpec
from ipx.files import images
from ipx.planning.choice import NEAR, QUICK, Situation, rivals
from ipx.planning.parts import Parts
from ipx.planning.tree import tree
from ipx.planning.weights import judge_for
from ipx.solving.windows import cut_to
from ipx_cli.main import cli

NOISE = {"name": "gaussian", "sigma": 0.05}


def among(op: str, noise: str = "gaussian", **more: Any) -> list[Any]:
    parts = tree("operator", op), tree("noise", noise), tree("solver", "auto")
    return rivals(Situation(*parts, **more))


def smooth() -> np.ndarray:
    """Cells in a smooth field, (96, 96): block matching is 1.5 dB better than the network."""
    pixels = skimage.data.cell() / 255.0
    return pixels[93:285, 71:263].reshape(96, 2, 96, 2).mean((1, 3))


def noisy(x: np.ndarray) -> Any:
    return ipx.degrade(torch.from_numpy(x).float()[None, None], noise=NOISE, seed=1)


def test_rivals_are_near_the_best_and_quick() -> None:
    found = among("blur")
    assert len(found) > 1
    assert found[0].gain.worth == max(c.gain.worth for c in found)
    for rival in found[1:]:
        assert rival.gain.worth >= found[0].gain.worth - NEAR
        assert rival.gain.seconds <= QUICK
    assert len(among("blur", explicit="a weight is given")) == 1
    assert [c.plan.prior for c in among("tomography")] == ["tv"]


def test_a_judge_needs_what_its_tuner_needs() -> None:
    def judge(noise: str) -> Any:
        op, prior = tree("operator", "blur"), tree("prior", "tv")
        return judge_for(Parts.of(op, tree("noise", noise), prior), told=False)

    found = judge("gaussian")
    assert found is not None
    assert found.spec.compares
    assert judge("impulse") is None
    assert judge("poisson") is None
    for spec in registry().all("tuner"):  # what is declared is implemented
        if isinstance(spec, TunerSpec) and spec.compares:
            assert type(ipx.tuner(spec.name)).score is not ipx.Tuner.score


def test_the_risk_is_that_of_the_closed_form_and_its_noise_level_is_pooled() -> None:
    """x = y / (1 + lam): |x - y|^2 and df follow; that of lam 9 tells the noise level."""
    y = torch.randn(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    power = float(y.square().mean())
    noise = ipx.noise("gaussian", sigma=(power / 1.2) ** 0.5)  # too low

    def solve(problem: ipx.Problem, after: Any = None, twin: Any = None) -> ipx.Result:
        return ipx.iterate(problem, ipx.solver("direct"))

    tries: list[Any] = []
    for lam in (9.0, 1.0):
        op = ipx.operator("identity", (1, 32, 32))
        problem = ipx.Problem(y, op, noise, ipx.prior("tikhonov", about="zero"), lam)
        tries.append((problem, solve(problem), solve))
    found = ipx.tuner("gcv").compare(tries)
    assert found is not None
    pooled = 0.81 / 0.8
    told = torch.tensor([0.81 + 0.2 * pooled, 0.25 + 1.0 * pooled]) * power
    assert torch.allclose(found[:, 0].exp(), told, rtol=1e-3)


def test_the_risk_of_photons_is_near_the_error() -> None:
    """Of the solutions a y: |a y - x|^2 and what the noise adds."""
    x = torch.full((1, 1, 96, 96), 0.6) + 0.3 * torch.linspace(-1, 1, 96)
    peak = ipx.noise("poisson", peak=40.0)
    y = ipx.degrade(x, noise=peak)
    base = ipx.solve(y, noise=peak, prior="tv", lam=0.1, iterations=1).result
    tries: list[Any] = []
    for share in (0.9, 0.5):

        def solve(
            problem: ipx.Problem, after: Any = None, twin: Any = None, share: float = share
        ) -> ipx.Result:
            return replace(base, unknown=share * problem.y)

        tries.append((base.problem, solve(base.problem), solve))
    found = ipx.tuner("gcv").compare(tries)
    assert found is not None
    variance = float(x.mean()) / 40
    risks = found[:, 0].exp() - variance
    for risk, share in zip(risks.tolist(), (0.9, 0.5), strict=True):
        assert risk == pytest.approx(float(((share * y - x) ** 2).mean()), rel=0.05)


def test_photons_are_compared() -> None:
    """The network was taken before, 1.2 dB worse."""
    brick = resize(skimage.data.brick() / 255.0, (96, 96), anti_aliasing=True)
    x = torch.from_numpy(brick).float()[None, None]
    y = ipx.degrade(x, noise={"name": "poisson", "peak": 30})
    assert ipx.solve(y, noise="poisson").plan.prior == "bm3d"


def test_a_window_is_cut_where_the_data_are_larger() -> None:
    y = torch.rand(1, 1, 80, 96, generator=torch.Generator().manual_seed(0))
    op = ipx.operator("blur", (1, 80, 96), sigma=1.0)
    whole = ipx.Problem(y, op, ipx.noise("gaussian", sigma=0.1), ipx.prior("tv"), 0.1)
    assert cut_to(whole, 96) is whole
    part = cut_to(whole, 48)
    assert part.y.shape == (1, 1, 48, 48)
    assert part.operator.data_shape == (1, 48, 48)


def test_an_image_without_texture_gets_block_matching(tmp_path: Path) -> None:
    images.write(tmp_path / "y.tif", noisy(smooth())[0].numpy(), dtype="float32")
    row = json.loads(CliRunner().invoke(cli, ["solve", str(tmp_path / "y.tif"), "--json"]).stdout)
    assert row["plan"]["prior"] == "bm3d"
    assert "predicts the data best" in row["plan"]["why"]
    record = json.loads((tmp_path / "y-restored.tif.json").read_text())
    assert record["config"]["prior"]["name"] == "bm3d/bm3d"  # so that it gives the same again


def test_a_photograph_keeps_the_network() -> None:
    x = skimage.data.camera()[160:288:2, 200:328:2] / 255.0
    how = ipx.solve(noisy(x), noise="gaussian")
    assert how.plan.prior == "drunet"
    assert "dB over total variation" in how.plan.why


def test_without_a_judge_the_table_decides(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ipx.solving.rivals.judge_for", lambda *a: None)
    how = ipx.solve(noisy(smooth()[:32, :32]), noise="gaussian")
    assert how.plan.prior == "drunet"


def test_a_doubtful_result_that_predicts_the_data_worse_is_replaced(tmp_path: Path) -> None:
    x = 0.05 * skimage.data.moon()[200:296, 200:296] / 255.0
    clean = torch.from_numpy(x).float()[None]
    y = ipx.degrade(clean, noise={"name": "gaussian", "sigma": 0.08}, seed=1).clamp(0, 1)
    how = ipx.solve(y, solver="unrolled-admm")  # noise is cut off at 0
    assert how.plan.prior == "smooth"
    assert "predicts the data better" in how.warnings[0]
    asked = ipx.solve(y, solver="unrolled-admm", doubtful="keep")
    assert asked.plan.title == "unrolled-admm"
    better, worse = (float(ipx.psnr(each.x, clean[None])[0]) for each in (how, asked))
    assert better > worse + 1
    images.write(tmp_path / "y.tif", y.numpy(), dtype="float32")
    words = ["solve", str(tmp_path / "y.tif"), "--solver", "unrolled-admm"]
    ran = CliRunner().invoke(cli, words)
    assert ran.exit_code == 0
    assert "the result is that of smooth" in ran.stderr
    again = json.loads((tmp_path / "y-restored.tif.json").read_text())["config"]
    assert again["prior"]["name"] == "smooth/smooth"


@pytest.mark.parametrize("how", [{}, {"solver": "unrolled-admm"}])
def test_images_of_a_batch_get_the_prior_that_they_get_alone(how: dict[str, Any]) -> None:
    camera = skimage.data.camera()[160:256, 200:296] / 255.0
    dim = 0.05 * skimage.data.moon()[200:296, 200:296] / 255.0
    pair = (smooth(), camera) if not how else (dim, camera)
    y = torch.cat([noisy(x) for x in pair]).clamp(0, 1)  # noise is cut off at 0
    whole = ipx.solve(y, **how)
    assert [plan.title for plan in whole.plans] == (
        ["bm3d", "drunet"] if not how else ["smooth", "unrolled-admm"]
    )
    for image in range(2):
        alone = ipx.solve(y[image : image + 1], **how)
        assert alone.plan.title == whole.plans[image].title
        assert float((whole.x[image] - alone.x[0]).abs().max()) < 1e-5
        assert alone.status == [whole.status[image]]


def test_a_weight_that_was_asked_for_is_kept() -> None:
    y = noisy(smooth())
    assert ipx.solve(y, prior="tv", lam=1e-9).plan.prior == "tv"
