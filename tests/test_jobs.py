"""From file to file: named outputs, records, and what `ipx solve` is declared to take."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

import ipx
from command_line import call
from ipx.errors import InputError, UsageError
from ipx.files import images
from ipx.files.record import read_record, record_path, write_record
from ipx.jobs.reporter import Report, Reporter
from ipx.jobs.resume import finished
from ipx.jobs.solve import solve_file
from ipx.planning.request import CONCERNS, Request

REQUEST = Request(lam=0.05, settings=ipx.SolveSettings(iterations=6))


@pytest.fixture
def source(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """y.png: 32 x 32, grey, 8 bit, in the present folder."""
    monkeypatch.chdir(tmp_path)
    images.write("y.png", images.bundled().pixels[1:2, 30:62, 90:122])
    return Path("y.png")


# ---------------------------------------------------------------- named outputs


def test_every_output_is_written_and_listed(source: Path) -> None:
    seen: list[torch.Tensor] = []
    row = solve_file(
        REQUEST,
        source,
        Path("out/x.png"),
        observers=[ipx.Statistics(), lambda p: seen.append(p.x)],
    )
    names = {"restored": "out/x.png", "mean": "out/x-mean.tif", "std": "out/x-std.tif"}
    assert row["outputs"] == names
    assert read_record(record_path("out/x.png"))["result"]["outputs"] == names
    assert {p.name for p in Path("out").iterdir()} == {
        *("x.png", "x.png.json", "x-mean.tif", "x-std.tif")
    }
    iterates = torch.stack(seen)[:, 0]
    std = images.read("out/x-std.tif", (0, 1))
    assert std.dtype == "float32"
    np.testing.assert_allclose(std.pixels, iterates.std(0), atol=1e-5)
    np.testing.assert_allclose(images.read("out/x-mean.tif").pixels, iterates.mean(0), atol=1e-5)


def test_an_output_does_not_replace_what_it_does_not_own(source: Path) -> None:
    shutil.copy(source, "x-std.tif")
    before = Path("x-std.tif").read_bytes()
    with pytest.raises(UsageError, match=r"x-std\.tif exists and was not written with"):
        solve_file(REQUEST, source, Path("x.png"), observers=[ipx.Statistics()])
    assert Path("x-std.tif").read_bytes() == before
    assert not Path("x.png").exists()
    assert not Path("x-mean.tif").exists()
    for force in (True, False):  # its own from the second time on
        solve_file(REQUEST, source, Path("x.png"), observers=[ipx.Statistics()], force=force)
    assert Path("x-std.tif").read_bytes() != before


def test_statistics_are_of_the_final_solve_of_each_picture() -> None:
    y = torch.rand(2, 1, 1, 16, 16, generator=torch.Generator().manual_seed(0))
    statistics = ipx.Statistics()
    for picture in y:
        final: list[torch.Tensor] = []
        found = ipx.solve(
            picture,
            tol=0.02,
            observers=[statistics, lambda p, to=final: None if p.trial else to.append(p.x)],
        )
        torch.testing.assert_close(found.outputs["mean"], torch.stack(final).mean(0))


class Broken(ipx.Observer):
    """Makes an output that no file can hold."""

    def finish(self, result: ipx.Result) -> ipx.Result:
        result.outputs["wrong"] = result.x * torch.nan
        return result


def test_nothing_is_left_when_an_output_cannot_be_written(source: Path) -> None:
    with pytest.raises(InputError, match="NaN"):
        solve_file(REQUEST, source, Path("new/x.png"), observers=[ipx.Statistics(), Broken()])
    assert [p.name for p in Path().iterdir()] == ["y.png"]


def test_a_lost_output_is_made_again(source: Path) -> None:
    row = solve_file(REQUEST, source, Path("x.png"), observers=[ipx.Statistics()])
    assert finished("solve", REQUEST, source, Path("x.png")) == row
    Path("x-std.tif").unlink()
    assert finished("solve", REQUEST, source, Path("x.png")) is None


def test_reports_are_plain_numbers(source: Path) -> None:
    told: list[Report] = []
    request = Request(prior={"name": "tv"}, settings=ipx.SolveSettings(tol=0.01))
    solve_file(request, source, Path("x.png"), truth=source, reporter=Reporter(told.append))
    assert [r.phase for r in told[:3]] == ["reading", "noise level", "start"]
    first = told[3]
    assert (first.phase, first.trial) == ("choosing lam", 1)
    assert (
        first.trials == 2 * (12 + 8) + 2 * 14
    )  # of gcv, with a second search, then of discrepancy
    assert first.iteration >= 1
    assert first.psnr is not None
    assert first.objective is not None
    assert (first.usual, first.left, first.about) == (8, None, None)


# ---------------------------------------------------------------- settings, declared once


def test_every_setting_is_an_option_a_key_and_in_the_record(source: Path) -> None:
    infos = ipx.SolveSettings.infos()
    shown = call("solve", "--help").stdout
    for name in infos:
        assert f"--{name.replace('_', '-')} " in shown, name
    given = {"iterations": 7, "tol": 0.01, "start": "random", "restarts": 2, "keep": "best"}
    given |= {"exact": True, "seed": 5, "device": "cpu", "dtype": "float64", "memory": "ignore"}
    given |= {"estimate": "median", "interval": 80.0, "samples": 2, "claim": "mean(x) > 0"}
    given |= {"draws": 40, "chains": 3, "thin": 2, "warmup": 9}
    given |= {"axes": "TYX", "planes": "own", "tile": 64, "max_memory": "2GB"}
    given |= {"doubtful": "keep"}
    assert set(given) == set(infos), "say here a value of the new setting"
    lines = [f"{k} = {json.dumps(v)}" for k, v in given.items()]
    Path("run.toml").write_text("\n".join(lines))
    words = [
        word
        for name, value in given.items()
        for flag in (f"--{name.replace('_', '-')}",)
        for word in ([flag] if value is True else [flag, str(value)])
    ]
    for how in (["--config", "run.toml"], words):
        told = call("solve", "--dry-run", "--json", *how)
        assert told.exit_code == 0, told.stderr
        asked = json.loads(told.stdout)["request"]
        assert {name: asked[name] for name in infos} == given
    assert call("solve", source, "--lam", "0.05", "--iterations", "4", "-o", "x.png").exit_code == 0
    record = read_record("x.png.json")
    for part in ("requested", "config"):
        usual = ipx.SolveSettings(iterations=4).to_mapping()
        assert {name: record[part][name] for name in infos} == usual


def test_degrade_takes_the_settings_that_concern_it(source: Path) -> None:
    shown = call("degrade", "--help").stdout
    for name in ipx.SolveSettings.infos():
        assert (f"--{name} " in shown) == (name in CONCERNS["degrade"][1])
    told = call("degrade", source, "--seed", "3", "--json")
    assert json.loads(told.stdout)["seed"] == 3
    asked = read_record("y-degraded.tif.json")["requested"]
    assert list(asked) == ["op", "noise", *CONCERNS["degrade"][1]]


@pytest.mark.parametrize(
    ("line", "says"),
    [
        ("exact = 3", "exact must be true or false"),
        ("keep = 'worst'", "keep must be last or best"),
        ("seed = -1", "seed must be >= 0"),
        ("start = 3", "start must be text"),
        ("device = true", "device must be text"),
    ],
)
def test_a_setting_of_a_file_is_checked(source: Path, line: str, says: str) -> None:
    Path("run.toml").write_text(line)
    told = call("solve", source, "--config", "run.toml")
    assert told.exit_code == 3
    assert told.stderr.count("\n") == 1
    assert f"run.toml: option {says}" in told.stderr


def test_records_of_before_the_settings_load_and_resume(source: Path) -> None:
    words = ["solve", source, "--lam", "0.05", "--iterations", "4", "-o", "x.png"]
    assert call(*words).exit_code == 0
    first = Path("x.png").read_bytes()
    record = read_record("x.png.json")
    for part in ("requested", "config"):
        del record[part]["dtype"]
    del record["result"]["outputs"]
    write_record("x.png.json", record)
    assert "skipped" in call(*words, "--resume").stderr
    told = call("solve", "--config", "x.png.json", "-o", "again.png")
    assert told.exit_code == 0, told.stderr
    assert Path("again.png").read_bytes() == first


def test_a_scaled_operator_of_a_file(source: Path) -> None:
    Path("run.toml").write_text('[op]\nname = "blur"\nscale = 2.0\nsigma = 3\n')

    def asked(*words: str) -> dict[str, Any]:
        quick = ("--prior", "tv", "--lam", "0.01", "--iterations", "1")
        told = call("solve", source, "--config", "run.toml", *quick, "--dry-run", "--json", *words)
        assert told.exit_code == 0, told.stderr
        found: dict[str, Any] = json.loads(told.stdout)["request"]["op"]
        return found

    assert (asked()["scale"], asked()["sigma"]) == (2.0, 3.0)
    assert asked("--op.sigma", "1")["scale"] == 2.0
    assert "scale" not in asked("--op", "identity")


def test_a_truth_is_read_in_the_units_of_the_data(tmp_path: Path) -> None:
    """Each was scaled by its own range: counts and their noisy copy differed in unit."""
    clean = 1000 * images.bundled().pixels[1:2, :32, :32].astype(np.float64)
    noisy = clean + 50 * np.random.default_rng(0).standard_normal(clean.shape)
    for name, pixels in (("x.npy", clean), ("y.npy", noisy)):
        np.save(tmp_path / name, pixels[0])
    request = Request(prior={"name": "tv"}, lam=0.05)
    row = solve_file(request, tmp_path / "y.npy", tmp_path / "z.npy", truth=tmp_path / "x.npy")
    scale = images.read(tmp_path / "y.npy").scale
    assert row["psnr_before"] == pytest.approx(20 * np.log10(scale / 50), abs=0.3)
