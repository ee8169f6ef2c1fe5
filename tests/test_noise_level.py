"""The noise level estimated from one image: photographs, hard images, JPEG files, k-space."""

from __future__ import annotations

import io
from functools import cache
from pathlib import Path

import numpy as np
import pytest
import skimage.data
import torch
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor
from torch.nn import functional

import ipx
from ipx import Storage
from ipx.files import images
from ipx_plugins.gaussian.compressed import past_errors
from ipx_plugins.gaussian.level import noise_level
from ipx_plugins.gaussian.patches import spread

F64 = torch.float64


def noisy(clean: Tensor, sigma: float) -> Tensor:
    """``(1, C, H, W)`` with noise."""
    generator = torch.Generator().manual_seed(1)
    return (clean + sigma * torch.randn(clean.shape, generator=generator, dtype=F64))[None]


def photograph(name: str) -> Tensor:
    """The corner of a photograph, means of 2 x 2 pixels, ``(C, 256, 256)``."""
    return _loaded(name).clone()


@cache
def _loaded(name: str) -> Tensor:
    pixels = torch.from_numpy(getattr(skimage.data, name)()[:512, :512]).to(F64) / 255
    pixels = pixels[None] if pixels.ndim == 2 else pixels[..., :3].permute(2, 0, 1)
    return functional.avg_pool2d(pixels[None], 2)[0]


@cache
def page(size: int, shrink: int = 1) -> Tensor:
    """Black text on white, ``(1, 256, 256)``."""
    side = 256 * shrink
    sheet = Image.new("L", (side, side), 255)
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(size)
    for k in range(0, side, size + 4):
        draw.text((4, k), "The quick brown fox jumps over the lazy dog 012 " * 2, 0, font)
    pixels = torch.from_numpy(np.array(sheet)).to(F64)[None, None] / 255
    return functional.avg_pool2d(pixels, shrink)[0]


def checkerboard() -> Tensor:
    i = torch.arange(256)
    return 0.1 + 0.8 * ((i[:, None] + i) % 2).to(F64)[None]


HARD = {
    "page of text": page(14),
    "small text": page(9),
    "text shrunk by 2": page(14, 2),
    "checkerboard": checkerboard(),
    "stripes": checkerboard()[:, :1].expand(1, 256, 256),
}


@pytest.mark.parametrize("name", ["camera", "astronaut", "rocket", "retina", "clock"])
@pytest.mark.parametrize("sigma", [0.01, 0.03, 0.1])
def test_photographs(name: str, sigma: float) -> None:
    (found,) = noise_level(noisy(photograph(name), sigma))
    assert found.sigma == pytest.approx(sigma, rel=0.1)
    assert found.block == 1


@pytest.mark.parametrize("name", list(HARD))
@pytest.mark.parametrize("sigma", [0.004, 0.02, 0.05])
def test_hard_images(name: str, sigma: float) -> None:
    """Text was taken for noise of 0.35, a checkerboard of 0.02 for one of 0.81."""
    (found,) = noise_level(noisy(HARD[name], sigma))
    assert found.sigma == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize("name", list(HARD))
def test_no_noise_is_recognised(name: str) -> None:
    (found,) = noise_level(HARD[name][None])
    assert found.sigma < 1e-6


@pytest.mark.parametrize("sigma", [0.02, 0.05])
def test_clipped_noise_in_dark_parts_does_not_count(sigma: float) -> None:
    """Half of the noise is gone there."""
    clean = photograph("camera")
    clean[:, :, :100] = 0
    (found,) = noise_level((noisy(clean, sigma).clamp(0, 1) * 255).round() / 255)
    assert found.sigma == pytest.approx(sigma, rel=0.1)


@pytest.mark.parametrize("axis", [0, 1])
def test_a_line_of_pixels(axis: int) -> None:
    line = photograph("camera")[:, 100:101] if axis == 0 else photograph("camera")[:, :, 100:101]
    (found,) = noise_level(noisy(line, 0.03))
    assert found.sigma == pytest.approx(0.03, rel=0.2)


def test_estimates_that_disagree_are_told() -> None:
    model = ipx.noise("gaussian").estimated(noisy(page(14, 2), 0.02))
    assert len(model.remarks) == 1
    assert "estimates of the noise level disagree (0.0535 and 0.019" in model.remarks[0]
    assert not ipx.noise("gaussian").estimated(noisy(photograph("camera"), 0.02)).remarks
    how = ipx.solve(noisy(page(14, 2), 0.02), prior="tv", lam=0.01, iterations=2)
    assert how.warnings[0] == model.remarks[0]


def stored(
    quality: int, sigma: float, folder: Path, part: slice = slice(32, 192)
) -> tuple[images.Picture, Tensor]:
    """A blurred photograph with noise, as a JPEG file, and the photograph; a part of its sides."""
    clean = photograph("camera")[:, part, part].float()
    blur = {"name": "blur", "sigma": 1.6}
    y = ipx.degrade(clean, op=blur, noise={"name": "gaussian", "sigma": sigma}, seed=1)
    file = io.BytesIO()
    pixels = (255 * y[0].clamp(0, 1)).round().byte().numpy()
    Image.fromarray(pixels).save(file, "JPEG", quality=quality)
    (folder / "y.jpg").write_bytes(file.getvalue())
    return images.read(folder / "y.jpg"), clean


@pytest.mark.parametrize("quality", [95, 90, 80, 60])
def test_noise_before_jpeg_compression(quality: int, tmp_path: Path) -> None:
    """The finest details of quality 80 and 60 have no noise left."""
    picture, _ = stored(quality, 0.03, tmp_path, slice(None))
    assert list(picture.storage.errors) == sorted(picture.storage.errors, reverse=True)
    y = torch.from_numpy(picture.pixels)[None]
    (found,) = noise_level(y, floor=picture.storage.errors)
    assert found.sigma == pytest.approx(0.03, rel=0.15)
    assert (noise_level(y)[0].sigma < 0.005) == (quality in (80, 60))


BYTE = Storage(errors=(1 / 255 / 12**0.5,))
"""The storage of 8 bits."""


@pytest.mark.parametrize("quality", [95, 80, 60, 30])
@pytest.mark.parametrize("sigma", [0.0, 0.03])
def test_traces_of_an_earlier_compression(quality: int, sigma: float, tmp_path: Path) -> None:
    """The steps of the lower frequencies, which have coefficients, are those of the file."""
    picture, _ = stored(quality, sigma, tmp_path)
    crop = torch.from_numpy(picture.pixels)[None, :, 3:, 5:]
    found = past_errors(crop, BYTE.errors[0])
    assert found is not None
    assert found[2] == pytest.approx(picture.storage.errors[2], rel=0.01)
    assert found[1] == pytest.approx(picture.storage.errors[1], rel=0.25)
    assert found[0] <= 1.01 * picture.storage.errors[0]


@pytest.mark.parametrize("sigma", [0.0, 0.02])
@pytest.mark.parametrize("name", ["camera", "squares", "doubled", "module", "flat", *HARD])
def test_no_traces_of_compression(name: str, sigma: float) -> None:
    """Squares and modules of 8 pixels have blocks of zeros, too."""
    ramp = torch.linspace(0.2, 0.7, 256, dtype=F64).expand(1, 256, 256)
    camera, cells = photograph("camera"), torch.arange(256) // 8
    images = {
        "camera": camera,
        "squares": 0.2 + 0.5 * ((cells[:, None] + cells) % 2).to(F64)[None],
        "doubled": camera[:, :128, :128].repeat_interleave(2, 1).repeat_interleave(2, 2),
        "module": camera[:, ::8, ::8].repeat_interleave(8, 1).repeat_interleave(8, 2),
        "flat": ramp,
        **HARD,
    }
    y = (noisy(images[name], sigma).clamp(0, 1) * 255).round() / 255
    assert past_errors(y, BYTE.errors[0]) is None


def test_a_crop_of_a_jpeg_stored_as_png(tmp_path: Path) -> None:
    """With a blur and noise before quality 60: the level was 0.001, the result 18.9 dB."""
    picture, clean = stored(60, 0.03, tmp_path)
    crop = torch.from_numpy(picture.pixels)[:, 3:, 5:]
    how = ipx.solve(crop, op={"name": "blur", "sigma": 1.6}, prior="tv", storage=BYTE)
    assert how.level[0] == pytest.approx(0.03, rel=0.25)
    assert float(ipx.psnr(how.x, clean[:, 3:, 5:])[0]) > 1 + float(
        ipx.psnr(crop, clean[:, 3:, 5:])[0]
    )
    assert not how.warnings


@pytest.mark.parametrize("prior", ["tv", "drunet"])
def test_a_jpeg_file_is_restored(prior: str, tmp_path: Path) -> None:
    """At quality 80 the result was noise: 6.8 dB with drunet."""
    picture, clean = stored(80, 0.03, tmp_path)
    y = torch.from_numpy(picture.pixels)
    how = ipx.solve(y, op={"name": "blur", "sigma": 1.6}, prior=prior, storage=picture.storage)
    start = float(ipx.psnr(y, clean)[0])
    assert float(ipx.psnr(how.x, clean)[0]) > start + 1
    assert not how.warnings


def test_rounding_bounds_the_level_from_below() -> None:
    flat = torch.full((1, 1, 64, 64), 0.5)
    assert noise_level(flat, floor=(0.00113,))[0].sigma == pytest.approx(0.00113)


def test_the_discrepancy_on_block_means(tmp_path: Path) -> None:
    """Without cross-validation, too: the target is that of the block means."""
    picture, clean = stored(80, 0.03, tmp_path)
    y = torch.from_numpy(picture.pixels)
    op, tuner = {"name": "blur", "sigma": 1.6}, "discrepancy"
    how = ipx.solve(y, op=op, prior="tv", tuner=tuner, storage=picture.storage)
    assert float(ipx.psnr(how.x, clean)[0]) > float(ipx.psnr(y, clean)[0]) + 1
    assert not how.warnings


@pytest.mark.parametrize("count", [1, 7, 40_000, 23_960_016, 59_830_860])
def test_indices_stay_in_range(count: int) -> None:
    """Those of large photographs left it when they were computed in float32."""
    found = spread(count, 20_000, torch.device("cpu"))
    assert found[0] == 0
    assert found[-1] == count - 1
    assert bool((found.diff() > 0).all())


def test_a_jpeg_of_one_row() -> None:
    y = noisy(photograph("camera")[:, 100:101], 0.03)
    assert noise_level(y, floor=(0.03, 0.01, 0.005))[0].sigma > 0


@pytest.mark.parametrize("kind", ["lines", "radial", "random"])
def test_opposite_frequencies_tell_the_level_of_k_space(kind: str) -> None:
    """Noise of 0.004 in a photograph; the highest frequencies gave 0.023 to 0.092."""
    clean = torch.from_numpy(skimage.data.camera()[160:256, 200:296] / 255.0).float()[None]
    for centred in (False, True):
        op = {"name": "fourier", "kind": kind, "seed": 1, "centred": centred}
        y = ipx.degrade(clean, op=op, noise={"name": "gaussian", "sigma": 0.004}, seed=1)
        level = ipx.solve(y, op=op, prior="smooth", lam=0.01).level[0]
        assert level == pytest.approx(0.004, rel=0.05)


def test_an_image_that_is_not_real_is_no_noise() -> None:
    """Its opposite frequencies are no pairs; the highest frequencies have the noise."""
    op = ipx.operator("fourier", (1, 64, 64), share=1.0)
    wave = torch.exp(1j * torch.arange(64) / 9) * torch.hann_window(64)[:, None]
    c = torch.fft.fft2(wave, norm="ortho")
    noise = 0.02 * torch.randn(1, 2, 64, 64, generator=torch.Generator().manual_seed(0))
    quiet = op.quiet(torch.stack([c.real, c.imag])[None] + noise)
    assert quiet is not None
    assert float(quiet.abs().median()) / 0.6745 < 0.03


@pytest.mark.parametrize("sigma", [0.0, 0.004])
def test_frequencies_that_a_blur_removes_tell_the_level(sigma: float) -> None:
    """Black text behind the motion of a camera; its edges were taken for noise of 0.02."""
    op = {"name": "blur", "kind": "motion", "length": 9, "angle": 30}
    y = ipx.degrade(
        page(5)[:, :96, :96].float(), op=op, noise={"name": "gaussian", "sigma": sigma}, seed=1
    )
    assert float(ipx.noise("gaussian").estimated(y[None]).level) > 1.5 * sigma
    assert ipx.solve(y, op=op, prior="smooth", lam=0.01).level[0] < max(1.15 * sigma, 0.001)


def test_noise_that_is_cut_off_counts_as_a_whole() -> None:
    """Half of the noise of a black picture is left: its error is sigma / sqrt(2), its std 0.58."""
    black = torch.zeros(1, 1, 96, 96)
    for end in (0.0, 1.0):
        y = (black + end + 0.08 * torch.randn(1, 1, 96, 96, generator=torch.Generator())).clamp(
            0, 1
        )
        level = ipx.noise("gaussian").estimated(y).level
        assert 0.8 < float(level) / (0.08 / 2**0.5) < 1.0
        cut_half = y.clone()
        cut_half[..., :60] = 0.5 + 0.08 * torch.randn(1, 1, 96, 60, generator=torch.Generator())
        found = ipx.noise("gaussian").estimated(cut_half).level  # the other half tells it
        assert float(found) == pytest.approx(0.08, rel=0.12)


def test_a_small_page_of_text_is_not_taken_for_noise() -> None:
    """Text shrunk to 48 x 48: few details are off the ends of the range, so that all count."""
    sheet = Image.new("L", (96, 96), 255)
    for row in range(0, 96, 14):
        text = "jumps over the lazy dog"
        ImageDraw.Draw(sheet).text((2, row), text, 0, ImageFont.load_default(11))
    page = torch.from_numpy(np.asarray(sheet) / 255.0).float().view(1, 1, 48, 2, 48, 2).mean((3, 5))
    assert float(ipx.noise("gaussian").estimated(page).level) < 0.002  # was 0.11


@pytest.mark.slow
def test_a_part_of_a_large_image_tells_its_noise() -> None:
    ramp = torch.linspace(0.2, 0.8, 4112)
    y = ramp + 0.03 * torch.randn(1, 1, 2064, 4112, generator=torch.Generator().manual_seed(0))
    assert noise_level(y)[0].sigma == pytest.approx(0.03, rel=0.02)
