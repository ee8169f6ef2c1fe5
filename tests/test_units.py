"""Data in physical units: the same restoration, in the unit of the data."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest
import torch

import ipx
from ipx.files import images
from ipx.jobs.curve import Curve
from ipx.jobs.reporter import Report, Reporting

BLUR = {"name": "blur", "sigma": 1.6}
KELVIN = 1e-3
CLEAN = torch.from_numpy(images.bundled().pixels[1:2, 20:84, 40:104])
Y = ipx.degrade(CLEAN, op=BLUR, noise={"name": "gaussian", "sigma": 0.02}, seed=1)


@cache
def in_its_unit(prior: str) -> ipx.Restoration:
    return ipx.solve(Y, op=BLUR, prior=prior)


@pytest.mark.parametrize(
    ("prior", "unit"),
    [
        ("tv", KELVIN),
        ("tv", 1000.0),
        ("bm3d", KELVIN),
        ("drunet", 1000.0),
        pytest.param("bm3d", 1000.0, marks=pytest.mark.slow),
        pytest.param("drunet", KELVIN, marks=pytest.mark.slow),
    ],
)
def test_the_unit_does_not_matter(prior: str, unit: float) -> None:
    """0.4 to 11 dB were lost without scaling."""
    plain = in_its_unit(prior)
    how = ipx.solve(unit * Y, op=BLUR, prior=prior)
    assert (
        float(ipx.psnr(how.x / unit, CLEAN[None])[0])
        > float(ipx.psnr(plain.x, CLEAN[None])[0]) - 0.1
    )
    assert how.level == pytest.approx([unit * plain.level[0]], rel=1e-3)
    assert torch.allclose(how.before, unit * plain.before)
    assert any(line.startswith("the data are divided by ") for line in how.warnings)
    assert not any("divided" in line for line in plain.warnings)


def test_each_image_of_a_batch_has_its_unit() -> None:
    y = Y.double()  # in float32 a batch of another size is rounded otherwise
    alone = [ipx.solve(u * y, op=BLUR, prior="tv", lam=0.01).x for u in (1.0, KELVIN)]
    both = ipx.solve(torch.stack([y, KELVIN * y]), op=BLUR, prior="tv", lam=0.01).x
    assert torch.allclose(both[0], alone[0][0], atol=1e-6)
    assert torch.allclose(both[1], alone[1][0], atol=1e-6 * KELVIN)


def test_the_weight_that_was_found_gives_the_same_image() -> None:
    found = ipx.solve(KELVIN * Y, op=BLUR, prior="tv")
    assert found.lam is not None
    assert torch.equal(ipx.solve(KELVIN * Y, op=BLUR, prior="tv", lam=found.lam).x, found.x)


@pytest.mark.parametrize(
    "noise",
    [
        {"name": "gaussian", "sigma": 0.02},
        {"name": "poisson", "peak": 500.0, "offset": 0.1},
        {"name": "poisson-gaussian", "peak": 500.0, "sigma": 0.02, "offset": 0.1},
    ],
)
def test_levels_that_are_told_and_a_start_have_the_unit_of_the_data(noise: dict[str, Any]) -> None:
    data = (Y.clamp_min(0) / Y.max()).double() + noise.get("offset", 0.0)
    small = {k: v / KELVIN if k == "peak" else v * KELVIN for k, v in noise.items() if k != "name"}
    how: dict[str, Any] = {"op": BLUR, "prior": "tv", "lam": 0.01, "iterations": 20}
    plain = ipx.solve(data, noise=noise, x0=CLEAN, **how)
    dim = ipx.solve(KELVIN * data, noise={"name": noise["name"], **small}, x0=KELVIN * CLEAN, **how)
    assert torch.allclose(dim.x / KELVIN, plain.x, atol=1e-6)
    key = "sigma" if noise["name"] == "gaussian" else "peak"
    assert dim.level == pytest.approx([small[key]])


def test_impulses_belong_to_their_range() -> None:
    how = ipx.solve(0.01 * Y, noise={"name": "impulse", "amount": 0.1}, prior="tv", lam=0.5)
    assert not any("divided" in line for line in how.warnings)


@pytest.mark.parametrize("lam", [1e6, 1e12])
def test_a_huge_weight_gives_the_mean(lam: float) -> None:
    """float32 lost it: -0.12 instead of 0.31 for a weight of 1e12."""
    x = ipx.solve(Y, op=BLUR, prior="tv", lam=lam).x
    assert float((x - Y.mean()).abs().max()) < 1e-3


def test_progress_tells_psnr_in_the_unit_of_the_data() -> None:
    """Data below 0.05 are divided by their largest value, and their images multiplied again."""
    truth = 0.02 * torch.from_numpy(images.bundled().pixels[None, 1:2, 20:52, 40:72])
    noise = {"name": "gaussian", "sigma": 0.0005}
    y = ipx.degrade(truth, noise=noise, seed=0)
    curve, reports, iterates = Curve(truth), list[Report](), list[torch.Tensor]()
    how = ipx.solve(y, noise=noise, prior="tv", lam=0.02,
                    observers=[curve, Reporting(reports.append, truth),
                               lambda now: iterates.append(now.x)])  # fmt: skip
    assert "divided" in how.warnings[0]
    assert curve.told(how.x)[-1]["psnr"] == pytest.approx(float(ipx.psnr(how.x, truth)[0]))
    first = float(ipx.psnr(float(y.max()) * iterates[0], truth)[0])
    assert next(r.psnr for r in reports if r.iteration) == pytest.approx(first)
