"""A result that may be wrong is said to be."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import ipx
from ipx.files import images
from ipx.solving.doubts import doubts
from ipx_cli.main import cli

LEAST = 15.0  # dB; 5 to 8 without a larger weight
BLUR = {"name": "blur", "sigma": 1.6}


def data(sigma: float = 0.02) -> torch.Tensor:
    """A blurred photograph with noise, ``(1, 64, 64)``."""
    clean = torch.from_numpy(images.bundled().pixels[1:2, 20:84, 40:104])
    return ipx.degrade(clean, op=BLUR, noise={"name": "gaussian", "sigma": sigma}, seed=1)


def test_a_usual_restoration_has_no_warnings() -> None:
    for prior in ("tv", "wavelet", "drunet"):
        how = ipx.solve(data(), op=BLUR, prior=prior)
        assert how.warnings == []
        assert how.wrong == [False]


def test_amplified_noise_is_told() -> None:
    how = ipx.solve(data(), op=BLUR, prior="tv", lam=1e-6)
    assert any("lie outside the range of the data" in line for line in how.warnings)
    assert any("noise or texture is amplified" in line for line in how.warnings)


@pytest.mark.parametrize("prior", [pytest.param("tv", marks=pytest.mark.slow), "drunet"])
def test_an_unsound_result_gets_a_larger_weight(prior: str) -> None:
    """A sharp photograph with a blur that it does not have: no checkerboard, and a line."""
    sharp = torch.from_numpy(images.bundled().pixels[1:2, 28:60, 56:88])
    whole = torch.stack([sharp, ipx.degrade(sharp, op=BLUR, noise={"name": "gaussian"}, seed=1)])
    budget = 120 if prior == "tv" else None  # the schedule of a denoiser has its own length
    how = ipx.solve(whole, op=BLUR, prior=prior, iterations=budget)
    assert float(ipx.psnr(how.x[:1], sharp[None])) > LEAST
    assert any("a larger one is taken" in line for line in how.warnings)
    alone = ipx.solve(whole[1:], op=BLUR, prior=prior, iterations=budget)
    assert how.lam is not None
    assert alone.lam is not None
    assert how.lam[1] == pytest.approx(alone.lam[0], rel=1e-3)
    assert alone.warnings == []


@pytest.mark.parametrize("unit", [1e38, 1e-38])
def test_data_beyond_the_range_of_their_squares_are_refused(unit: float) -> None:
    with pytest.raises(ipx.InputError, match=r"nominally in \[0, 1\]: divide the data by it"):
        ipx.solve(unit * data(), op=BLUR, prior="tv")


def test_data_fitted_below_a_noise_level_that_was_given() -> None:
    noise = {"name": "gaussian", "sigma": 0.1}
    how = ipx.solve(data(0.1), noise=noise, prior="tv", lam=1e-3)
    line = "the data are fitted far below the noise level: the weight of the prior is too small"
    assert how.warnings == [line]
    assert not ipx.solve(data(0.1), noise=noise, prior="tv").warnings


def test_a_clean_photograph_that_is_denoised_is_told() -> None:
    """Its texture counts as noise: 50 dB are left of a perfect input."""
    clean = torch.from_numpy(images.bundled().pixels[:, 20:84, 40:104])
    told = "for which fine texture can be mistaken"
    for prior, solver in (("bm3d", "auto"), ("none", "unrolled-admm")):
        assert any(told in line for line in ipx.solve(clean, prior=prior, solver=solver).warnings)
    still = ipx.solve(clean, prior="tv")  # it hardly changes anything
    assert float(ipx.psnr(still.x, clean[None])) > 60
    assert not still.warnings
    noise = {"name": "gaussian", "sigma": 0.004}
    assert not ipx.solve(clean, prior="bm3d", noise=noise).warnings
    noisy = ipx.degrade(clean, noise={"name": "gaussian", "sigma": 0.03}, seed=0)
    assert not ipx.solve(noisy, prior="bm3d").warnings


def test_a_result_that_is_the_data_is_told() -> None:
    how = ipx.solve(data(), noise={"name": "gaussian", "sigma": 0.0}, prior="tv", lam=0.1)
    assert how.warnings == ["nothing was changed: the result is the degraded image"]


def test_an_inverted_mask_is_told(tmp_path: Path) -> None:
    grey = data(0.0)[0].clamp(0.1, 1).numpy()
    known = np.ones_like(grey)
    known[20:30, 20:40] = 0
    lone = np.zeros_like(grey)
    lone[5, 5] = 1
    colour = torch.from_numpy(np.stack([grey, grey.T, grey])[None])
    red = torch.tensor([1.0, 0.0, 0.0])[:, None, None]
    marked = torch.where(torch.from_numpy(known) > 0, colour, red)
    batch = torch.cat([colour, marked])
    for y, kept, told in (
        (grey * known, known, False),
        (grey * known, 1 - known, True),
        (grey * known, lone, False),
        (marked, known, False),
        (marked, 1 - known, True),
        (batch, 1 - known, True),
    ):
        np.save(tmp_path / "mask.npy", kept)
        op = {"name": "inpaint", "mask": str(tmp_path / "mask.npy")}
        noise = {"name": "gaussian", "sigma": 0.01}
        how = ipx.solve(
            y, op=op, noise=noise, prior="smooth", lam=0.01, iterations=3, doubtful="keep"
        )
        assert any("mask may be inverted" in line for line in how.warnings) == told


def test_noise_that_is_cut_off_is_told() -> None:
    """Half of the noise of a dark image is lost where a file has no negative values."""
    told = "noise is cut off at the end of the range, in 49 % of the values"
    points = torch.zeros(1, 64, 64)
    points[0, ::7, ::5] = 0.8
    noisy = ipx.degrade(points, noise={"name": "gaussian", "sigma": 0.02}, seed=0)
    assert told in "".join(ipx.solve(noisy.clamp(0, 1), prior="tv").warnings)
    halftone = (torch.rand(1, 64, 64, generator=torch.Generator().manual_seed(0)) < 0.3).float()
    for whole in (points, noisy, halftone):
        assert "cut off" not in "".join(ipx.solve(whole, prior="tv", lam=0.01).warnings)


def test_a_level_from_few_values_is_told() -> None:
    told = "the noise level is estimated from 400 values, and may be far off"
    noise = {"name": "gaussian", "sigma": 0.02}
    assert told in "".join(ipx.solve(data()[:, :20, :20], prior="tv").warnings)
    assert not ipx.solve(data()[:, :20, :20], prior="tv", noise=noise).warnings


def test_one_image_of_a_batch_that_is_unchanged() -> None:
    how = ipx.solve(torch.stack([data(), data(0.1)]), prior="tv")
    half = replace(how.result, x=torch.cat([how.before[:1], how.x[1:]]))
    told = "nothing was changed: the result is the degraded image"
    assert doubts(half, half.x, how.before, automatic=False) == ([told], [False, False])


def test_a_residual_that_no_weight_brings_to_the_noise_is_told() -> None:
    """White noise is no blurred image."""
    y = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0))
    how = ipx.solve(y, op={"name": "blur", "sigma": 3}, noise={"name": "gaussian", "sigma": 1e-3},
                    prior="smooth")  # fmt: skip
    assert any("none of the weights tried brings the residual" in line for line in how.warnings)


def test_a_result_that_is_surely_wrong_fails(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The line, the row, the record and the exit status say so; the file is written."""
    monkeypatch.chdir(tmp_path)
    images.write("y.png", data(0.05)[:, :48, :48].numpy(), dtype="uint8")
    words = ["solve", "y.png", "--op", "blur", "--op.sigma", "2.5", "--prior", "tv"]
    words += ["--lam", "1e-7", "--iterations", "400", "--tol", "1e-6", "--json", "-o", "x.png"]
    told: Any = CliRunner().invoke(cli, words)
    assert told.exit_code == 1
    assert "x.png is surely wrong: much of it lies far outside the range" in told.stderr
    row = json.loads(told.stdout)
    assert row["status"] == "doubtful"
    assert row["warnings"] == json.loads(Path("x.png.json").read_text())["result"]["warnings"]
    assert Path("x.png").is_file()


def test_noise_of_a_back_projection_does_not_hide_an_unsound_result() -> None:
    """The result was as far outside [0, 1] as the noise of the back-projection: 12 dB."""
    x = torch.from_numpy(images.bundled().pixels[None, 1:2, 20:116, 40:136])
    noise = {"name": "gaussian", "sigma": 0.1}
    y = ipx.degrade(x, op="tomography", noise=noise, seed=1)
    how = ipx.solve(
        y, op="tomography", noise=noise, prior="drunet", start="preview", doubtful="keep"
    )
    assert "then larger, since the result was unsound" in how.rule
    assert float(ipx.psnr(how.x, x)) > float(ipx.psnr(how.before, x)) + 6
