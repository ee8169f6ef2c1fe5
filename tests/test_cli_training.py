"""The command that trains a model."""

from __future__ import annotations

import json
from contextlib import chdir
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import ipx
from ipx.files.record import read_record, record_path
from ipx_cli.main import cli


def test_train_and_use(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "net.safetensors"
    args = f"train dncnn --data {folder} --crop 16 --hold-out 03 --steps 3 --batch 2 -o {target}"
    small = [
        "--model.width",
        "4",
        "--model.depth",
        "3",
        "--half",
        "--licence",
        "CC0",
        "--suits",
        "face",
    ]
    done = CliRunner().invoke(cli, [*args.split(), *small])
    assert done.exit_code == 0, done.output
    assert "psnr" in done.output
    card = read_record(record_path(target))
    assert card["licence"] == "CC0"
    assert ipx.trained_for(target, "dncnn") == card["suits"] == "face"
    assert card["options"]["width"] == 4
    x = torch.rand(1, 1, 9, 7)
    assert ipx.prior("dncnn", weights=str(target)).denoise(x, 0.1).shape == x.shape
    again = CliRunner().invoke(cli, [*args.split(), *small])
    assert again.exit_code == 2
    assert "--force" in again.output
    short = CliRunner().invoke(cli, [*args.split(), *small, "--force", "--minutes", "1e-9"])
    assert "1e-09 min are over at step 1 of 3; --resume goes on" in short.output
    rest = CliRunner().invoke(cli, [*args.split(), *small, "--resume", "--minutes", "5"])
    assert rest.exit_code == 0, rest.output
    assert (tmp_path / "net.safetensors.png").is_file()
    assert read_record(record_path(target))["sha256"] == card["sha256"]


def test_an_additive_flow_is_trained_and_its_analysis_descends(tmp_path: Path) -> None:
    """The restoration is a minimum of f + lam |E(x)|^2, better than the data it began from."""
    small = torch.rand(24, 3, 4, 4, generator=torch.Generator().manual_seed(0))
    smooth = torch.nn.functional.interpolate(small, size=(16, 16), mode="bicubic").clamp(0, 1)
    np.save(tmp_path / "x.npy", smooth.numpy())
    target = tmp_path / "flow.safetensors"
    size = "--model.levels 2 --model.steps 2 --model.width 8 --model.coupling additive"
    args = f"train glow --data {tmp_path / 'x.npy'} --crop 16 --steps 40 --batch 8 --lr 0.005"
    rest = f"{size} --warmup 5 --ema 0.9 -o {target}"
    done = CliRunner().invoke(cli, [*args.split(), *rest.split()])
    assert done.exit_code == 0, done.output
    noise = {"name": "gaussian", "sigma": 0.1}
    y = ipx.degrade(smooth[:1], op="identity", noise=noise, seed=0)
    np.save(tmp_path / "y.npy", y[0].movedim(0, 2).numpy())
    solve = "solve y.npy --op identity --noise.sigma 0.1 --prior glow-analysis -o out.npy --json"
    with chdir(tmp_path):
        done = CliRunner().invoke(cli, [*solve.split(), "--prior.weights", str(target)])
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert (told["plan"]["solver"], told["status"]) == ("lbfgs", "converged")
    restored = torch.from_numpy(np.load(tmp_path / "out.npy")).movedim(2, 0)[None]
    assert float(ipx.psnr(restored, smooth[:1]) - ipx.psnr(y, smooth[:1])) > 3


@pytest.mark.parametrize(
    ("args", "code", "why"),
    [
        ("train", 2, "MODEL"),
        ("train nothing --data . -o a.safetensors", 2, "no model is called nothing"),
        ("train dncnn --data . -o a.txt", 2, "FILE.safetensors"),
        ("train dncnn --data . -o a.safetensors --steps 0", 2, ">= 1"),
        ("train dncnn --data . -o a.safetensors --model.colors 2", 2, "1 or 3"),
        ("train drunet --data . -o a.safetensors --crop 30", 2, "multiple of 8"),
        ("train dncnn --data gone -o a.safetensors", 3, "neither a folder"),
        ("train dncnn --data . -o a.safetensors --device marble", 2, "device marble"),
    ],
)
def test_mistakes_are_one_line(
    args: str, code: int, why: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(cli, args.split())
    assert done.exit_code == code, done.output
    assert why in done.output
    assert "Traceback" not in done.output
