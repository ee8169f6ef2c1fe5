"""Dim volumes of a camera: 16 bits, an offset, few photons; what is shown and told of them."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tifffile
import torch
from PIL import Image

import ipx
from command_line import call
from ipx.files import panel
from ipx.files.planes import sections
from ipx.jobs.assumed import assumptions, for_measured
from ipx.jobs.reporter import Report
from ipx.planning.request import Request
from ipx.report.pictures import Shown, drawn, gain_of
from ipx_cli import progress

OFFSET, READ_OUT, GAIN = 100, 2.0, 2.0  # of the camera, in counts, and counts a photon
FULL = 65535


def seen(photons: float = 60.0, read_out: float = READ_OUT) -> np.ndarray[Any, Any]:
    """The counts of a camera, uint16: darkness, and beside it light that grows."""
    rng = np.random.default_rng(0)
    scene = np.linspace(-1, 1, 32).clip(0)[None, None] * np.ones((16, 32, 1))
    light = GAIN * rng.poisson(photons * scene)
    counts = OFFSET + light + read_out * rng.standard_normal(light.shape)
    return np.asarray(np.rint(counts), np.uint16)


def boxes(depth: int = 8, side: int = 16) -> np.ndarray[Any, Any]:
    """A volume of two bright boxes on a dark ground."""
    x = np.full((depth, side, side), 0.1, np.float32)
    x[2:5, 3:9, 4:11] = 0.8
    x[4:7, 8:14, 2:6] = 0.5
    return x


def test_dim_volumes_are_shown_in_the_scale_of_their_data() -> None:
    """The rows between the sections count neither for brightness nor for false colours."""
    dim = sections(boxes()[None] / 300)
    assert gain_of([Shown("a", "A", dim)]) == pytest.approx(300 / 0.8, rel=1e-3)
    (signed,) = drawn([Shown("b", "B", dim, "signed")])
    assert signed.scale is not None
    assert signed.scale[1] == pytest.approx(0.8 / 300, rel=1e-3)
    sheet = np.asarray(Image.open(io.BytesIO(panel.drawn("p.png", [("", dim, "")]))))
    inner = sheet[:, sheet.shape[1] // 2, 0]
    assert {int(v) for v in inner} >= {panel.NO_VALUE, 255, round(255 * 0.1 / 0.8)}


# ---------------------------------------------------------------- what is told


def test_an_offset_that_nobody_told_is_said() -> None:
    """Near the truth; not where it is told, nor of a picture without one."""
    y = torch.from_numpy(seen() / FULL).float()[None, None]
    (line,) = ipx.noise("poisson").untold(y)
    found = float(line.rsplit(" ", 1)[1])
    assert found == pytest.approx(OFFSET / FULL, rel=0.05)
    assert f"no value is below {float(y.min()):.3g}" in line
    assert ipx.noise("poisson", offset=0.0015).untold(y) == ()
    bright = torch.poisson(200 * (0.3 + 0.7 * torch.from_numpy(boxes(16, 32)))) / 200
    assert ipx.noise("poisson-gaussian").untold(bright[None, None]) == ()


def test_a_noise_level_that_is_never_reached_is_said() -> None:
    """Read-out noise that the model does not know; the wider model has nothing to say."""
    y = seen(read_out=12.0) / np.float32(FULL)
    known = {"peak": FULL / GAIN, "offset": OFFSET / FULL}
    how = {"prior": "none", "solver": "richardson-lucy", "axes": "ZYX", "iterations": 30}
    op = {"name": "blur", "sigma": 1.0, "boundary": "reflect"}
    plain = ipx.solve(y, op=op, noise={"name": "poisson", **known}, **how)
    (line,) = plain.warnings
    assert "the noise level was not reached" in line
    assert "noise poisson-gaussian" in line
    wide = {"name": "poisson-gaussian", "sigma": 12 / FULL, **known}
    done = ipx.solve(y, op=op, noise=wide, **how)
    assert done.warnings == []
    light = float(y.mean()) - OFFSET / FULL
    more, less = (float(how.x.mean()) / light - 1 for how in (plain, done))
    assert more > 0.05  # values below the offset are clipped
    assert abs(less) < 0.75 * more


def test_noise_that_hardly_grows_is_said() -> None:
    """A dim plane tells nothing of the photons; a bright one does."""
    model = ipx.noise("poisson-gaussian", offset=OFFSET / FULL)
    planes = [torch.from_numpy(seen(photons)[:1] / FULL).float()[None] for photons in (0.0, 60.0)]
    dim, bright = (model.estimated(plane).remarks for plane in planes)
    assert "the noise hardly grows with the brightness" in dim[0]
    assert bright == ()


def test_explain_tells_of_a_volume(tmp_path: Path) -> None:
    path = tmp_path / "cells.tif"
    told = {"axes": "ZYX", "spacing": 0.3, "unit": "um"}
    counts = seen()
    tifffile.imwrite(path, counts, imagej=True, resolution=(10, 10), metadata=told)
    found = ipx.explain(path)
    assert (found.depth, found.spacing) == (16, pytest.approx((0.3, 0.1, 0.1)))
    assert (found.low, found.high) == pytest.approx((counts.min(), counts.max()))
    assert any("--noise.offset 0.0015" in line for line in found.remarks)
    assert not any("--interval" in command for command in found.commands)
    taken = found.taken[0]
    assert taken.startswith("poisson")
    assert f"--noise {taken} --noise.offset 0.0015" in found.commands[0]
    known = {"name": "blur", "sigma": 1.5, "sigma_z": 2.5}
    told = ipx.explain(path, "ZYX", op=known, noise={"name": "gaussian", "sigma": 0.01})
    words = "--axes ZYX --op blur --op.sigma 1.5 --op.sigma-z 2.5 --noise gaussian"
    assert all(f"{words} --noise.sigma 0.01" in command for command in told.commands)
    assert told.taken == ("gaussian", "as given")
    with pytest.raises(ipx.OptionError, match="sigmaz"):
        ipx.explain(path, op={"name": "blur", "sigmaz": 1})
    rows = dict(found.lines())
    assert rows["voxel"] == "0.3 x 0.1 x 0.1 micrometres"
    assert rows["volume"].startswith("16 planes")


def test_a_psf_larger_than_the_volume(tmp_path: Path) -> None:
    """Its dark rim is to be cropped; a bright one cannot be."""
    psf = np.zeros((17, 9, 9), np.float32)
    psf[8, 4, 4] = 1
    tifffile.imwrite(tmp_path / "psf.tif", psf, photometric="minisblack")
    with pytest.raises(ipx.ShapeError, match="crop the file to its middle 7 x 9 x 9 pixels"):
        ipx.operator("blur", (1, 8, 16, 16), kernel=tmp_path / "psf.tif")
    tifffile.imwrite(tmp_path / "psf.tif", psf + 1, photometric="minisblack")
    with pytest.raises(ipx.ShapeError, match="take a smaller PSF, of 7 x 9 x 9 pixels at most"):
        ipx.operator("blur", (1, 8, 16, 16), kernel=tmp_path / "psf.tif")


def test_help_tells_the_default_for_files() -> None:
    told = "default: reflect, for files unknown"
    assert told in " ".join(call("info", "blur").stdout.split())
    assert told in " ".join(call("solve", "--op", "blur", "--help").stdout.split())


# ---------------------------------------------------------------- files


def test_a_microscope_takes_the_voxel_of_the_file(tmp_path: Path) -> None:
    """In a line that says so; another one that is told is doubted."""
    path = tmp_path / "cells.tif"
    told = {"axes": "ZYX", "spacing": 0.3, "unit": "um"}
    tifffile.imwrite(path, seen(), imagej=True, resolution=(8, 8), metadata=told)
    op = {"name": "microscope", "na": 1.2, "wavelength": 0.6}
    request = Request(op=op)
    assert assumptions(request, path) == [
        f"microscope pixel 0.125 and step 0.3 micrometres, as {path} tells"
    ]
    measured = for_measured(request, path).op
    assert (measured["pixel"], measured["step"]) == pytest.approx((0.125, 0.3))
    other = Request(op={**op, "pixel": 0.1})
    lines = assumptions(other, path)
    assert lines[0] == f"microscope step 0.3 micrometres, as {path} tells"
    assert lines[1].startswith("--op.pixel is 0.1 micrometres, and ")
    assert for_measured(other, path).op["pixel"] == 0.1


def test_a_record_that_was_moved_finds_its_files(tmp_path: Path) -> None:
    """Beside it, if they are the same; otherwise the cure is said."""
    old, new = tmp_path / "old", tmp_path / "new"
    old.mkdir()
    psf = np.zeros((5, 5), np.float32)
    psf[2, 1:4] = 1
    np.save(old / "psf.npy", psf)
    np.save(old / "y.npy", np.linspace(0, 1, 256, dtype=np.float32).reshape(16, 16))
    words = ("--op", "blur", "--op.kernel", old / "psf.npy", "--prior", "smooth", "--lam", "0.1")
    assert call("solve", old / "y.npy", *words).exit_code == 0
    old.rename(new)
    record, out = new / "y-restored.npy.json", new / "y-restored.npy"
    before = np.load(out)
    out.unlink()
    again = call("solve", "--config", record)
    assert again.exit_code == 0, again.stderr
    assert np.array_equal(np.load(out), before)
    np.save(new / "y.npy", np.zeros((16, 16), np.float32))
    new.rename(tmp_path / "third")
    refused = call("solve", "--config", tmp_path / "third" / record.name)
    assert refused.exit_code == 3
    assert "put y.npy, unchanged, beside that record" in refused.stderr


def test_progress_into_a_file_is_a_line_now_and_then(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    clock = iter([0.0, 10.0, 31.0, 40.0])
    monkeypatch.setattr(progress.time, "monotonic", lambda: next(clock))
    with progress.line("cells.tif", quiet=False) as show:
        assert show is not None
        for step in (5, 9, 12):
            show(Report("solving", iteration=step, budget=500, seconds=2.0))
    told = capsys.readouterr().err.splitlines()
    assert len(told) == 1
    assert told[0].startswith("ipx: cells.tif: solving  9/500")
