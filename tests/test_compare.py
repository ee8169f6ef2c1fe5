"""Comparisons: in code, on the command line, with and without a truth."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

import ipx
from command_line import call
from ipx.files import images
from ipx.report.comparison import warned


@pytest.fixture(scope="module")
def clean() -> np.ndarray:
    return images.bundled().pixels[1, 30:78, 90:138]


def test_rows_are_those_of_single_runs(clean: np.ndarray) -> None:
    y = ipx.degrade(clean, op="blur", noise={"name": "gaussian", "sigma": 0.02})
    how = {"op": "blur", "lam": 0.01, "iterations": 20}
    found = ipx.compare(y, prior=["tv", "smooth", "pca-gaussian"], truth=clean, **how)
    tv, smooth, bad = found.results
    alone = ipx.solve(y, prior="tv", **how)
    assert tv.how is not None
    assert np.array_equal(tv.how.image, alone.image)
    assert tv.psnr == pytest.approx(float(ipx.psnr(alone.image, clean)))
    assert (tv.solver, tv.score) == ("admm", None)
    assert found.best is (tv if tv.psnr > (smooth.psnr or 0) else smooth)
    assert bad.how is None


def test_without_a_truth_the_score_decides(clean: np.ndarray) -> None:
    y = ipx.degrade(clean, op="blur", noise={"name": "gaussian", "sigma": 0.05})
    how = {"op": "blur", "noise": {"name": "gaussian", "sigma": 0.05}, "iterations": 40}
    found = ipx.compare(y, prior=["smooth", {"name": "smooth"}], lam=0.02, **how)
    first, second = found.results
    assert first.score == second.score
    assert first.misfit == pytest.approx(1, abs=0.15)
    worse = ipx.compare(y, prior=["smooth"], lam=1e-5, **how).results[0]
    assert first.score is not None
    assert worse.score is not None
    assert worse.score > first.score
    assert worse.misfit is not None
    assert worse.misfit < first.misfit
    assert "cross-validation" in str(found)
    assert str(found).splitlines()[1].startswith("*")


def test_sums_pairs_and_reasons(clean: np.ndarray) -> None:
    found = ipx.compare(
        clean, prior=["tv", ["tv", "smooth"]], solver=["direct", "admm"], op="blur",
        lam=0.01, iterations=3, truth=clean,
    )  # fmt: skip
    said = [(r.prior, r.solver, bool(r.error)) for r in found.results]
    assert said == [
        ("tv", "direct", True), ("tv", "admm", False),
        ("tv + smooth", "direct", True), ("tv + smooth", "admm", True),
    ]  # fmt: skip
    assert "does not fit" in found.results[0].error
    assert "takes 2 weights" in found.results[3].error
    with pytest.raises(ipx.UnknownNameError):
        ipx.compare(clean, prior=["tv", "tvv"])
    with pytest.raises(ipx.UsageError):
        ipx.compare(clean, prior=[])


def test_the_command(clean: np.ndarray, tmp_path: Path) -> None:
    y, truth = tmp_path / "y.png", tmp_path / "x.png"
    images.write(truth, clean[None])
    images.write(y, ipx.degrade(clean, op="blur", noise={"name": "gaussian", "sigma": 0.02})[None])
    sheet, page = tmp_path / "p.png", tmp_path / "r.html"
    shared = ("compare", y, "--op", "blur", "--lam", "0.01", "--iterations", "5")
    done = call(*shared, "--prior", "tv,smooth", "--prior", "none", "--truth", truth,
                "--panel", sheet, "--report", page, "--json")  # fmt: skip
    assert done.exit_code == 0, done.output
    rows = json.loads(done.stdout)
    assert [row["prior"] for row in rows] == ["tv", "smooth", "none"]
    assert all(row["psnr"] > 15 and row["ssim"] > 0.3 for row in rows)
    assert images.read(sheet).shape[1:] > (256, 1000)  # two rows of four: five images
    assert 'data-name="result-2"' in page.read_text("utf-8")
    for arguments, status, word in (
        ((*shared, "--prior", "tv", "--panel", y), 2, "exists"),
        ((*shared, "--prior", "tv", "--panel", y, "--force"), 2, "is also an input"),
        ((*shared, "--prior", "tv,,tvv"), 2, "no prior is called tvv"),
        ((*shared, "--prior", "tv", "--solver", "direct"), 1, "does not fit"),
        ((*shared, y), 2, "takes one image"),
        (("compare", "--truth", truth), 2, "--truth needs an image"),
    ):
        done = call(*arguments)
        assert (done.exit_code, word in done.output) == (status, True), done.output


def test_the_warnings_of_the_results_are_told_once(clean: np.ndarray, tmp_path: Path) -> None:
    rows = [
        {"prior": "tv", "solver": "admm", "warnings": ["noise level in doubt", "rough"]},
        {"prior": "tv", "solver": "pdhg", "warnings": ["noise level in doubt"]},
        {"prior": "smooth", "solver": "direct", "warnings": ["noise level in doubt", "rough"]},
        {"prior": "none", "solver": "auto", "error": "does not fit", "warnings": []},
    ]
    assert warned(rows) == ["noise level in doubt", "tv with admm, smooth: rough"]
    path, noise = tmp_path / "y.tif", np.random.default_rng(0).normal(size=clean.shape)
    cut = np.clip(1.6 * clean - 0.3 + 0.1 * noise, 0, 1)
    images.write(path, cut[None], dtype="float32")
    how = ("--lam", "1e-7", "--prior")
    alone = call("solve", path, *how, "smooth", "-o", tmp_path / "x.tif")
    both = call("compare", path, *how, "smooth,tikhonov")
    lines = [line for line in alone.stderr.splitlines() if line.startswith("ipx: no")]
    assert [line.split()[2] for line in lines] == ["is", "was", "operator"]
    assert all(both.stderr.count(line) == 1 for line in lines)
    looked = call("explain", path).stdout
    assert looked.count(lines[0].removeprefix("ipx: ")) == 1  # the noise is cut off
