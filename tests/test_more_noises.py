"""Impulses that are detected, bounded noise, speckle, JPEG."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from skimage import data, transform
from torch import Tensor

import ipx
from ipx.files import images
from ipx.numerics.metrics import psnr
from ipx_cli.main import cli
from ipx_plugins.gaussian.bounded import Quantisation, Uniform
from ipx_plugins.impulse.noise import Impulse
from ipx_plugins.jpeg.coding import Coding
from ipx_plugins.jpeg.noise import JPEG
from ipx_plugins.jpeg.transform import blocks, joined, steps
from ipx_plugins.speckle.noise import Speckle


def camera(size: int = 64) -> Tensor:
    picture = transform.resize(data.camera() / 255.0, (size, size), anti_aliasing=True)
    return torch.from_numpy(picture).float()[None, None]


def gain(noise: dict[str, Any], told: dict[str, Any], **how: Any) -> float:
    """How much better than the data, in dB."""
    clean = camera()
    y = ipx.degrade(clean, op=how.get("op", "identity"), noise=noise, seed=1)
    found = ipx.solve(y, noise=told, **how)
    return float(psnr(found.x, clean)[0] - psnr(found.before, clean)[0])


@pytest.mark.parametrize(
    ("kind", "amount", "least"),
    [("salt-pepper", 0.3, 16.0), ("dead", 0.1, 14.0), ("random", 0.1, 7.0)],
)
def test_impulses_are_filled_in(kind: str, amount: float, least: float) -> None:
    noise = {"name": "impulse", "kind": kind}
    assert gain(noise | {"amount": amount}, noise, prior="tv") > least


@pytest.mark.parametrize("amount", [0.1, 0.3])
def test_what_undetected_impulses_leave(amount: float) -> None:
    clean, noise = camera(128), Impulse(kind="random", amount=amount)
    y = noise.sample(clean, torch.Generator().manual_seed(0))
    ratio = float(noise.nll(clean, y) / noise.expected(y, torch.tensor([128.0**2])))
    assert 0.5 < ratio < 2


def test_a_denoiser_behind_a_blur_takes_impulses() -> None:
    noise = {"name": "impulse", "amount": 0.1}
    blur = {"name": "blur", "sigma": 1.0}
    clean = camera()
    y = ipx.degrade(clean, op=blur, noise=noise, seed=1)
    found = ipx.solve(y, op=blur, noise="impulse", prior="tv-filter", solver="pnp-hqs")
    assert "split-prox" in [b.name for b in found.plan.bridges]
    blurred = ipx.degrade(clean, op=blur, noise={"name": "gaussian", "sigma": 0.0})
    assert float(psnr(found.x, clean)) > float(psnr(blurred, clean))


@pytest.mark.parametrize("kind", ["salt-pepper", "random"])
def test_the_weight_behind_a_blur_comes_from_impulses_left_out(kind: str) -> None:
    """The discrepancy principle expects nothing of detected impulses, and takes too much."""
    clean, blur = camera(24), {"name": "blur", "sigma": 1.0}
    noise, how = {"name": "impulse", "kind": kind}, {"op": blur, "prior": "tv", "iterations": 60}
    y = ipx.degrade(clean, op=blur, noise=noise, seed=1)
    found = ipx.solve(y, noise=noise, **how)
    assert found.rule is not None
    assert found.rule.startswith("holdout")
    other = ipx.solve(y, noise=noise, tuner="discrepancy", **how)
    assert float(psnr(found.x, clean) - psnr(other.x, clean)) > 2


def test_saturated_regions_are_no_impulses() -> None:
    y = camera()
    y[..., 10:40, 10:40] = 1.0
    y[..., 50, 50] = 1.0
    y[..., 20, 20] = 0.0
    trusted = Impulse().trusted(y)
    assert trusted is not None
    assert bool(trusted[..., 14:19, 14:36].all())
    assert not bool(trusted[0, 0, 50, 50])
    assert not bool(trusted[0, 0, 20, 20])
    assert Impulse(detect=False).trusted(y) is None


@pytest.mark.parametrize(
    ("noise", "most", "prior", "gain"),
    [
        ({"name": "uniform", "width": 0.1}, 0.1, "tv", 3.0),
        ({"name": "quantisation", "step": 1 / 15}, 1 / 30, "tv", 0.0),
        ({"name": "quantisation", "step": 1 / 7}, 1 / 14, "drunet", 0.5),
    ],
)
def test_bounded_noise_is_removed(
    noise: dict[str, Any], most: float, prior: str, gain: float
) -> None:
    clean = camera()
    y = ipx.degrade(clean, noise=noise, seed=1)
    assert float((y - clean).abs().max()) <= most + 1e-6
    for told in (noise, {"name": noise["name"]}):
        found = ipx.solve(y, noise=told, prior=prior)
        assert float(psnr(found.x, clean)) > float(psnr(y, clean)) + gain


def test_levels_of_bounded_noise_are_estimated() -> None:
    clean = camera(128)
    y = Uniform(width=0.2).sample(clean, torch.Generator().manual_seed(0))
    assert float(Uniform().estimated(y).level) == pytest.approx(0.2, rel=0.15)  # type: ignore[arg-type]
    assert float(Uniform(width=0.3).deviation(y)) == pytest.approx(0.3 / 3**0.5)
    y = Quantisation(step=0.125).sample(clean, torch.Generator())
    assert float(Quantisation().estimated(y).level) == pytest.approx(0.125, rel=1e-4)  # type: ignore[arg-type]
    assert torch.equal(y, Quantisation(step=0.125).sample(y, torch.Generator()))


def test_speckle_is_the_likelihood_of_gamma_variables() -> None:
    p, y = torch.tensor([[0.5, 0.7, 1.2]]).double(), torch.tensor([[0.4, 0.9, 0.7]]).double()
    looks = 7.0
    gamma = torch.distributions.Gamma(looks, looks / p)
    best = torch.distributions.Gamma(looks, looks / y)
    direct = (best.log_prob(y) - gamma.log_prob(y)).sum(1) / looks
    assert torch.allclose(Speckle(looks=looks).nll(p, y), direct)
    clean = torch.full((1, 1, 128, 128), 0.4, dtype=torch.float64)
    drawn = Speckle(looks=looks).sample(clean, torch.Generator().manual_seed(0))
    assert float((drawn / clean).var()) == pytest.approx(1 / looks, rel=0.05)
    assert float(Speckle().estimated(drawn).level) == pytest.approx(looks, rel=0.1)  # type: ignore[arg-type]


def test_jpeg_is_that_of_pillow() -> None:
    clean = (255 * camera()).round() / 255
    for quality in (10, 50, 90):
        file = io.BytesIO()
        pixels = (255 * clean[0, 0]).round().byte().numpy()
        Image.fromarray(pixels).save(file, "JPEG", quality=quality)
        theirs = torch.from_numpy(np.asarray(Image.open(file)) / 255.0).float()
        ours = JPEG(quality=quality).sample(clean, torch.Generator())[0, 0]
        ours = (255 * ours).round() / 255  # as in a file
        # different rounding in the transform: single coefficients may be one step apart
        assert float((theirs - ours).abs().mean()) < 0.004
        found = int(JPEG().estimated(theirs[None, None]).level)  # type: ignore[arg-type]
        assert abs(found - quality) <= 1  # their tables are nearly the same
    assert int(steps(50, False)[0, 0] * 255) == 16


def test_blocks_are_orthonormal() -> None:
    x = torch.rand(2, 3, 16, 24, generator=torch.Generator().manual_seed(0)).double()
    c = blocks(x)
    assert torch.allclose(c.square().sum(), x.square().sum())
    assert torch.allclose(joined(c, 16, 24), x)
    assert blocks(x[..., :13, :17]).shape == (2, 3, 2, 3, 8, 8)


def test_jpeg_on_the_command_line(tmp_path: Path) -> None:
    images.write(tmp_path / "x.png", camera(64)[0].numpy())
    noise = ["--noise", "jpeg"]
    for line in (
        ["degrade", "x.png", "-o", "y.png", *noise, "--noise.quality", "10"],
        ["solve", "y.png", "-o", "z.png", *noise, "--json"],
    ):
        paths = [str(tmp_path / a) if a.endswith(".png") else a for a in line]
        done = CliRunner().invoke(cli, paths)
        assert done.exit_code == 0, done.output
    assert json.loads(done.stdout.splitlines()[-1])
    clean, y, z = (torch.from_numpy(images.read(tmp_path / f"{n}.png").pixels)[None] for n in "xyz")
    assert float(psnr(z, clean)) > float(psnr(y, clean)) + 0.8


TABLES = {0: [10 + 3 * i for i in range(64)], 1: [20 + 2 * i for i in range(64)]}


def jpeg_file(path: Path, orientation: int = 1, colour: bool = True) -> Tensor:
    """A JPEG file with tables of nobody's quality, 4:2:0; the clean picture, as it is stored."""
    grey = camera(96)[0, 0, :91, :85]
    clean = torch.stack([grey, grey**1.5, 1 - grey]) if colour else grey[None]
    pixels = (255 * clean).round().byte().permute(1, 2, 0).numpy()
    exif = Image.Exif()
    exif[274] = orientation
    Image.fromarray(pixels if colour else pixels[..., 0]).save(
        path, "JPEG", qtables=TABLES if colour else {0: TABLES[0]}, subsampling=2, exif=exif
    )
    return clean


def test_the_tables_of_a_jpeg_file_are_taken(tmp_path: Path) -> None:
    clean = jpeg_file(tmp_path / "y.jpg")[None]
    picture = images.read(tmp_path / "y.jpg")
    assert picture.storage.steps[0][0][1] == pytest.approx(13 / 255)
    assert picture.storage.steps[2][7][7] == pytest.approx((20 + 2 * 63) / 255)
    assert picture.storage.thinned == ((1, 1), (2, 2), (2, 2))
    line = ["solve", "y.jpg", "-o", "z.png", "--noise", "jpeg", "--prior", "tv"]
    paths = [str(tmp_path / a) if "." in a else a for a in line]
    done = CliRunner().invoke(cli, paths)
    assert done.exit_code == 0, done.output
    y, z = (torch.from_numpy(images.read(tmp_path / n).pixels)[None] for n in ("y.jpg", "z.png"))
    assert float(psnr(z, clean)) > float(psnr(y, clean)) + 0.4
    assert ipx.Storage((0.5,), (((2.0,),),)).divided(2).steps == (((1.0,),),)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_blocks_begin_where_the_file_begins(orientation: int, tmp_path: Path) -> None:
    """Also in a picture that is turned: the coefficients are multiples of the steps."""
    jpeg_file(tmp_path / "y.jpg", orientation, colour=False)
    picture = images.read(tmp_path / "y.jpg")
    y = torch.from_numpy(picture.pixels)[None]
    coding = Coding.of_file(picture.storage)
    (plane,) = coding.planes(y - 0.5)
    levels = (blocks(plane) / coding.step(0, y))[:, :, :-1, :-1]
    assert float((levels - levels.round()).abs().mean()) < 0.03
    model = JPEG().estimated(y, storage=picture.storage)
    assert 20 < float(model.level) < 50  # type: ignore[arg-type]


def test_a_name_of_another_kind_is_told() -> None:
    with pytest.raises(ipx.UnknownNameError, match="it is the name of a noise"):
        ipx.operator("jpeg", (1, 8, 8))


def test_what_is_no_jpeg_is_refused() -> None:
    with pytest.raises(ipx.InputError, match="quality cannot be estimated"):
        JPEG().estimated(torch.rand(1, 1, 64, 64, generator=torch.Generator().manual_seed(0)))
