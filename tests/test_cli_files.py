"""The command line on real files: results, records, many inputs, bad input."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

import ipx.jobs.solve
from command_line import call
from ipx.errors import MemoryExhaustedError
from ipx.files import images
from ipx.files.depth import cut_off

KEYS = ["input", "output", "status", "plan", "lam", "rule", "sigma", "iterations", "seconds"]
METRICS = ["psnr_before", "psnr_after", "ssim_before", "ssim_after"]
FAST = ("--lam", "0.01", "--iterations", "4")
ROUGH = ("--tol", "0.005", "--tuner", "discrepancy", "--tuner.evaluations", "3")


def rows(told: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in told.stdout.splitlines()]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with clean.png (8 bit grey, 64 x 64) to work in."""
    monkeypatch.chdir(tmp_path)
    face = images.bundled().pixels[1:2, 20:84, 84:148]
    images.write(tmp_path / "clean.png", face)
    return tmp_path


@pytest.fixture
def degraded(folder: Path) -> Path:
    """y.tif: clean.png blurred and noisy."""
    args = ("--op", "blur", "--op.sigma", "1", "--noise.sigma", "0.02", "--seed", "3")
    assert call("degrade", "clean.png", *args, "-o", "y.tif").exit_code == 0
    return folder / "y.tif"


BLUR = ("--op", "blur", "--op.sigma", "1")


def test_degrade_then_solve(degraded: Path) -> None:
    y = images.read(degraded)
    assert y.dtype == "float32"
    again = call("degrade", "clean.png", *BLUR, "--noise.sigma", "0.02", "--seed", 3, "-o", "z.tif")
    assert again.exit_code == 0
    assert Path("z.tif").read_bytes() == degraded.read_bytes()
    call("degrade", "clean.png", *BLUR, "--noise.sigma", "0.02", "--seed", "4", "-o", "z.tif")
    assert Path("z.tif").read_bytes() != degraded.read_bytes()

    told = call(
        *("solve", degraded, *BLUR, *ROUGH, "-o", "x.tif", "--truth", "clean.png"),
        *("--panel", "panel.png", "--json"),
    )
    assert told.exit_code == 0, told.stderr
    (row,) = rows(told)
    assert list(row) == [*KEYS, *METRICS, "outputs", "warnings", "posterior"]
    assert row["outputs"] == {"restored": "x.tif"}
    assert row["status"] == "converged"
    assert row["psnr_after"] > row["psnr_before"] + 1
    assert row["ssim_after"] > row["ssim_before"]
    assert row["sigma"] == pytest.approx(0.02, rel=0.3)
    assert row["plan"]["prior"] == "tv"
    assert images.read("panel.png").shape[0] == 3
    assert images.read("x.tif").shape == y.shape
    assert not told.stderr  # nothing to say, and no progress off a terminal


def test_a_record_gives_the_same_bits(degraded: Path) -> None:
    assert call("solve", degraded, *BLUR, *ROUGH, "-o", "x.tif").exit_code == 0
    record = json.loads(Path("x.tif.json").read_text())
    assert record["command"] == "solve"
    assert record["argv"][0] == "solve"
    assert record["requested"]["lam"] == "auto"
    assert record["config"]["lam"] == record["result"]["lam"] > 0
    assert record["config"]["inputs"] == [str(degraded)]
    assert record["input"]["sha256"] == images.sha256(degraded)
    assert record["environment"]["torch"]
    assert record["trace"]
    told = call("solve", "--config", "x.tif.json", "-o", "again.tif", "--json")
    assert told.exit_code == 0, told.stderr
    assert Path("again.tif").read_bytes() == Path("x.tif").read_bytes()
    # the panel of a record shows its own output, not another
    assert call("solve", degraded, *BLUR, *ROUGH, "-o", "x.tif", "--panel", "p.png").exit_code == 0
    sheet = Path("p.png").read_bytes()
    Path("p.png").write_bytes(b"untouched")
    assert call("solve", "--config", "x.tif.json", "-o", "again.tif").exit_code == 0
    assert Path("p.png").read_bytes() == b"untouched"
    assert call("solve", "--config", "x.tif.json").exit_code == 2  # not what ipx wrote
    Path("p.png").unlink()
    assert call("solve", "--config", "x.tif.json").exit_code == 0
    assert Path("p.png").read_bytes() == sheet
    # in place, which is allowed for what ipx has written; and with a change, which shows
    assert call("solve", "--config", "x.tif.json").exit_code == 0
    assert Path("again.tif").read_bytes() == Path("x.tif").read_bytes()
    assert call("solve", "--config", "x.tif.json", "--lam", "0.5", "-o", "b.tif").exit_code == 0
    assert Path("b.tif").read_bytes() != Path("x.tif").read_bytes()


def test_a_changed_input_is_noted(degraded: Path) -> None:
    call("solve", degraded, *BLUR, *FAST, "-o", "x.tif")
    call("degrade", "clean.png", *BLUR, "--seed", "9", "-o", "y.tif")
    told = call("solve", "--config", "x.tif.json")
    assert told.exit_code == 0
    assert "has changed" in told.stderr


def test_a_record_of_degrade_gives_the_same_bits(degraded: Path) -> None:
    before = degraded.read_bytes()
    told = call("degrade", "--config", "y.tif.json", "-o", "again.tif")
    assert told.exit_code == 0, told.stderr
    assert Path("again.tif").read_bytes() == before


def test_files_of_components_are_recorded_and_protected(folder: Path) -> None:
    np.save("psf.npy", np.full((3, 3), 1 / 9))
    told = call("solve", "clean.png", "--op", "blur", "--op.kernel", "psf.npy", *FAST)
    assert told.exit_code == 0, told.stderr
    record = json.loads((folder / "clean-restored.png.json").read_text())
    assert record["files"] == {str(folder / "psf.npy"): images.sha256("psf.npy")}
    assert record["config"]["op"]["kernel"] == str(folder / "psf.npy")
    args = ("--op", "blur", "--op.kernel", "psf.npy", "-o", "psf.npy")
    assert call("solve", "clean.png", *args).exit_code == 2


def test_degrade_to_integers_says_that_it_clips(folder: Path) -> None:
    told = call("degrade", "clean.png", "--noise.sigma", "0.5", "-o", "y.png", "--json")
    assert told.exit_code == 0
    assert "clips" in told.stderr
    assert rows(told)[0]["clipped"] > 0.1
    assert images.read("y.png").dtype == "uint8"
    assert call("degrade", "clean.png").exit_code == 0
    assert images.read("clean-degraded.tif").dtype == "float32"


def test_without_files(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    small = images.read("clean.png")
    monkeypatch.setattr(images, "bundled", lambda subject: small)
    told = call("solve", *BLUR, *ROUGH, "--json")
    assert told.exit_code == 0, told.stderr
    (row,) = rows(told)
    assert row["psnr_after"] > row["psnr_before"]
    names = {p.name for p in (folder / "ipx-out").iterdir()}
    assert names == {"truth.png", "degraded.tif", "restored.png", "restored.png.json", "panel.png"}
    told = call("solve", "--config", "ipx-out/restored.png.json", "-o", "again")
    assert told.exit_code == 0, told.stderr
    assert "PSNR" in told.stdout
    assert "panel.png" in told.stdout
    first, second = (folder / d / "restored.png" for d in ("ipx-out", "again"))
    assert first.read_bytes() == second.read_bytes()
    assert call("solve", *BLUR, *FAST, "-q", "-o", "quiet").output == ""


def test_many_files_one_of_them_bad(folder: Path) -> None:
    Path("in").mkdir()
    for name in ("a.png", "b.png", "c.png"):
        shutil.copy("clean.png", f"in/{name}")
    Path("in/b.png").write_bytes(b"no picture")
    told = call("solve", "in/a.png", "in/b.png", "in/c.png", *FAST, "-o", "out", "--json")
    assert told.exit_code == 1
    found = rows(told)
    assert [r["status"] for r in found] == ["budget", "failed", "budget"]
    assert found[0]["psnr_before"] is None
    assert found[1]["output"] is found[1]["outputs"] is None
    assert "in/b.png" in found[1]["error"]
    assert told.stderr.count("ipx: error:") == 1
    written = {p.name for p in Path("out").iterdir()}
    assert written == {"a.png", "a.png.json", "c.png", "c.png.json"}
    # all of them bad in the same way: that way's status
    assert call("solve", "in/b.png", "in/no.png", "-o", "out").exit_code == 3


@pytest.mark.parametrize("samples", ["uint8", "uint16"])
def test_float_data_become_integers_when_asked(degraded: Path, samples: str) -> None:
    assert call("solve", degraded, *BLUR, *FAST, "-o", "x.tif").exit_code == 0
    real = images.read("x.tif").pixels.clip(0, 1)
    told = call("solve", degraded, *BLUR, *FAST, "-o", "x.png", "--dtype", samples)
    assert told.exit_code == 0, told.stderr
    found = images.read("x.png")
    assert found.dtype == samples
    assert np.abs(found.pixels - real).max() <= 0.51 / found.scale
    config = json.loads(Path("x.png.json").read_text())["config"]
    assert config["dtype"] == samples
    assert call("solve", "--config", "x.png.json", "-o", "again.png").exit_code == 0
    assert Path("again.png").read_bytes() == Path("x.png").read_bytes()
    assert call("degrade", "x.tif", "-o", "d.png", "--dtype", samples).exit_code == 0
    assert images.read("d.png").dtype == samples
    assert call("degrade", "clean.png", "-o", "d.tif", "--dtype", "float64").exit_code == 0
    assert images.read("d.tif").dtype == "float64"


@pytest.mark.parametrize(("name", "samples"), [("x.png", "uint16"), ("x.jpg", "uint8")])
def test_floats_in_a_format_of_integers_become_its_widest(
    folder: Path, name: str, samples: str
) -> None:
    ramp = np.linspace(0, 1, 1024, dtype=np.float32).reshape(32, 32)
    plain = ("--prior", "tikhonov", "--json")
    known = ("--noise.sigma", "0.01", "--lam", "0", "-o", name, "--force")
    for low, high, cut in ((0.0, 1.0, False), (100.0, 500.0, False), (-0.5, 1.5, True)):
        np.save("y.npy", low + (high - low) * ramp)
        told = call("solve", "y.npy", *plain, *known)
        assert told.exit_code == 0, told.stderr
        found, warnings = images.read(name), rows(told)[0]["warnings"]
        assert found.dtype == samples
        bottom, top = (0, 500) if high == 500 else (0, 1)  # what stands for [0, 1]
        most = 255 if samples == "uint8" else 65535
        line = f"float values are stored as {samples}: {bottom} to {top} as 0 to {most}"
        assert line in warnings
        ideal = ((low + (high - low) * ramp) / top).clip(0, 1)
        assert np.abs(found.pixels[0] - ideal).max() <= (0.02 if name == "x.jpg" else 1e-5)
        lost = [text for text in warnings if "were cut off" in text]
        assert bool(lost) == cut
    share, _, rest = lost[0].removeprefix(f"{name}: ").partition(" % of the values ")
    assert 49 < float(share) <= 50
    assert rest.startswith("lie outside of 0 to 1, by up to 0.5, and were cut off")
    assert "write .tif or .npy to keep them" in lost[0]
    assert call("degrade", "y.npy", "-o", "d.png").exit_code == 0
    assert images.read("d.png").dtype == "uint16"


def test_nan_beside_values_that_are_cut_off(folder: Path) -> None:
    np.save("floats.npy", np.linspace(0, 1, 64, dtype=np.float32).reshape(8, 8))
    like, pixels = images.read("floats.npy"), np.array([[[np.nan, 2, 0.5, 1]]], np.float32)
    lost = cut_off(Path("x.png"), like, "uint8", pixels)[1]
    assert "25 % of the values lie outside of 0 to 1, by up to 1, and" in lost
    assert len(cut_off(Path("x.png"), like, "uint8", pixels[:, :0])) == 1


def test_a_stack_in_a_file_is_refused(folder: Path) -> None:
    np.save("stack.npy", np.zeros((10, 64, 64), np.float32))
    told = call("solve", "stack.npy", *FAST)
    assert told.exit_code == 3
    assert "say --axes TYX (pictures, one by one), ZYX (a volume)" in told.stderr


def test_a_fixed_schedule_is_done(folder: Path) -> None:
    images.write("small.png", images.bundled().pixels[1:2, 20:44, 84:108])

    def status(*words: str) -> tuple[str, str]:
        args = ("solve", "small.png", *BLUR, "--prior", "median", "--lam", 0.01, *words)
        args = (*args, "--doubtful", "keep", "-o", "x.png")
        return rows(call(*args, "--json"))[0]["status"], call(*args).stdout

    for solver in ("pnp-hqs", "pnp-admm"):
        found, line = status("--solver", solver)
        assert found == "done"
        assert f"done in 8 steps of {solver}" in line
        found, line = status("--solver", solver, "--iterations", "3")
        assert found == "budget"
        assert "stopped after 3 iterations" in line
    found, _ = status("--solver", "pnp-hqs", "--solver.schedule", "constant", "--tol", "0")
    assert found == "budget"
    told = call("solve", "small.png", *BLUR, "--prior", "tikhonov", "--solver", "direct")
    assert "done in 1 step of direct" in told.stdout


def test_a_folder_stands_for_its_images(folder: Path) -> None:
    Path("in").mkdir()
    for name in ("a.png", "b.png"):
        shutil.copy("clean.png", f"in/{name}")
    np.save("in/mask.npy", np.ones((64, 64)))
    Path("in/notes.txt").write_text("no image")
    args = ("solve", "in", "--op", "inpaint", "--op.mask", "in/mask.npy", *FAST, "--json")
    told = call(*args)
    assert told.exit_code == 0, told.stderr
    assert [r["input"] for r in rows(told)] == ["in/a.png", "in/b.png"]
    # beside their inputs lie outputs now, which are no inputs; those of degrade are
    again = call(*args)
    assert [r["input"] for r in rows(again)] == ["in/a.png", "in/b.png"]
    assert "2 outputs of ipx solve left out" in again.stderr
    assert call("degrade", "in", "clean.png", "-o", "y").exit_code == 0
    assert len(rows(call("solve", "y", *FAST, "-o", "x", "--json"))) == 6
    assert call("solve", "in", *FAST, "-o", "x.png").exit_code == 2


def test_resume(folder: Path) -> None:
    shutil.copy("clean.png", "b.png")
    args = ("solve", "clean.png", "b.png", *FAST, "-o", "out", "--resume", "--json")
    first = call(*args)
    stamp = Path("out/b.png").stat().st_mtime_ns
    second = call(*args)
    assert second.exit_code == 0
    assert rows(second) == rows(first)
    assert second.stderr.count("skipped") == 2
    assert Path("out/b.png").stat().st_mtime_ns == stamp
    # another request, another input, a lost output: done again
    assert "skipped" not in call(*args, "--lam", "0.02").stderr
    call(*args)
    call("degrade", "clean.png", "-o", "b.png", "--force")
    assert call(*args).stderr.count("skipped") == 1
    Path("out/b.png").unlink()
    assert call(*args).stderr.count("skipped") == 1


def test_names_of_outputs(folder: Path) -> None:
    assert call("solve", "clean.png", *FAST).exit_code == 0
    assert (folder / "clean-restored.png").is_file()
    assert call("solve", "clean.png", *FAST, "-o", "sub/deep/").exit_code == 0
    assert (folder / "sub/deep/clean.png").is_file()
    Path("other").mkdir()
    shutil.copy("clean.png", "other/clean.png")
    told = call("solve", "clean.png", "other/clean.png", *FAST, "-o", "out")
    assert told.exit_code == 2
    assert "both" in told.stderr
    assert call("solve", "clean.png", "other/clean.png", "-o", "x.png").exit_code == 2
    assert not (folder / "out").exists()


def test_what_ipx_has_not_written_is_not_replaced(folder: Path) -> None:
    shutil.copy("clean.png", "precious.png")
    before = Path("precious.png").read_bytes()
    told = call("solve", "clean.png", *FAST, "-o", "precious.png")
    assert told.exit_code == 2
    assert "--force" in told.stderr
    assert Path("precious.png").read_bytes() == before
    assert call("solve", "clean.png", *FAST, "-o", "precious.png", "--force").exit_code == 0
    assert call("solve", "clean.png", *FAST, "-o", "precious.png").exit_code == 0


def test_truths_and_panels_of_many(folder: Path) -> None:
    for name in ("a.png", "b.png"):
        shutil.copy("clean.png", name)
    Path("truth").mkdir()
    shutil.copy("clean.png", "truth/a.png")
    call("degrade", "clean.png", "-o", "truth/b.tif")
    told = call(
        *("solve", "a.png", "b.png", *FAST, "-o", "out", "--truth", "truth", "--panel", "sheets"),
        "--json",
    )
    assert told.exit_code == 0, told.stderr
    assert all(r["psnr_after"] is not None for r in rows(told))
    assert len(list(Path("sheets").iterdir())) == 2
    assert call("solve", "a.png", *FAST, "-o", "p.png", "--panel", "a.png").exit_code == 2
    np.save("other.npy", np.zeros((8, 8), np.float32))
    told = call("solve", "a.png", "b.png", *FAST, "-o", "truth", "--truth", "truth", "--force")
    assert told.exit_code == 2
    assert "is also an input" in told.stderr
    told = call("solve", "a.png", *FAST, "-o", "p.png", "--truth", "other.npy")
    assert told.exit_code == 3
    assert "truth" in told.stderr


def test_dry_run_writes_nothing(folder: Path) -> None:
    before = sorted(folder.iterdir())
    told = call("solve", "clean.png", *BLUR, "--prior", "tv", "--dry-run")
    assert told.exit_code == 0
    assert "minimise" in told.stdout
    assert "clean-restored.png" in told.stdout
    assert call("solve", "no.png", "--dry-run").exit_code == 3
    told = call("solve", "clean.png", *BLUR, "-o", "new/out.xyz", "--dry-run")
    assert told.exit_code == 3
    assert "unknown extension '.xyz'" in told.stderr
    assert sorted(folder.iterdir()) == before


def test_diverged_and_out_of_memory(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = ipx.jobs.solve.solve_file
    monkeypatch.setattr(
        "ipx.jobs.solve.solve_file", lambda *a, **k: real(*a, **k) | {"status": "diverged"}
    )
    told = call("solve", "clean.png", *FAST)
    assert told.exit_code == 1
    assert "diverged" in told.stderr

    def full(*args: Any, **kwargs: Any) -> None:
        raise MemoryExhaustedError("out of memory")

    monkeypatch.setattr("ipx.jobs.solve.solve_file", full)
    assert call("solve", "clean.png", *FAST).exit_code == 5

    def stop(*args: Any, **kwargs: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("ipx.jobs.solve.solve_file", stop)
    assert call("solve", "clean.png", *FAST).exit_code == 130


def bad_inputs(folder: Path) -> None:
    """One file of each kind of bad picture, PSF and mask."""
    good = (folder / "clean.png").read_bytes()
    (folder / "empty.png").write_bytes(b"")
    (folder / "truncated.png").write_bytes(good[: len(good) // 2])
    (folder / "text.png").write_text("this is no picture")
    picture = np.zeros((64, 64), np.float32)
    np.save(folder / "nan.npy", np.where(np.eye(64) > 0, np.nan, picture))
    np.save(folder / "none.npy", picture[:0])
    np.save(folder / "stack.npy", np.zeros((5, 8, 8), np.float32))
    np.save(folder / "psf-large.npy", np.ones((99, 99)))
    np.save(folder / "psf-zero.npy", np.array([[1.0, -1.0, 0.0]] * 3))
    np.save(folder / "mask-size.npy", np.ones((8, 8)))
    np.save(folder / "mask-empty.npy", picture)
    (folder / "no-images").mkdir()


@pytest.mark.parametrize(
    ("args", "code"),
    [
        (["missing.png"], 3),
        (["empty.png"], 3),
        (["truncated.png"], 3),
        (["text.png"], 3),
        (["nan.npy"], 3),
        (["none.npy"], 3),
        (["stack.npy"], 3),
        (["no-images"], 3),
        (["clean.png", "--op", "blur", "--op.kernel", "psf-large.npy"], 3),
        (["clean.png", "--op", "blur", "--op.kernel", "psf-zero.npy"], 3),
        (["clean.png", "--op", "blur", "--op.kernel", "missing.npy"], 3),
        (["clean.png", "--op", "inpaint", "--op.mask", "mask-size.npy"], 3),
        (["clean.png", "--op", "inpaint", "--op.mask", "mask-empty.npy"], 3),
        (["clean.png", "--noise.sigma", "-1"], 2),
        (["clean.png", "--op", "blur", "--op.sigma", "-1"], 2),
        (["clean.png", "--op.unknown", "1"], 2),
        (["clean.png", "--unknown"], 2),
        (["clean.png", "-o", "clean.png", "--force"], 2),
        (["clean.png", "-o", "link.png", "--force"], 2),
        (["clean.png", "-o", "clean.png/x.png"], 3),
        (["clean.png", "-o", "/proc/no/such/x.png"], 3),
        (["clean.png", "-o", "x.bmp"], 3),
        (["clean.png", "-o", "new/x.bmp"], 3),
        (["clean.png", "--device", "nonsense"], 2),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else str(value),
)
@pytest.mark.parametrize("command", ["solve", "degrade"])
def test_bad_input(folder: Path, command: str, args: list[str], code: int) -> None:
    bad_inputs(folder)
    (folder / "link.png").symlink_to("clean.png")
    before = {p: p.stat().st_mtime_ns for p in folder.rglob("*")}
    told = call(command, *args, *([] if "-o" in args else ["-o", "out/x.tif"]))
    assert told.exit_code == code, told.output
    lines = told.stderr.splitlines()
    assert len(lines) == 1, told.stderr
    assert lines[0].startswith("ipx: error: ")
    assert "bug" not in lines[0]
    assert not told.stdout
    assert {p: p.stat().st_mtime_ns for p in folder.rglob("*")} == before


@pytest.mark.parametrize("command", ["solve", "degrade"])
def test_the_limit_of_pixels(folder: Path, command: str) -> None:
    told = call(command, "clean.png", "--max-pixels", "4095", "-o", "x.tif")
    assert told.exit_code == 3
    assert "clean.png: has 64 x 64 pixels, and the limit is 4095; --max-pixels raises it" in (
        told.stderr
    )
    Path("few.toml").write_text("max_pixels = 10")
    assert call(command, "clean.png", "--config", "few.toml", "-o", "x.tif").exit_code == 3
    args = ("--config", "few.toml", "--max-pixels", "4096", "-o", "x.tif")
    assert call(command, "clean.png", *args).exit_code == 0
    assert call(command, "clean.png", "--max-pixels", "0").exit_code == 2
