"""The training loop and its checkpoints, on models of a few parameters."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from PIL import Image
from torch import Tensor, nn

import ipx
from ipx.errors import InputError, UsageError
from ipx.files.record import read_record, record_path
from ipx.training import Data, Training, loop
from ipx.training.curve import learning_curve
from ipx.training.reports import TrainReporter
from ipx.training.settings import checkpoint_path


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


def data(folder: Path, **values: object) -> Data:
    return Data(**{"data": folder, "crop": 8, "hold_out": ("03", "1?"), **values})


def quick(**values: object) -> Training:
    fast = {"steps": 12, "batch": 4, "warmup": 2, "validate_every": 4, "save_every": 3}
    return Training(**{**fast, "lr": 0.05, **values})


class Decaying(Mean):
    """Notes what becomes of a number below the least normal one."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: set[float] = set()

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        self.seen.add(float(torch.full((1,), 1e-39).mul(1.0)))
        return super().loss(net, batch, rng)


def test_denormal_numbers_are_zero_while_training(folder: Path, tmp_path: Path) -> None:
    """Momenta that decay through them made a step three times as slow."""
    model = Decaying()
    loop.train(model, "t/decaying", data(folder), tmp_path / "a.safetensors", quick())
    assert model.seen == {0.0}
    assert float(torch.full((1,), 1e-39).mul(1.0)) > 0  # and afterwards they are numbers again


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


@pytest.mark.parametrize(
    ("killed_at", "optimiser"), [(2, "adamw"), (7, "adamw"), (10, "adamw"), (7, "muon")]
)
def test_resumed_gives_the_same_bits(
    folder: Path, tmp_path: Path, killed_at: int, optimiser: str
) -> None:
    told = quick(optimiser=optimiser)
    other = quick(optimiser=optimiser, lr=0.06)
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    first = loop.train(Noisy(), "t/noisy", data(folder), whole, told)

    def kill(tick: loop.Tick) -> None:
        if tick.step == killed_at:
            raise KilledError

    with pytest.raises(KilledError):
        loop.train(Noisy(), "t/noisy", data(folder), parts, told, reporter=TrainReporter(tick=kill))
    state = tmp_path / "parts.safetensors.state"
    assert state.exists() == (killed_at > 3)
    if state.exists():
        with pytest.raises(UsageError, match="--resume"):
            loop.train(Noisy(), "t/noisy", data(folder), parts, told)
        with pytest.raises(UsageError, match=r"lr was 0\.05, is 0\.06"):
            loop.train(
                Noisy(),
                "t/noisy",
                data(folder),
                parts,
                other,
                resume=True,
            )
    second = loop.train(Noisy(), "t/noisy", data(folder), parts, told, resume=True)
    assert whole.read_bytes() == parts.read_bytes()
    assert first["history"] == second["history"]
    assert read_record(record_path(whole))["sha256"] == read_record(record_path(parts))["sha256"]


def test_minutes_end_a_run_tidily(folder: Path, tmp_path: Path) -> None:
    """Ended after each step and gone on with: always weights, in the end those of a whole run."""
    whole, parts = tmp_path / "whole.safetensors", tmp_path / "parts.safetensors"
    loop.train(Noisy(), "t/noisy", data(folder), whole, quick(steps=6, validate_every=3))
    notes: list[str] = []
    told = TrainReporter(note=notes.append)
    for step in range(1, 7):
        short = quick(steps=6, validate_every=3, minutes=1e-9)
        card = loop.train(
            Noisy(), "t/noisy", data(folder), parts, short, resume=step > 1, reporter=told
        )
        assert (card["steps"], card["history"][-1]["step"]) == (step, step)
        assert read_record(record_path(parts))["steps"] == step
        assert Image.open(tmp_path / "parts.safetensors.png").size == (720, 600)
        assert (tmp_path / "parts.safetensors.state").exists() == (step < 6)
        assert notes[-1].endswith(f"at step {step} of 6; --resume goes on") == (step < 6)
    assert any("crops/s" in note for note in notes)
    assert whole.read_bytes() == parts.read_bytes()


def test_the_learning_curve_marks_the_best_step() -> None:
    """Values that are not finite are left out; a loss over decades has a logarithmic axis."""
    rows = [{"step": 10 * i, "psnr": 20 + i, "loss_now": 10.0**-i} for i in range(5)]
    rows.append({"step": 50, "psnr": float("nan"), "loss_now": float("inf")})
    rows.append({"step": 60, "psnr": None, "loss_now": None})  # NaN in a checkpoint
    drawn = Image.open(io.BytesIO(learning_curve(rows, "psnr", 40))).convert("RGB")
    pixels = np.asarray(drawn).astype(int)
    orange = np.argwhere((abs(pixels - (213, 94, 0)) < 9).all(-1))
    above, below = orange[orange[:, 0] < 300], orange[orange[:, 0] >= 300]
    assert above[:, 0].max() < 60  # the highest score
    assert below[:, 0].min() > 530  # the lowest loss
    assert abs(above[:, 1].mean() - below[:, 1].mean()) < 1
    blue = (abs(pixels[300:] - (0, 114, 178)) < 9).all(-1)
    columns = np.flatnonzero(blue.any(0))
    rows_of = [np.flatnonzero(blue[:, c]).mean() for c in columns[:: len(columns) // 4]]
    assert np.ptp(np.diff(rows_of)) < 3  # decades are equally far apart


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
    with pytest.raises(InputError, match="100 gradients in a row not finite"):
        loop.train(Hopeless(), "t/h", data(folder), tmp_path / "a.safetensors", quick(steps=200))
    assert not (tmp_path / "a.safetensors").exists()


class HopelessLater(Mean):
    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        late = float(self.taken >= 8)
        self.taken += 1
        return super().loss(net, batch, rng) + net.level.sum() * (torch.nan if late else 0.0)

    taken = 0


def test_a_diverged_run_leaves_its_best_weights(folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.safetensors"
    with pytest.raises(InputError, match="has the best weights until then, of step"):
        loop.train(HopelessLater(), "t/l", data(folder), output, quick(steps=200))
    assert json.loads(Path(f"{output}.json").read_text())["score"]["step"] <= 8
    assert output.exists()
    assert not checkpoint_path(output).exists()


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


# ---------------------------------------------------------------- the contract kit


class Forgets(Mean):
    """Draws from torch's own generator, and scores the batch as a whole."""

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        return (net.level - batch - torch.randn(batch.shape)).square().mean()

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> dict[str, Tensor]:
        return {"loss": batch.mean()}


def test_the_kit_finds_what_is_wrong() -> None:
    from ipx.declare.specs import ModelSpec
    from ipx.testing import run_checks

    told = {"name": "m", "summary": "One.", "plugin": "t"}
    good = ModelSpec(target=f"{__name__}:Mean", **told)
    assert all(r.ok for r in run_checks(good)), run_checks(good)
    bad = ModelSpec(target=f"{__name__}:Forgets", recipe={"steps": 0}, weights=("x",), **told)
    found = {r.name: r.message for r in run_checks(bad) if not r.ok}
    assert set(found) == {"loss", "validate", "recipe", "weights"}
    assert "another generator" in found["loss"]
    assert "not (B,)" in found["validate"]
