"""``ipx psf``: PSFs from pictures of points."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import ipx
from command_line import call
from ipx.files import images
from ipx_plugins.blur.operator import Blur
from ipx_plugins.blur.spots import fit, fwhm
from ipx_plugins.blur.varying import VaryingBlur

Array = np.ndarray[Any, np.dtype[np.float64]]


def stars(sigma: float, count: int = 40, noise: float = 0.002, across: float = 0.0) -> Array:
    """A star field: Gaussian spots at random places on a slope of background, ``(192, 192)``."""
    rng = np.random.default_rng(3)
    rows, columns = np.mgrid[:192, :192]
    picture = 0.05 + 0.02 * columns / 192
    for _ in range(count):
        y, x = rng.uniform(0, 192, 2)
        spread = ((rows - y) / (across or sigma)) ** 2 + ((columns - x) / sigma) ** 2
        picture += rng.uniform(0.1, 0.9) * np.exp(-0.5 * spread)
    return np.asarray(picture + noise * rng.standard_normal(picture.shape))


def gaussian(sigma: float, side: int) -> Array:
    x = np.exp(-0.5 * ((np.arange(side) - side // 2) / sigma) ** 2)
    return np.asarray(np.outer(x, x) / np.outer(x, x).sum())


@pytest.mark.parametrize("sigma", [1.2, 2.0, 3.0])
def test_the_psf_of_stars(sigma: float) -> None:
    found = fit(stars(sigma, count=25))
    truth = gaussian(sigma, len(found.psf))
    error = np.linalg.norm(found.psf - truth) / np.linalg.norm(truth)
    assert error < 0.03
    assert found.error < 0.03
    assert found.fwhm == pytest.approx(2 * np.sqrt(2 * np.log(2)) * sigma, rel=0.02)
    assert found.spots >= 5
    assert found.psf.min() >= 0
    assert found.psf.sum() == pytest.approx(1)
    assert len(found.psf) % 2 == 1


def test_the_error_grows_where_spots_overlap() -> None:
    found = fit(stars(3.0, count=40))
    truth = gaussian(3.0, len(found.psf))
    error = np.linalg.norm(found.psf - truth) / np.linalg.norm(truth)
    assert error > 0.1
    assert 0.5 * error < found.error < 2 * error


def test_fwhm_of_a_gaussian() -> None:
    assert fwhm(gaussian(2.5, 25)) == pytest.approx(2.3548 * 2.5, rel=2e-3)


def test_what_is_no_point_is_left_out() -> None:
    """Close pairs, a galaxy and saturated stars spoil no PSF."""
    picture = stars(1.5, count=25)
    rows, columns = np.mgrid[:192, :192]
    picture += 0.9 * np.exp(-0.5 * ((rows - 96.0) ** 2 + (columns - 60.0) ** 2) / 3.2**2)
    for x in (150.0, 153.0):
        picture += 0.8 * np.exp(-0.5 * ((rows - 40.0) ** 2 + (columns - x) ** 2) / 1.5**2)
    picture += 9.0 * np.exp(-0.5 * ((rows - 150.0) ** 2 + (columns - 110.0) ** 2) / 1.5**2)
    found = fit(np.clip(picture, 0, 1))
    truth = gaussian(1.5, len(found.psf))
    assert np.linalg.norm(found.psf - truth) < 0.03 * np.linalg.norm(truth)


def test_one_spot_is_enough_and_its_error_is_that_of_the_noise() -> None:
    rng = np.random.default_rng(0)
    rows, columns = np.mgrid[:48, :48]
    clean = 0.8 * np.exp(-0.5 * ((rows - 23.3) ** 2 + (columns - 24.6) ** 2) / 2**2)
    found = fit(clean + 0.01 * rng.standard_normal(clean.shape))
    truth = gaussian(2.0, len(found.psf))
    real = np.linalg.norm(found.psf - truth) / np.linalg.norm(truth)
    assert found.spots == 1
    assert 0.3 * real < found.error < 3 * real


def test_a_file_that_blur_takes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    images.write("stars.tif", stars(2.0, across=1.0)[None].astype(np.float32))
    told = call("psf", "stars.tif", "--json")
    assert told.exit_code == 0, told.stderr
    row = json.loads(told.stdout)
    assert row["output"] == "stars-psf.tif"
    assert row["fwhm"] == pytest.approx(2.3548 * np.sqrt(2), rel=0.03)
    psf = Blur((1, 64, 64), kernel=Path("stars-psf.tif")).psf
    x = np.arange(len(psf)) - len(psf) // 2
    assert float((psf.sum(0) * x**2).sum()) > 2.5 * float((psf.sum(1) * x**2).sum())
    again = call("psf", "stars.tif")
    assert again.exit_code == 2
    assert "give --force" in again.stderr
    text = call("psf", "stars.tif", "-o", "h.npy", "--size", "15").stdout
    assert "15 x 15 pixels, FWHM 3.3" in text
    assert np.load("h.npy").shape == (15, 15)
    blurred = images.bundled().pixels[1:2, :64, :64]
    images.write("y.png", blurred)
    solved = call("solve", "y.png", "--op", "blur", "--op.kernel", "h.npy", "--lam", "0.01",
                  "--iterations", "3", "-o", "x.png")  # fmt: skip
    assert solved.exit_code == 0, solved.stderr


def test_where_there_is_no_psf(tmp_path: Path) -> None:
    noise = 0.5 + 0.01 * np.random.default_rng(0).standard_normal((64, 64))
    images.write(tmp_path / "n.tif", noise[None].astype(np.float32))
    told = call("psf", tmp_path / "n.tif")
    assert told.exit_code != 0
    (line,) = told.stderr.splitlines()
    assert "there is no bright spot" in line
    crowd = stars(2.0, count=1500, noise=0.001)
    with pytest.raises(ipx.InputError, match="stands alone"):
        fit(crowd, 21)
    with pytest.raises(ipx.InputError, match="does not fit"):
        fit(stars(2.0), 301)
    assert call("psf", tmp_path / "n.tif", "--size", "8").exit_code == 2


def test_a_grid_of_psfs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Narrow spots on the left, wide ones on the right."""
    monkeypatch.chdir(tmp_path)
    left, right = stars(1.2, count=25), stars(2.2, count=25)
    both = np.concatenate([left, right], 1)
    images.write("stars.tif", both[None].astype(np.float32))
    told = call("psf", "stars.tif", "--grid", "1,2", "--size", "15", "--json")
    assert told.exit_code == 0, told.stderr
    widths = [part["fwhm"] for part in json.loads(told.stdout)["parts"]]
    assert widths == pytest.approx([2.3548 * 1.2, 2.3548 * 2.2], rel=0.03)
    blur = VaryingBlur((1, 64, 64), kernels=Path("stars-psf.npy"))
    assert blur.psfs.shape == (1, 2, 15, 15)
    assert "stars-psf.npy 1,2: " in call("psf", "stars.tif", "--grid", "1,2", "--force").stdout
    for words, line in (
        (["--grid", "x"], "such as 3,3"),
        (["--grid", "2,2", "-o", "h.tif"], "are written to NPY"),
        (["--grid", "9,9", "-o", "h.npy"], "of the grid"),
    ):
        wrong = call("psf", "stars.tif", *words)
        assert wrong.exit_code != 0
        assert line in wrong.stderr
