"""Blurs of pictures that go on beyond the border: systems, solvers, files; windows for lam."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from torch import Tensor

import ipx
from ipx.files import images
from ipx.parts.normal import NormalSystem
from ipx.solving import windows
from ipx_cli.main import cli
from ipx_plugins.blur.operator import Blur

SHAKE = {"kind": "random-motion", "length": 9.0, "seed": 3}


def scene() -> Tensor:
    """A part of the bundled photograph, grey, with contrast at its borders."""
    return torch.from_numpy(images.bundled().pixels[1:2, 20:108, 60:156])[None].double()


def part_of_scene(blur: Blur) -> tuple[Tensor, Tensor]:
    """Blurred data without a border, with noise 0.01, and the truth behind them."""
    y = blur.forward(scene())
    noise = 0.01 * torch.randn(y.shape, generator=torch.Generator().manual_seed(0)).double()
    return y + noise, blur.sample(scene())


@pytest.mark.parametrize("psf", [{"sigma": 2.0}, SHAKE], ids=["gaussian", "shake"])
def test_the_dual_system_gives_the_prox(psf: dict[str, float]) -> None:
    blur = Blur((1, 30, 34), boundary="valid", **psf)
    generator = torch.Generator().manual_seed(1)
    v = torch.rand(2, *blur.image_shape, generator=generator, dtype=torch.float64)
    y = torch.rand(2, *blur.data_shape, generator=generator, dtype=torch.float64)
    rho = torch.tensor([0.1, 0.003]).double().view(2, 1, 1, 1)
    x = NormalSystem(blur, y).prox(v, y, blur.adjoint(y), rho, None)
    slope = blur.adjoint(blur.forward(x) - y) + rho * (x - v)
    assert float(slope.abs().max()) < 1e-4 * float(blur.adjoint(y).abs().max())


@pytest.mark.parametrize(
    "psf",
    [
        pytest.param({"sigma": 2.0}, id="gaussian", marks=pytest.mark.slow),
        pytest.param(SHAKE, id="shake"),
    ],
)
def test_the_split_at_b_finds_the_same_minimum(psf: dict[str, float]) -> None:
    y, _ = part_of_scene(Blur(tuple(scene().shape[1:]), boundary="valid", **psf))
    y = y[..., :40, :44]
    how = {"op": {"name": "blur", "boundary": "valid", **psf}, "noise": "gaussian"}
    found = [
        ipx.solve(y, **how, prior="tv", solver=name, lam=0.003, tol=1e-5, iterations=1500)
        for name in ("admm", "pdhg")
    ]
    assert "Sampled" in str([b.needs for b in found[0].plan.bridges])
    values = [float(f.result.objective[0]) for f in found]
    assert values[0] == pytest.approx(values[1], rel=1e-3)


@pytest.mark.parametrize(("prior", "gain"), [("tv", 1.5), ("drunet", 3.0)])
def test_an_unknown_border_does_not_ring(prior: str, gain: float) -> None:
    whole = part_of_scene(Blur(tuple(scene().shape[1:]), boundary="valid", sigma=2.0))
    y, truth = (v[..., 16:, 24:] for v in whole)  # with edges at the border
    quality = {}
    for boundary in ("reflect", "unknown"):
        op = {"name": "blur", "sigma": 2.0, "boundary": boundary}
        done = ipx.solve(y.float(), op=op, prior=prior, noise={"name": "gaussian", "sigma": 0.01})
        assert done.x.shape == y.shape == done.before.shape
        quality[boundary] = float(ipx.psnr(done.x, truth)[0])
    assert quality["unknown"] > quality["reflect"] + gain


def test_files_have_unknown_borders_unless_simulated(tmp_path: Path) -> None:
    images.write(tmp_path / "y.png", images.bundled().pixels[1:2, 20:60, 84:124])
    run = CliRunner().invoke
    given = [str(tmp_path / "y.png"), "--op", "blur", "--op.sigma", "1"]
    fast = ["--lam", "0.01", "--iterations", "2", "-o", str(tmp_path / "x.png"), "--force"]
    for more, border in ([], "unknown"), (["--op.boundary", "zero"], "zero"):
        assert run(cli, ["solve", *given, *more, *fast]).exit_code == 0
        record = json.loads((tmp_path / "x.png.json").read_text())
        assert record["config"]["op"]["boundary"] == border
        assert images.read(tmp_path / "x.png").shape == (1, 40, 40)
    again = ["solve", "--config", str(tmp_path / "x.png.json"), "-o", str(tmp_path / "again.png")]
    assert run(cli, again).exit_code == 0
    assert (tmp_path / "x.png").read_bytes() == (tmp_path / "again.png").read_bytes()
    assert run(cli, ["degrade", *given, "-o", str(tmp_path / "z.tif")]).exit_code == 0
    told = run(cli, ["solve", str(tmp_path / "z.tif"), *given[1:], *fast, "--dtype", "uint8"])
    assert told.exit_code == 0
    assert (
        json.loads((tmp_path / "x.png.json").read_text())["config"]["op"]["boundary"] == "reflect"
    )


def test_a_truth_has_the_shape_of_the_data(tmp_path: Path) -> None:
    images.write(tmp_path / "y.png", images.bundled().pixels[1:2, 20:52, 84:116])
    given = ["solve", str(tmp_path / "y.png"), "--op", "blur", "--op.sigma", "1", "--json"]
    told = CliRunner().invoke(
        cli, [*given, "--lam", "0.01", "--iterations", "2", "--truth", str(tmp_path / "y.png")]
    )
    assert told.exit_code == 0
    assert json.loads(told.stdout)["psnr_after"] > 20


def test_the_window_is_like_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "SIDE", 64)
    y = 0.02 * np.random.default_rng(0).standard_normal((256, 256))
    y[64:128, 128:192] += np.random.default_rng(1).standard_normal((64, 64)) * 0.05
    y[192:, :64] += np.random.default_rng(2).standard_normal((64, 64))
    top, left, *size = windows.representative(torch.from_numpy(y)[None, None])
    assert size == [64, 64]
    mean = float(np.mean(np.diff(y, axis=0) ** 2))
    within = float(np.mean(np.diff(y[top : top + 64, left : left + 64], axis=0) ** 2))
    assert 0.5 < within / mean < 2
    assert windows.representative(torch.zeros(1, 1, 70, 300))[2:] == (64, 64)


@pytest.mark.parametrize(
    "op",
    ["identity", {"name": "blur", "sigma": 1.0}, {"name": "inpaint", "missing": 0.4}],
    ids=["identity", "blur", "inpaint"],
)
def test_a_window_chooses_nearly_the_weight_of_the_whole(
    op: str | dict[str, float], monkeypatch: pytest.MonkeyPatch
) -> None:
    x = torch.from_numpy(images.bundled().pixels[:1, 20:148, 40:168])[None]
    y = ipx.degrade(x, op=op, noise={"name": "gaussian", "sigma": 0.05}, seed=0)
    whole = ipx.solve(y, op=op, prior="tv")
    monkeypatch.setattr(windows, "SIDE", 72)
    monkeypatch.setattr(windows, "LARGE", 1)
    part = ipx.solve(y, op=op, prior="tv")
    assert part.lam is not None
    assert whole.lam is not None
    assert part.lam != whole.lam
    assert 0.6 < part.lam[0] / whole.lam[0] < 1.6
    assert float(ipx.psnr(part.x, x)[0]) > float(ipx.psnr(whole.x, x)[0]) - 0.3


def test_a_hidden_border_stays_hidden_in_made_operators() -> None:
    """Scaled, composed, added and stacked: what is handed out has the size of the data."""
    blur = ipx.operator("blur", (1, 48, 48), sigma=2.0, boundary="unknown")
    shown = blur.view(torch.zeros(1, *blur.image_shape)).shape
    assert shown[-1] < 48
    x = torch.rand(1, *blur.image_shape)
    same = ipx.operator("identity", blur.data_shape)
    for made in (2.0 * blur, same @ blur, blur + blur, ipx.vstack([blur, blur])):
        assert torch.equal(made.view(x), blur.view(x))
    wide, y = ipx.operator("blur", (1, 64, 64), sigma=3.0), torch.rand(1, 1, 64, 64)
    quiet = wide.quiet(y)
    assert quiet is not None
    assert torch.allclose((2.0 * wide).quiet(2 * y), 2 * quiet)
