"""Mistakes of users: one clear line, nothing lost, nothing half written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image

import ipx
from ipx.files.arrays import to_tensor
from ipx.host.scaffold import create_plugin
from ipx_cli.main import cli

FLAT = np.full((16, 16), 0.5)


def call(*words: str) -> tuple[int, str]:
    done = CliRunner().invoke(cli, list(words))
    return done.exit_code, done.output


def save(path: Path, side: int = 16, level: int = 128, channels: int = 1) -> Path:
    """A grey or coloured picture with a bright square."""
    pixels = np.full((side, side, channels), level, np.uint8)
    pixels[4:9, 4:9] = 250
    Image.fromarray(pixels.squeeze()).save(path)
    return path


DTYPES = "float32, float64, uint8, uint16"


@pytest.mark.parametrize(
    ("how", "line"),
    [
        ({"dtype": torch.int32}, f"dtype must be one of {DTYPES}, not 'int32'"),
        ({"dtype": "float16"}, f"dtype must be one of {DTYPES}, not 'float16'"),
        ({"device": "foo"}, "device foo cannot be used; take auto, cpu, cuda or mps"),
        ({"device": "meta"}, "device meta cannot be used"),
        ({"tol": float("nan")}, "tol must be >= 0, not nan"),
        ({"tol": -1}, "tol must be >= 0, not -1"),
        ({"tol": "a"}, "tol must be a number, not 'a'"),
        ({"iterations": 0}, "iterations must be >= 1 and <= 1e+07, not 0"),
        ({"iterations": 2.5}, "iterations must be a whole number, not 2.5"),
        ({"restarts": 0}, "restarts must be >= 1 and <= 1000, not 0"),
        ({"seed": 2**63}, "seed must be below 2^63 in size, not 9223372036854775808"),
        ({"keep": "foo"}, "keep must be last or best, not 'foo'"),
        ({"start": 3}, "start must be text, not 3"),
        ({"tuner": "foo", "lam": 0.1}, "no tuner is called foo"),
        ({"lam": None}, "lam must be a number >= 0 or auto, not None"),
        ({"prior": ipx.operator("blur", (1, 16, 16))}, "Blur is not of kind prior"),
        (
            {"op": 5},
            "operator: give a name, a table with a name, or an instance of a subclass of "
            "ipx.Operator, not 5",
        ),
    ],
)
def test_arguments_of_solve_are_checked(how: dict[str, Any], line: str) -> None:
    with pytest.raises(ipx.IpxError) as caught:
        ipx.solve(FLAT, **{"prior": "tv", **how})
    assert line in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_seed_that_generators_do_not_take() -> None:
    with pytest.raises(ipx.OptionError, match=r"seed must be below 2\^63 in size"):
        ipx.degrade(FLAT, seed=2**63)


def test_data_of_several_channels_of_a_grey_array_come_back_in_its_layout() -> None:
    """(H, W) gives (H, W, 2) Fourier data, which are read in the same way."""
    x = np.random.default_rng(0).random((24, 32))
    how: dict[str, Any] = {
        "op": {"name": "fourier", "share": 1.0},
        "noise": {"name": "gaussian", "sigma": 0.0},
    }
    y = ipx.degrade(x, **how)
    assert y.shape == (24, 32, 2)
    again = ipx.solve(y, **how, prior="tv", lam=1e-6)
    assert np.abs(again.image[..., 0] - x).max() < 1e-3


@pytest.mark.parametrize("kind", ["u1", ">u2", ">f4", ">f8", "i8", "u8"])
def test_every_order_of_bytes_and_the_largest_values(kind: str) -> None:
    top = np.iinfo(kind).max if kind[-2] in "ui" else 1.0
    image = np.array([[0, top], [top, 0]], dtype=kind)
    t, back = to_tensor(image)
    assert t.flatten().tolist() == [0.0, 1.0, 1.0, 0.0]
    same = back(t)
    assert same.dtype == image.dtype
    assert (same == 0).tolist() == (image == 0).tolist()
    assert float(same.max()) >= 0.999999 * float(top)


def test_wide_integers_of_torch_come_back() -> None:
    image = torch.tensor([[0, 2**31 - 1]], dtype=torch.int32)
    t, back = to_tensor(image)
    assert torch.equal(back(t), image)


def test_the_demonstration_replaces_no_picture_of_the_user(tmp_path: Path) -> None:
    words = ["solve", "--op", "blur", "--prior", "tikhonov", "--lam", "0.1", "-q", "-o"]
    kept = {}
    for name in ("truth.png", "degraded.tif", "panel.png", "restored.png"):
        mine = tmp_path / name  # alone in the folder
        save(tmp_path / "x.png").rename(mine)
        kept[name] = mine.read_bytes()
        code, told = call(*words, str(tmp_path))
        assert code == 2
        assert f"{mine} exists and was not written by ipx; --force replaces it" in told
        assert [p.name for p in tmp_path.iterdir()] == [name]
        assert mine.read_bytes() == kept[name]
        mine.unlink()
    for name, pixels in kept.items():
        (tmp_path / name).write_bytes(pixels)
    assert call(*words, str(tmp_path), "--force")[0] == 0
    for name, pixels in kept.items():
        assert (tmp_path / name).read_bytes() != pixels
    assert call(*words, str(tmp_path))[0] == 0  # now they are ipx's own


def test_the_demonstration_writes_to_a_folder(tmp_path: Path) -> None:
    code, told = call("solve", "-o", str(tmp_path / "x.png"))
    assert code == 2
    assert "must be a folder" in told
    assert not (tmp_path / "x.png").exists()


def test_a_panel_replaces_only_its_own(tmp_path: Path) -> None:
    source, mine = save(tmp_path / "y.png"), save(tmp_path / "mine.png")
    before = mine.read_bytes()
    words = ["solve", str(source), "--lam", "0.1", "-q", "-o", str(tmp_path / "x.png"), "--panel"]
    code, told = call(*words, str(mine))
    assert code == 2
    assert "--force replaces it" in told
    assert mine.read_bytes() == before
    assert not (tmp_path / "x.png").exists()
    assert call(*words, str(mine), "--force")[0] == 0
    assert call(*words, str(mine))[0] == 0
    for bad in ("p.gif", "p.npy"):
        code, told = call(*words[:6], str(tmp_path / "z.png"), "--panel", str(tmp_path / bad))
        assert code == 3
        assert "a panel is written as .png, .tif, .jpg or .webp" in told
        assert not (tmp_path / "z.png").exists()


def test_resume_does_again_what_lacks_a_panel_or_a_truth(tmp_path: Path) -> None:
    source, sheet = save(tmp_path / "y.png"), tmp_path / "sheet.png"
    words = ["solve", str(source), "--lam", "0.1", "-o", str(tmp_path / "x.png"), "--resume"]
    assert call(*words)[0] == 0
    assert "skipped" in call(*words)[1]
    code, told = call(*words, "--panel", str(sheet))
    assert code == 0
    assert "skipped" not in told
    assert sheet.is_file()
    assert "skipped" in call(*words, "--panel", str(sheet))[1]
    told = call(*words, "--truth", str(source), "--panel", str(sheet))[1]
    assert "PSNR" in told
    wrong = save(tmp_path / "wrong.png", side=12)
    assert call(*words, "--truth", str(wrong))[0] == 3


@pytest.mark.parametrize(
    "words",
    [
        "--op blur --op.sigma inf",
        "--noise.sigma inf",
        "--tol nan",
        "--lam nan",
        "--seed 99999999999999999999",
        "--op inpaint --op.seed 99999999999999999999",
    ],
)
def test_numbers_that_are_none(tmp_path: Path, words: str) -> None:
    code, told = call("solve", str(save(tmp_path / "y.png")), *words.split())
    assert code == 2
    assert told.count("\n") == 1
    assert "bug" not in told
    assert [p.name for p in tmp_path.iterdir()] == ["y.png"]


def test_a_fraction_of_a_step_in_a_configuration(tmp_path: Path) -> None:
    (tmp_path / "c.toml").write_text("iterations = 2.5\n")
    words = ["solve", str(save(tmp_path / "y.png")), "--config", str(tmp_path / "c.toml")]
    code, told = call(*words)
    assert code == 3
    assert "c.toml: option iterations must be a whole number, not 2.5" in told


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ("--crop 32", "this model is for images of 64 x 64"),
        ("--validation-crop 128", "this model is for images of 64 x 64"),
        ("--betas 1,0.9", "betas"),
        ("--lr inf", "lr"),
    ],
)
def test_a_training_that_could_not_end_is_refused_at_once(
    tmp_path: Path, more: str, line: str
) -> None:
    for i in range(2):
        save(tmp_path / f"{i}.png", side=128, channels=3)
    target = tmp_path / "w.safetensors"
    words = f"train vae --data {tmp_path} --hold-out 1.png --steps 1 --batch 2 -q -o {target}"
    code, told = call(*words.split(), *more.split())
    assert code == 2
    assert line in told
    assert not target.exists()
    assert not target.with_name("w.safetensors.state").exists()


def test_a_model_of_one_size_is_validated_on_that_size(tmp_path: Path) -> None:
    for i in range(2):
        save(tmp_path / f"{i}.png", side=64, channels=3)
    words = (
        f"train vae --data {tmp_path} --hold-out 1.png --steps 1 --batch 2 -q "
        f"--model.size 16 --model.width 4 --model.latent 4 -o {tmp_path}/w.safetensors"
    )
    code, told = call(*words.split())
    assert code == 0, told
    card = json.loads((tmp_path / "w.safetensors.json").read_text())
    assert '"crop": 16' in json.dumps(card)  # it follows the size of the model


def test_a_network_says_what_it_is_for_whatever_the_size(tmp_path: Path) -> None:
    y = np.random.default_rng(0).random((31, 21))
    with pytest.raises(ipx.PlanError, match="was trained for super-resolution factor=2"):
        ipx.solve(
            y,
            op={"name": "super-resolution", "factor": 3},
            noise={"name": "gaussian", "sigma": 0},
            solver="feedforward",
        )


def test_a_regression_network_for_another_operator_draws_none_of_its_options() -> None:
    assert ipx.model("unet", op="blur").options.ranges == ()
    assert ipx.model("unet").multiple == 4


@pytest.mark.parametrize("name", ["import", "json", "blur"])
def test_names_that_no_plugin_can_have(tmp_path: Path, name: str) -> None:
    with pytest.raises(ipx.OptionError):
        create_plugin(name, tmp_path)
    assert not list(tmp_path.iterdir())


def test_a_picture_is_no_weights(tmp_path: Path) -> None:
    picture = save(tmp_path / "y.png")
    words = ["solve", str(picture), "--prior", "drunet", "--prior.weights", str(picture)]
    code, told = call(*words)
    assert code == 3
    assert "is not a weights file: no card y.png.json" in told
