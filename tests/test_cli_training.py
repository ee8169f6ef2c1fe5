"""The command that trains a model."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from click.testing import CliRunner

import ipx
from ipx.files.record import read_record, record_path
from ipx_cli.main import cli


def test_train_and_use(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "net.safetensors"
    args = f"train dncnn --data {folder} --crop 16 --hold-out 03 --steps 3 --batch 2 -o {target}"
    small = ["--model.width", "4", "--model.depth", "3", "--half", "--licence", "CC0"]
    done = CliRunner().invoke(cli, [*args.split(), *small])
    assert done.exit_code == 0, done.output
    assert "psnr" in done.output
    card = read_record(record_path(target))
    assert card["licence"] == "CC0"
    assert card["options"]["width"] == 4
    x = torch.rand(1, 1, 9, 7)
    assert ipx.prior("dncnn", weights=str(target)).denoise(x, 0.1).shape == x.shape
    again = CliRunner().invoke(cli, [*args.split(), *small])
    assert again.exit_code == 2
    assert "--force" in again.output


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
