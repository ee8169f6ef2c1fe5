"""Unrolled networks: trained and used from the command line, and those that come with ipx."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from skimage import color, data, transform
from torch import Tensor

import ipx
from ipx.parts.weights import save_weights
from ipx_cli.main import cli


@pytest.mark.usefixtures("noise_pictures")
def test_train_and_use_on_the_command_line(tmp_path: Path) -> None:
    weights = tmp_path / "w.safetensors"
    words = (
        f"train lista --data {tmp_path} -o {weights} --model.stages 2 --model.taps 3 -q "
        "--op inpaint,identity --noise gaussian --steps 3 --batch 2 --crop 32 --warmup 1 "
        "--hold-out 2.png --validate-every 3"
    )
    done = CliRunner().invoke(cli, words.split())
    assert done.exit_code == 0, done.output
    out = tmp_path / "out.png"
    words = f"solve {tmp_path}/0.png -o {out} --op blur --op.sigma 1 --solver lista -q --json"
    done = CliRunner().invoke(cli, [*words.split(), "--solver.weights", str(weights)])
    assert done.exit_code == 0, done.output
    assert '"solver": "lista"' in done.output
    assert out.exists()


def test_what_cannot_be_trained_for_is_refused(tmp_path: Path) -> None:
    """In one line, before anything is written."""
    for i in range(2):
        Image.fromarray(np.zeros((48, 48), dtype=np.uint8)).save(tmp_path / f"{i}.png")
    words = (
        f"train lista --data {tmp_path} -o {tmp_path}/w.safetensors --steps 1 --crop 32 "
        "--hold-out 1.png -q"
    )
    for more, status, line in (
        ("--op blr", 2, "did you mean blur?"),
        ("--noise poisson", 2, "must be gaussian, not 'poisson'"),
    ):
        done = CliRunner().invoke(cli, [*words.split(), *more.split()])
        assert done.exit_code == status
        assert line in done.output
        assert sorted(f.name for f in tmp_path.iterdir()) == ["0.png", "1.png"]


def test_colour_weights_need_colours(tmp_path: Path) -> None:
    model = ipx.model("unrolled-hqs", colors=3, prox="cnn", stages=2, widths=(4, 6), blocks=1)
    path = tmp_path / "w.safetensors"
    card = {"model": "unrolled/unrolled-hqs", "options": model.options.to_mapping()}
    save_weights(path, model.network().state_dict(), card)
    solver = {"name": "unrolled-hqs", "weights": str(path)}
    with pytest.raises(ipx.ShapeError, match="for 3 channels; the image has 1"):
        ipx.solve(torch.rand(2, 1, 16, 16), op="blur", solver=solver)
    how = ipx.solve(torch.rand(2, 1, 16, 16).expand(2, 3, 16, 16), op="blur", solver=solver)
    assert how.iterations == [2, 2]
    assert how.lam is None


def photograph(name: str) -> Tensor:
    """A picture of scikit-image, grey, 256 x 256."""
    image = getattr(data, name)()
    image = color.rgb2gray(image) if image.ndim == 3 else image / 255.0
    small = transform.resize(image, (256, 256), anti_aliasing=True)
    return torch.as_tensor(small, dtype=torch.float32)[None, None]


@pytest.mark.slow
@pytest.mark.parametrize("name", ["camera", "astronaut"])
@pytest.mark.parametrize("op", ["blur", "inpaint", "super-resolution"])
@pytest.mark.parametrize("sigma", [0.01, 0.03])
def test_the_shipped_network_beats_total_variation(name: str, op: str, sigma: float) -> None:
    """By 0.7 dB and more, TV with its automatic weight, the noise level told to both."""
    truth = photograph(name)
    noise = {"name": "gaussian", "sigma": sigma}
    y = ipx.degrade(truth, op=op, noise=noise, seed=1)
    mine = ipx.solve(y, op=op, noise=noise, solver="unrolled-admm")
    edges = ipx.solve(y, op=op, noise=noise, prior="tv")
    assert float(ipx.psnr(mine.x, truth)) > float(ipx.psnr(edges.x, truth)) + 0.7


def test_the_shipped_network_restores_the_bundled_picture(tmp_path: Path) -> None:
    """Without files, without weights, in colour, the noise estimated."""
    words = f"solve --op blur --solver unrolled-admm -o {tmp_path}/out --json -q"
    done = CliRunner().invoke(cli, words.split())
    assert done.exit_code == 0, done.output
    row = json.loads(done.output)
    assert row["psnr_after"] > row["psnr_before"] + 1.5
    assert row["iterations"] == 8
    assert row["lam"] is None
    assert row["plan"]["prior"] == "none"


def test_the_shipped_network_takes_any_size_and_precision() -> None:
    y = photograph("camera")[..., :45, :51]
    single = ipx.restore(y, op="inpaint", solver="unrolled-admm")
    double = ipx.restore(y.double(), op="inpaint", solver="unrolled-admm")
    assert double.dtype == torch.float64
    assert torch.allclose(single.double(), double, atol=1e-3)


@pytest.mark.slow
@pytest.mark.parametrize("op", ["blur", "inpaint", "super-resolution"])
def test_colour_weights_are_taken_for_colours_and_beat_total_variation(op: str) -> None:
    """By half a decibel, TV with its automatic weight; of the level of the grey ones."""
    big = torch.as_tensor(data.astronaut() / 255.0, dtype=torch.float32).permute(2, 0, 1)
    truth = big.unfold(1, 2, 2).unfold(2, 2, 2).mean((3, 4))[None]
    noise = {"name": "gaussian", "sigma": 0.02}
    y = ipx.degrade(truth, op=op, noise=noise, seed=1)
    scores = {}
    for weights in ("auto", "color", "grey"):
        solver = {"name": "unrolled-admm", "weights": weights}
        x = ipx.restore(y, op=op, noise=noise, solver=solver)
        scores[weights] = float(ipx.psnr(x, truth))
    edges = float(ipx.psnr(ipx.restore(y, op=op, noise=noise, prior="tv"), truth))
    assert scores["auto"] == scores["color"]
    assert scores["color"] > max(edges + 0.5, scores["grey"] - 0.3)


def test_line_art_is_not_smeared() -> None:
    """The result is no worse than data with little noise; the network alone is far worse."""
    x = torch.ones(1, 1, 96, 96)
    x[..., ::12, :] = 0
    x[..., range(96), range(96)] = 0
    noise = {"name": "gaussian", "sigma": 0.004}
    y = ipx.degrade(x, noise=noise, seed=1)
    how = ipx.solve(y, noise=noise, solver="unrolled-admm")
    assert float(ipx.psnr(how.x, x)) > float(ipx.psnr(y, x)) - 0.3


def test_a_level_that_is_told_too_low_is_not_fitted() -> None:
    """Steps towards the data went on until the noise was amplified: 11.7 dB for 27.8."""
    x = torch.from_numpy(data.camera()[160:224, 200:264] / 255.0).float()[None]
    blur = {"name": "blur", "sigma": 1.6}
    y = ipx.degrade(x, op=blur, noise={"name": "gaussian", "sigma": 0.02}, seed=1)
    right, low = (
        float(ipx.psnr(ipx.solve(y, op=blur, noise=noise, solver="unrolled-admm").x, x)[0])
        for noise in ({"name": "gaussian", "sigma": sigma} for sigma in (0.02, 0.016))
    )
    assert low > right - 0.5
