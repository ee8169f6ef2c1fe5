"""The training loop, its data, checkpoints and weights, on models of a few parameters."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor, nn

import ipx
from ipx.errors import InputError, MissingExtraError, UsageError
from ipx.record import read_record, record_path
from ipx.training import Data, Training, loop
from ipx.training.data import Pictures
from ipx.weights import load_weights, save_weights
from ipx_cli.main import cli


class Mean(ipx.Model[ipx.NoOptions]):
    """Learns the mean picture: the loss has a known minimum."""

    colors = 1

    def network(self) -> nn.Module:
        return Constant()

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        return (net.level - batch).square().mean()


class Constant(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.level = nn.Parameter(torch.rand(1, 1, 1))


class Noisy(Mean):
    """Uses the generator, as denoisers do."""

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        return (net.level - batch - torch.randn(batch.shape, generator=rng)).square().mean()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Twelve grey pictures of 24 x 32; number i has the level 10 i, but a little texture."""
    where = tmp_path / "pictures"
    where.mkdir()
    for i in range(12):
        texture = np.random.default_rng(i).integers(0, 5, (24, 32))
        Image.fromarray((10 * i + texture).astype(np.uint8)).save(where / f"{i:02d}.png")
    return where


def data(folder: Path, **values: object) -> Data:
    return Data(**{"data": folder, "crop": 8, "hold_out": ("03", "1?"), **values})


def quick(**values: object) -> Training:
    fast = {"steps": 12, "batch": 4, "warmup": 2, "validate_every": 4, "save_every": 3}
    return Training(**{**fast, "lr": 0.05, **values})


# ---------------------------------------------------------------- the loop


def test_finds_the_minimum(folder: Path, tmp_path: Path) -> None:
    rare = quick(steps=300, batch=8, validate_every=100, save_every=100)
    told = data(folder, hold_out=("05", "06"))
    card = loop.train(Mean(), "t/mean", told, tmp_path / "a.safetensors", rare)
    level = (10 * 5.5 + 2) / 255  # the mean of the training pictures

    found = float(safetensors.torch.load_file(tmp_path / "a.safetensors")["level"])
    held = card["history"][-1]["loss"]
    assert found == pytest.approx(level, abs=0.02)
    truth = np.mean([((10 * i + 2) / 255 - found) ** 2 for i in (5, 6)])
    assert held == pytest.approx(truth, abs=1e-4)
    assert card["images_seen"] == 2400
    assert card["data_settings"]["train"] == 10
    assert not (tmp_path / "a.safetensors.state").exists()


class KilledError(Exception):
    """As a power cut."""


@pytest.mark.parametrize("killed_at", [2, 7, 10])
def test_resumed_gives_the_same_bits(folder: Path, tmp_path: Path, killed_at: int) -> None:
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    first = loop.train(Noisy(), "t/noisy", data(folder), whole, quick())

    def kill(tick: loop.Tick) -> None:
        if tick.step == killed_at:
            raise KilledError

    with pytest.raises(KilledError):
        loop.train(Noisy(), "t/noisy", data(folder), parts, quick(), watch=loop.Watch(tick=kill))
    state = tmp_path / "parts.safetensors.state"
    assert state.exists() == (killed_at > 3)
    if state.exists():
        with pytest.raises(UsageError, match="--resume"):
            loop.train(Noisy(), "t/noisy", data(folder), parts, quick())
        with pytest.raises(UsageError, match=r"lr was 0\.05, is 0\.06"):
            loop.train(Noisy(), "t/noisy", data(folder), parts, quick(lr=0.06), resume=True)
    second = loop.train(Noisy(), "t/noisy", data(folder), parts, quick(), resume=True)
    assert whole.read_bytes() == parts.read_bytes()
    assert first["history"] == second["history"]
    assert read_record(record_path(whole))["sha256"] == read_record(record_path(parts))["sha256"]


def test_the_seed_decides(folder: Path, tmp_path: Path) -> None:
    torch.manual_seed(5)
    before = torch.get_rng_state()
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        loop.train(Noisy(), "t/n", data(folder), tmp_path / f"{name}.safetensors", quick(seed=seed))
    a, b, c = ((tmp_path / f"{n}.safetensors").read_bytes() for n in "abc")
    assert a == b != c
    assert torch.equal(torch.get_rng_state(), before)


class Breaks(Mean):
    """Not finite whenever the first pixel of the crop is even."""

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        odd = (batch[0, 0, 0, 0] * 255).round() % 2
        return super().loss(net, batch, rng) * (1.0 if odd or not net.training else torch.nan)


def test_steps_that_are_not_finite_are_left_out(folder: Path, tmp_path: Path) -> None:
    card = loop.train(Breaks(), "t/b", data(folder), tmp_path / "a.safetensors", quick(steps=40))
    assert 5 < card["skipped"] < 35
    assert np.isfinite(card["score"]["held_out"])


class Hopeless(Mean):
    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        return net.level.sum() * torch.nan


def test_a_diverged_run_says_so(folder: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no finite gradient"):
        loop.train(Hopeless(), "t/h", data(folder), tmp_path / "a.safetensors", quick(steps=200))


class Worsens(Mean):
    """Its score is worse each time."""

    calls = 0

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        Worsens.calls += 1
        return {"loss": torch.full((batch.shape[0],), float(Worsens.calls))}


def test_early_stop_keeps_the_best(folder: Path, tmp_path: Path) -> None:
    card = loop.train(
        Worsens(), "t/w", data(folder), tmp_path / "a.safetensors", quick(steps=100, patience=2)
    )
    assert card["steps"] == 12
    assert card["score"]["step"] == 4


class Pair(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.left = nn.Parameter(torch.zeros(1))
        self.right = nn.Parameter(torch.zeros(1))
        self.register_buffer("first", torch.zeros(1))


class Rivals(Mean):
    """Two parts, as an adversarial model has: left follows the data, right follows left."""

    def network(self) -> nn.Module:
        return Pair()

    def initialise(self, net: nn.Module, batch: Tensor) -> None:
        net.first.fill_(1.0)
        net.left.fill_(batch.mean())

    def parts(self, net: nn.Module) -> Mapping[str, Iterable[nn.Parameter]]:
        return {"left": [net.left], "right": [net.right]}

    def part_loss(
        self, part: str, net: nn.Module, batch: Tensor, rng: torch.Generator
    ) -> dict[str, Tensor]:
        # left would run away if it were moved by the loss of right
        losses = {
            "left": (net.left - 0.5).square().sum(),
            "right": (net.right + net.left).square().sum(),
        }
        return {part: losses[part], "shown": batch.mean()}

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        assert float(net.first) == 1.0
        gap = (net.left - 0.5).abs() + (net.right + 0.5).abs()
        return {"loss": gap.detach().expand(batch.shape[0])}


class Finished(Mean):
    """Puts a level into the trained weights."""

    def __init__(self, level: float | None) -> None:
        super().__init__()
        self.level = level

    def finish(self, net: nn.Module, pictures: Iterable[Tensor]) -> bool:
        shown = torch.cat(list(pictures))
        assert len(shown) >= loop.LAST_LOOK
        net.level.fill_(float(shown.mean()) if self.level is None else self.level)
        return True


@pytest.mark.parametrize(("level", "kept"), [(None, True), (5.0, False)])
def test_a_finish_is_kept_if_it_scores_better(
    folder: Path, tmp_path: Path, level: float | None, kept: bool
) -> None:
    out = tmp_path / "a.safetensors"
    few = quick(steps=1, lr=1e-9)
    card = loop.train(Finished(level), "t/f", data(folder), out, few)
    assert bool(card["history"][-1].get("finished")) is kept
    assert len(card["history"]) == 1 + kept
    if kept:
        assert card["score"]["held_out"] == card["history"][-1]["loss"]
        assert card["score"]["held_out"] < card["history"][0]["loss"]
    found = float(safetensors.torch.load_file(out)["level"])
    assert (abs(found - 0.2) < 0.05) is kept


def test_several_optimisers_and_a_start_from_data(folder: Path, tmp_path: Path) -> None:
    card = loop.train(
        Rivals(),
        "t/r",
        data(folder),
        tmp_path / "a.safetensors",
        quick(steps=400, ema=0.9, validate_every=400, save_every=400),
    )
    assert card["score"]["held_out"] < 0.01


def test_rate() -> None:
    t = Training(steps=110, warmup=10, lr=1.0, final=0.1)
    assert loop.rate(t, 0) == 0.1
    assert loop.rate(t, 9) == loop.rate(t, 10) == 1.0
    assert loop.rate(t, 60) == pytest.approx(0.55)
    assert loop.rate(t, 110) == pytest.approx(0.1)
    assert loop.rate(Training(schedule="constant"), 50_000) == 1.0


SCRIPT = """
import sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from test_training import Mean, data, quick
from ipx.training import loop
loop.train(Mean(), "t/mean", data(Path({folder!r})), Path({output!r}), quick())
"""


@pytest.mark.slow
def test_two_processes_do_what_one_does(folder: Path, tmp_path: Path) -> None:
    """Without random losses, two halves of a batch make the step of the whole."""
    one, two = tmp_path / "one.safetensors", tmp_path / "two.safetensors"
    loop.train(Mean(), "t/mean", data(folder), one, quick())
    script = tmp_path / "go.py"
    tests = str(Path(__file__).parent)
    script.write_text(SCRIPT.format(tests=tests, folder=str(folder), output=str(two)))
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    done = subprocess.run(
        [*command, "--nproc-per-node", "2", str(script)],
        capture_output=True,
        text=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    assert done.returncode == 0, done.stderr
    a, b = (float(safetensors.torch.load_file(p)["level"]) for p in (one, two))
    assert a == pytest.approx(b, rel=1e-5)


# ---------------------------------------------------------------- data


def test_crops_are_in_proportion_to_area(tmp_path: Path) -> None:
    for name, side, level in (("a", 10, 0), ("b", 20, 100), ("c", 20, 200)):
        pixels = np.full((side, side), level, np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "too-small.png")
    few = {"data": tmp_path, "crop": 6, "hold_out": ("a",)}
    both = Pictures(Data(**few), 1).batch(0, 0, 4000)[:, 0, 0, 0]
    assert float((both == 100).float().mean()) == pytest.approx(0.5, abs=0.04)
    some = Pictures(Data(**few, limit=("b=0.2",)), 1).batch(0, 0, 4000)[:, 0, 0, 0]
    assert float((some == 100).float().mean()) == pytest.approx(0.2, abs=0.03)
    rest = {**few, "hold_out": ("c",)}
    share = Pictures(Data(**rest), 1).batch(0, 0, 4000)[:, 0, 0, 0]
    assert float((share == 0).float().mean()) == pytest.approx(0.2, abs=0.03)
    for wrong in ("b", "b=2", "z=0.5", "*=0.5"):
        with pytest.raises(UsageError, match="limit"):
            Pictures(Data(**few, limit=(wrong,)), 1)
    with pytest.raises(UsageError, match="hold-out z"):
        Pictures(Data(**{**few, "hold_out": ("z",)}), 1)
    with pytest.raises(InputError, match="no picture of at least 64"):
        Pictures(Data(data=tmp_path), 1)


def test_processes_share_a_batch(folder: Path) -> None:
    pictures = Pictures(data(folder), 1)
    whole = pictures.batch(3, 7, 6)
    parts = [pictures.batch(3, 7, 6, rank, 2) for rank in (0, 1)]
    assert torch.equal(whole[0::2], parts[0])
    assert torch.equal(whole[1::2], parts[1])
    assert not torch.equal(whole, pictures.batch(3, 8, 6))


def test_the_last_many_are_held_out(folder: Path) -> None:
    assert [n for n, _ in Pictures(data(folder, hold_out=("last:2",)), 1).held] == [
        "10.png",
        "11.png",
    ]
    assert [n for n, _ in Pictures(data(folder, hold_out=()), 1).held] == ["11.png"]
    left = Pictures(data(folder, exclude=("00", "1?.png"), hold_out=("03",)), 1)
    assert len(left.train) == 8


def test_tiles(tmp_path: Path) -> None:
    mosaic = np.zeros((16, 24, 3), np.uint8)
    for i in range(5):  # the sixth stays black
        top, left = 8 * (i // 3), 8 * (i % 3)
        mosaic[top : top + 8, left : left + 8] = (i + 1, 50, 100)
    Image.fromarray(mosaic).save(tmp_path / "m.webp", lossless=True)
    found = Pictures(Data(data=tmp_path, crop=8, tiles=8, hold_out=("last:1",)), 3)
    assert [int(p[0, 0, 0]) for _, p in found.train] == [1, 2, 3, 4]
    assert [int(p[0, 0, 0]) for _, p in found.held] == [5]
    assert found.train[0][1].shape == (3, 8, 8)
    with pytest.raises(InputError, match="no mosaic of tiles of 7"):
        Pictures(Data(data=tmp_path, crop=7, tiles=7), 3)


def test_arrays_and_colours(tmp_path: Path) -> None:
    colour = np.zeros((4, 9, 8, 3), np.uint8)
    colour[..., 1] = 100
    np.savez(tmp_path / "a.npz", colour)
    np.save(tmp_path / "b.npy", (colour / 255.0).astype(np.float32).transpose(0, 3, 1, 2))
    for name in ("a.npz", "b.npy"):
        read = {"data": tmp_path / name, "crop": 8, "hold_out": ("last:1",)}
        assert Pictures(Data(**read), 3).train[0][1][:, 0, 0].tolist() == [0, 100, 0]
        assert Pictures(Data(**read), 1).train[0][1][:, 0, 0].tolist() == [59]  # 0.587 x 100
    np.save(tmp_path / "c.npy", np.zeros((4, 9, 8)) + 0.5)
    read = {"data": tmp_path / "c.npy", "crop": 8, "hold_out": ("last:1",)}
    assert Pictures(Data(**read), 3).train[0][1][:, 0, 0].tolist() == [128] * 3
    np.save(tmp_path / "d.npy", np.zeros((4, 9, 8), np.int32))
    np.save(tmp_path / "e.npy", np.array([{}]), allow_pickle=True)
    for name, why in (("d.npy", "int32"), ("e.npy", "cannot be read"), ("f.txt", "neither")):
        with pytest.raises(InputError, match=why):
            Pictures(Data(data=tmp_path / name, crop=8), 1)


def test_turned_and_mirrored(tmp_path: Path) -> None:
    pixels = np.arange(64, dtype=np.uint8).reshape(8, 8)
    for name in "ab":
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    for how, many in (("all", 8), ("mirror", 2), ("none", 1)):
        told = Data(data=tmp_path, crop=8, augment=how, hold_out=("a",))
        crops = Pictures(told, 1).batch(0, 0, 100)
        assert len({c.numpy().tobytes() for c in crops}) == many


def test_shrunk_crops_are_means(tmp_path: Path) -> None:
    pixels = np.tile(np.array([[0, 100], [100, 200]], np.uint8), (16, 16))
    for name in "ab":
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    told = Data(data=tmp_path, crop=8, shrink=1.0, hold_out=("a",))
    crops = Pictures(told, 1).batch(0, 0, 20)
    assert crops.shape == (20, 1, 8, 8)
    assert set(crops.unique().tolist()) <= {100}


# ---------------------------------------------------------------- weights


@pytest.fixture
def tiny(tmp_path: Path) -> Path:
    """Untrained weights of a small DnCNN."""
    model = ipx.model("dncnn", width=4, depth=3)
    path = tmp_path / "tiny.safetensors"
    card = {"model": "denoisers/dncnn", "options": model.options.to_mapping()}
    with torch.random.fork_rng():
        save_weights(path, model.network().state_dict(), card)
    return path


def test_weights_round_trip(tiny: Path) -> None:
    loaded = load_weights(tiny, "dncnn")
    assert loaded.model.options.width == 4
    x, level = torch.rand(1, 1, 8, 8), torch.full((1, 1, 1, 1), 0.1)
    assert torch.equal(loaded.network()(x, level), loaded.network()(x, level))
    assert not any(p.requires_grad for p in loaded.network().parameters())


def test_a_flipped_byte_is_noticed(tiny: Path) -> None:
    damaged = bytearray(tiny.read_bytes())
    damaged[-3] ^= 1
    tiny.write_bytes(damaged)
    with pytest.raises(InputError, match="is damaged: its sha256") as e:
        load_weights(tiny, "dncnn")
    assert "\n" not in str(e.value)


def test_weights_that_do_not_fit(tiny: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="of denoisers/dncnn, not of denoisers/ffdnet"):
        load_weights(tiny, "ffdnet")
    card = read_record(record_path(tiny))
    tensors = load_weights(tiny, "dncnn").tensors
    for change, why in (({"width": 5}, "do not fit"), ({"nothing": 5}, "unknown option nothing")):
        wrong = {**card, "options": {**card["options"], **change}}
        save_weights(tmp_path / "b.safetensors", tensors, wrong)
        with pytest.raises(InputError, match=why):
            load_weights(tmp_path / "b.safetensors", "dncnn")
    with pytest.raises(InputError, match="not finite"):
        save_weights(tmp_path / "c.safetensors", {"a": torch.tensor([1e6])}, card, half=True)
    record_path(tiny).unlink()
    with pytest.raises(InputError, match="cannot be read"):
        load_weights(tiny, "dncnn")


def test_weights_that_are_not_there() -> None:
    with pytest.raises(MissingExtraError, match="ipx train dncnn") as e:
        load_weights("auto", "dncnn", 1)
    assert e.value.exit_code == 4
    with pytest.raises(UsageError, match="did you mean auto"):
        load_weights("atuo", "dncnn", 1)


# ---------------------------------------------------------------- the command line


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


# ---------------------------------------------------------------- the contract kit


class Forgets(Mean):
    """Draws from torch's own generator, and scores the batch as a whole."""

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        return (net.level - batch - torch.randn(batch.shape)).square().mean()

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        return {"loss": batch.mean()}


def test_the_kit_finds_what_is_wrong() -> None:
    from ipx.specs import ModelSpec
    from ipx.testing import run_checks

    told = {"name": "m", "summary": "One.", "plugin": "t"}
    good = ModelSpec(target=f"{__name__}:Mean", **told)
    assert all(r.ok for r in run_checks(good)), run_checks(good)
    bad = ModelSpec(target=f"{__name__}:Forgets", recipe={"steps": 0}, weights=("x",), **told)
    found = {r.name: r.message for r in run_checks(bad) if not r.ok}
    assert set(found) == {"loss", "validate", "recipe", "weights"}
    assert "another generator" in found["loss"]
    assert "not (B,)" in found["validate"]
