"""Blurs that are found in the data: their width, or all of the PSF."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Literal

import numpy as np
import pytest
import torch
from torch import Tensor

import ipx
from command_line import call
from ipx.declare.registry import registry
from ipx.files import images
from ipx.planning.tree import tree
from ipx.solving.unknowns import settled
from ipx_plugins.blur import BlurOptions
from ipx_plugins.blur.blind import centred, free_psf, likeness
from ipx_plugins.blur.psf import psf_for
from ipx_plugins.blur.refine import error, refined

LINE = {"kind": "motion", "length": 9.0, "angle": 30.0}


def blurred(noise: float = 0.01, side: int = 256, **psf: Any) -> Tensor:
    """A part of the bundled photograph, blurred; nothing is known beyond its border."""
    x = torch.from_numpy(images.bundled().pixels[1:2, :side, :side])[None]
    op = {"name": "blur", "boundary": "valid", **psf}
    return ipx.degrade(x, op=op, noise={"name": "gaussian", "sigma": noise}, seed=1)


def found(y: Tensor, **values: Any) -> tuple[BlurOptions, tuple[str, ...]]:
    told = settled({"name": "blur", "kernel": "auto", **values}, y)
    options = tree("operator", told.op).options
    assert isinstance(options, BlurOptions)
    return options, told.remarks


@pytest.mark.parametrize("sigma", [1.0, 2.0, 3.0])
def test_the_width_of_a_gaussian(sigma: float) -> None:
    options, remarks = found(blurred(sigma=sigma))
    assert options.sigma == pytest.approx(sigma, rel=0.15)
    assert len(remarks) == 1
    assert f"sigma {options.sigma:g} pixels found in the data" in remarks[0]


def test_the_radius_of_a_disk_in_another_unit() -> None:
    y = blurred(kind="disk", radius=4.0)
    options, _ = found(200 * y + 30, kind="disk")
    assert options.radius == pytest.approx(4.0, rel=0.15)
    assert found(y, kind="disk")[0].radius == pytest.approx(options.radius, rel=1e-2)


def test_noise_alone_decides_nothing() -> None:
    noise = torch.randn(1, 1, 128, 128, generator=torch.Generator().manual_seed(0))
    _, remarks = found(noise)
    assert "the data do not decide the sigma" in remarks[1]
    with pytest.raises(ipx.InputError, match="without detail"):
        found(torch.ones(1, 1, 64, 64))
    with pytest.raises(ipx.InputError, match="of 20 pixels"):
        found(torch.rand(1, 1, 20, 64))


@pytest.mark.slow
def test_the_free_psf_of_a_moving_camera() -> None:
    y = blurred(side=160, **LINE)[0, 0].double().numpy()
    k = free_psf(y, 15)
    assert k.shape == (15, 15)
    assert k.min() >= 0
    assert k.sum() == pytest.approx(1)
    truth = psf_for(BlurOptions(**LINE), None).numpy()
    assert likeness(k, truth) > 0.8
    assert likeness(k, truth) > likeness(k, truth[::-1]) + 0.1  # the other diagonal
    middle = images.bundled().pixels[1, :160, :160]
    truth = np.pad(truth, [((15 - n) // 2, 15 - n - (15 - n) // 2) for n in truth.shape])
    assert error(refined(y, k), truth, middle) < error(k, truth, middle)


def test_the_error_of_a_psf_does_not_see_a_shift() -> None:
    rng = np.random.default_rng(0)
    y, k = rng.random((41, 64)), np.zeros((9, 9))
    k[2:5, 3] = 1 / 3
    assert error(k, np.roll(k, (2, 1), (0, 1)), y) < 1e-6
    far = np.zeros((9, 9))
    far[4, 4] = 1
    # circular convolution of white noise: |k - point|^2 = 1 - 1/3 of its variance at any shift
    assert error(k, far, y) == pytest.approx(float(np.sqrt(2 / 3) * y.std()), rel=0.05)


def test_the_error_of_an_operator_counts_as_noise() -> None:
    y, blur = blurred(0.01, 64, sigma=1.0), {"name": "blur", "sigma": 1.0}
    told = {"noise": {"name": "gaussian", "sigma": 0.03}, "prior": "tv", "iterations": 20}
    exact, wrong = (ipx.solve(y, op={**blur, "error": e}, **told) for e in (0.0, 0.04))
    assert exact.level == pytest.approx([0.03])
    assert wrong.level == pytest.approx([0.05])  # 3, 4, 5
    assert wrong.lam is not None
    assert exact.lam is not None
    assert wrong.lam[0] > 1.3 * exact.lam[0]
    quiet = {**told, "noise": {"name": "gaussian", "sigma": 0.0003}}
    dim = ipx.solve(y / 100, op={**blur, "error": 0.0004}, **quiet)
    assert dim.level == pytest.approx([0.0005])
    silent = {**told, "noise": {"name": "gaussian", "sigma": 0.0}}
    assert ipx.solve(y, op={**blur, "error": 0.04}, **silent).level == pytest.approx([0.04])


def test_likeness_and_centre() -> None:
    k = np.zeros((9, 9))
    k[1:8, 2] = 1
    assert likeness(k, np.roll(k, (1, 4), (0, 1))) == pytest.approx(1)
    assert likeness(k, k.T) < 0.9
    assert np.argwhere(centred(k)).mean(0).tolist() == [4, 4]


def test_a_width_through_the_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    images.write("y.tif", blurred(side=96, sigma=2.0)[0].numpy())
    fast = ["--lam", "0.01", "--iterations", "3"]
    told = call("solve", "y.tif", "--op", "blur", "--op.kernel", "auto", *fast, "-o", "x.tif",
                "--truth", "y.tif", "--json")  # fmt: skip
    assert told.exit_code == 0, told.stderr
    assert "found in the data, give or take" in told.stderr
    assert "assumed" not in told.stderr
    record = json.loads(Path("x.tif.json").read_text())
    assert record["requested"]["op"]["kernel"] == "auto"
    assert record["config"]["op"]["kernel"] is None
    assert record["config"]["op"]["sigma"] == pytest.approx(2.0, rel=0.3)
    assert any("found in the data" in line for line in record["result"]["warnings"])
    again = call("solve", "--config", "x.tif.json", "-o", "again.tif")
    assert again.exit_code == 0, again.stderr
    assert Path("again.tif").read_bytes() == Path("x.tif").read_bytes()
    dry = call("solve", "y.tif", "--op", "blur", "--op.kernel", "auto", *fast, "--dry-run")
    assert dry.exit_code == 0, dry.stderr


def test_a_free_psf_is_written_beside_the_output(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    images.write("y.tif", blurred(side=72, **LINE)[0].numpy())
    told = call("solve", "y.tif", "--op", "blur", "--op.kernel", "auto", "--op.kind", "motion",
                "--op.support", "11", "--lam", "0.01", "--iterations", "3", "-o", "x.tif",
                "--json")  # fmt: skip
    assert told.exit_code == 0, told.stderr
    assert json.loads(told.stdout)["outputs"]["psf"] == "x-psf.tif"
    psf = images.read("x-psf.tif").pixels[0]
    assert psf.shape == (11, 11)
    config = json.loads(Path("x.tif.json").read_text())["config"]
    taps = np.array(config["op"]["taps"]).reshape(11, 11)
    assert np.allclose(taps / taps.max(), psf, atol=1e-5)
    again = call("solve", "--config", "x.tif.json", "-o", "again.tif")
    assert again.exit_code == 0, again.stderr
    assert Path("again.tif").read_bytes() == Path("x.tif").read_bytes()


def test_capabilities_do_not_depend_on_what_is_found() -> None:
    """The plan is made of the declaration, and the run follows it."""
    spec = registry().get("operator", "blur")
    taps = (0.0, 0.1, 0.3, 0.0, 0.5, 0.0, 0.1, 0.0, 0.0)
    for boundary in ("reflect", "circular", "unknown"):
        for kind, after in (
            ("gaussian", {"sigma": 1.7}),
            ("disk", {"radius": 2.2}),
            ("motion", {"kind": "file", "taps": taps}),
            ("uniform", {"kind": "file", "taps": taps}),
        ):
            before = {"kind": kind, "boundary": boundary, "kernel": "auto"}
            one = spec.options(**before)
            two = spec.options(**{**before, "kernel": None, **after})
            assert spec.capabilities(one) == spec.capabilities(two)
            assert spec.traits_for(one) == spec.traits_for(two)


def test_what_has_no_data_to_be_found_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    y = torch.rand(2, 1, 64, 64)
    auto = {"name": "blur", "kernel": "auto"}
    with pytest.raises(ipx.InputError, match="one by one"):
        ipx.solve(y, op=auto)
    whole = {"name": "compose", "parts": [{"name": "inpaint", "seed": 1}, auto]}
    with pytest.raises(ipx.UsageError, match="no part of another"):
        ipx.solve(y[:1], op=whole)
    images.write("x.png", y[0].numpy())
    told = call("degrade", "x.png", "--op", "blur", "--op.kernel", "auto")
    assert told.exit_code == 2
    assert "found from the data of ipx solve" in told.stderr
    assert call("solve", "--op", "blur", "--op.kernel", "auto").exit_code == 2


def test_options_that_may_be_auto() -> None:
    class Sample(ipx.Options):
        shift: float | Literal["auto"] = ipx.opt(default=0.0, max=9.0, help="A shift.")
        count: int = ipx.opt(default=1, help="A count.")

    assert Sample(shift="auto").shift == "auto"
    assert Sample.infos()["shift"].parse("auto") == "auto"
    assert Sample.from_mapping(Sample(shift="auto").to_mapping()) == Sample(shift="auto")
    assert Sample(shift="2").shift == 2.0
    with pytest.raises(ipx.OptionError, match="shift must be <= 9"):
        Sample(shift=10.0)
    with pytest.raises(ipx.OptionError, match="count must be a whole number"):
        Sample(count="auto")


def test_a_psf_of_a_volume_is_not_sought() -> None:
    y = torch.rand(1, 12, 24, 24, generator=torch.Generator().manual_seed(0))
    op = {"name": "blur", "kernel": "auto"}
    with pytest.raises(ipx.InputError, match="kernel auto takes pictures, not volumes; give"):
        ipx.solve(y, op=op, prior="tv", axes="CDHW")
