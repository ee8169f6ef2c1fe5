"""The blur: its convolution, its PSFs, and what it refuses."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import imagecodecs
import numpy as np
import pytest
import tifffile
import torch
from scipy import ndimage

import ipx
from ipx_plugins.blur import BlurOptions
from ipx_plugins.blur.operator import Blur
from ipx_plugins.blur.psf import off_centre, psf_for
from small_operators import BOUNDARIES, PSFS, noise_like


@pytest.mark.parametrize("psf", PSFS, ids=str)
@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_blur_is_the_convolution_of_scipy(psf: dict[str, Any], boundary: str) -> None:
    operator = Blur((1, 17, 14), boundary=boundary, **psf)
    x = noise_like((1, 17, 14), count=1)
    modes = {"circular": "wrap", "zero": "constant", "reflect": "reflect", "replicate": "nearest"}
    h, w = operator.psf.shape
    reference = ndimage.convolve(
        x[0, 0].numpy(), operator.psf.numpy(), mode=modes.get(boundary, "constant")
    )
    if boundary == "valid":
        reference = reference[h - 1 - h // 2 : 17 - h // 2, w - 1 - w // 2 : 14 - w // 2]
    assert np.abs(operator(x)[0, 0].numpy() - reference).max() < 1e-13


@pytest.mark.parametrize("psf", PSFS, ids=str)
def test_psfs_sum_to_one_about_their_centre(psf: dict[str, Any]) -> None:
    h = psf_for(BlurOptions(**psf), None)
    assert float(h.sum()) == pytest.approx(1, abs=1e-14)
    assert bool((h >= 0).all())
    if h.shape[0] % 2:
        rows = torch.arange(h.shape[0]) - h.shape[0] // 2
        columns = torch.arange(h.shape[1]) - h.shape[1] // 2
        assert float((h.sum(1) * rows).sum()) == pytest.approx(0, abs=1e-10)
        assert float((h.sum(0) * columns).sum()) == pytest.approx(0, abs=1e-10)
    if BlurOptions(**psf).symmetric:
        assert torch.allclose(h, h.flip(0), atol=1e-16)
        assert torch.allclose(h, h.flip(1), atol=1e-16)


def test_psf_shapes() -> None:
    gaussian = psf_for(BlurOptions(sigma=1.5), None)
    x = torch.arange(gaussian.shape[0]) - gaussian.shape[0] // 2
    assert float((gaussian.sum(0) * x**2).sum()) == pytest.approx(1.5**2, rel=2e-3)
    disk = psf_for(BlurOptions(kind="disk", radius=5.0), None)
    assert float(disk.max()) == pytest.approx(1 / (np.pi * 25), rel=0.01)
    airy = psf_for(BlurOptions(kind="airy", radius=6.0), None)
    centre = airy.shape[0] // 2
    assert float(airy[centre, centre + 6]) == pytest.approx(0, abs=1e-12)  # the first dark ring
    line = psf_for(BlurOptions(kind="motion", length=7.0, angle=90.0), None)
    assert line.shape == (7, 1)
    one = psf_for(BlurOptions(kind="motion", length=7.0, angle=45.0), None)
    assert float(one[0, -1]) > float(one[0, 0])  # upwards to the right
    assert torch.equal(
        psf_for(BlurOptions(kind="random-motion", seed=5), None),
        psf_for(BlurOptions(kind="random-motion", seed=5), None),
    )


def test_a_gaussian_has_the_covariance_of_its_axes() -> None:
    """sigma^2 d d^T + across^2 n n^T, d the direction of angle, upwards in the picture."""
    h = psf_for(BlurOptions(sigma=4.0, across=1.5, angle=30.0), None)
    up, right = (torch.arange(n).double() - n // 2 for n in h.shape)
    up = -up[:, None]
    d, n = np.array([np.cos(np.pi / 6), 0.5]), np.array([-0.5, np.cos(np.pi / 6)])
    wanted = 16 * np.outer(d, d) + 2.25 * np.outer(n, n)
    found = [[(h * a * b).sum() for b in (right, up)] for a in (right, up)]
    assert np.allclose(np.array(found, float), wanted, rtol=3e-3)
    straight = psf_for(BlurOptions(sigma=4.0, across=1.5, angle=90.0), None)
    assert straight.shape == (33, 13)
    assert ipx.has(Blur((1, 40, 40), sigma=2.0, across=1.0, angle=90.0), ipx.Spectrum)
    tilted = Blur((1, 40, 40), sigma=2.0, across=1.0, angle=30.0)
    assert not ipx.has(tilted, ipx.Spectrum)  # a mirrored border mirrors the angle


def test_a_blur_along_one_axis() -> None:
    line = psf_for(BlurOptions(sigma=1.5, axis="horizontal"), None)
    assert line.shape == (1, 13)
    whole = psf_for(BlurOptions(sigma=1.5), None)
    other = psf_for(BlurOptions(sigma=1.5, axis="vertical"), None)
    assert torch.allclose(other * line, whole, atol=1e-15)
    assert psf_for(BlurOptions(kind="uniform", size=4, axis="vertical"), None).shape == (4, 1)
    for values in ({"kind": "disk", "axis": "vertical"}, {"kind": "motion", "across": 1.0}):
        with pytest.raises(ipx.OptionError, match="goes with kind"):
            BlurOptions(**values)
    with pytest.raises(ipx.OptionError, match="no across"):
        BlurOptions(axis="vertical", across=1.0)


@pytest.mark.parametrize("boundary", ["zero", "valid", "unknown"])
def test_the_bound_of_a_large_picture(boundary: str) -> None:
    for psf in ({"sigma": 1.5}, {"kind": "motion", "length": 7.0, "angle": 30.0}):
        large = Blur((1, 90, 80), boundary=boundary, **psf)
        x = torch.ones(1, 1, 90, 80, dtype=torch.float64)
        for _ in range(400):
            x = large.adjoint(large.forward(x))
            x = x / x.norm()
        assert large.bound() == 1 >= float(large.forward(x).norm()) > 0.99
        assert Blur((1, 24, 24), boundary=boundary, **psf).bound() is None
    assert Blur((1, 90, 80), boundary="reflect").bound() is None


def test_valid_sees_no_border() -> None:
    x = noise_like((1, 20, 18))
    valid = Blur((1, 20, 18), kind="disk", boundary="valid")
    inner = Blur((1, 20, 18), kind="disk", boundary="zero")(x)[..., 3:-3, 3:-3]
    assert valid.data_shape == (1, 14, 12)
    assert torch.allclose(valid(x), inner, atol=1e-14)
    seen = valid.preview(valid(x))
    assert torch.equal(seen[..., 3:-3, 3:-3], valid(x))
    assert torch.equal(seen[..., 0, :], seen[..., 3, :])


def test_psf_files(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    colour = rng.integers(0, 65535, (5, 3, 3), dtype=np.uint16)
    grey = colour.astype(float).mean(-1)
    (tmp_path / "psf.png").write_bytes(imagecodecs.png_encode(colour))
    tifffile.imwrite(tmp_path / "psf.tif", grey)
    np.save(tmp_path / "psf.npy", grey)
    made = [Blur((1, 9, 9), kernel=tmp_path / f"psf.{e}").psf for e in ("png", "tif", "npy")]
    for psf in made:
        assert np.allclose(psf.numpy(), grey / grey.sum(), atol=1e-12)
    options = BlurOptions(kernel=tmp_path / "psf.npy", boundary="circular")
    assert ipx.has(Blur((1, 9, 9), options), ipx.Spectrum)
    np.save(tmp_path / "psf.npy", np.eye(3))  # a new file of the same name is read anew
    assert torch.allclose(Blur((1, 9, 9), options).psf, torch.eye(3).double() / 3)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        (np.zeros((3, 3)), "sums to 0"),
        (-np.ones((3, 3)), "sums to -9"),
        (np.array([[1.0, -1.0]]), "sums to 0"),
        (np.array([[1.0, np.nan]]), "not finite"),
        (np.ones((11, 3)), "11 x 3 pixels is larger than the picture of 9 x 10"),
        (np.ones(3), r"shape \(3,\)"),
        (np.zeros((0, 0)), "shape"),
        (np.array(["a"]), "use numbers"),
    ],
)
def test_psf_files_that_cannot_be_used(tmp_path: Path, values: Any, words: str) -> None:
    np.save(tmp_path / "h.npy", values)
    with pytest.raises(ipx.InputError, match=words):
        Blur((1, 9, 10), kernel=tmp_path / "h.npy")


def test_errors_of_blur(tmp_path: Path) -> None:
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\nnothing")
    (tmp_path / "h.jpg").write_bytes(b"")
    shape = (1, 9, 9)
    with pytest.raises(ipx.InputError, match="there is no PSF file"):
        Blur(shape, kernel=tmp_path / "none.png")
    with pytest.raises(ipx.InputError, match="cannot be read"):
        Blur(shape, kernel=tmp_path / "bad.png")
    with pytest.raises(ipx.InputError, match="use PNG, TIFF, NPY, NPZ"):
        Blur(shape, kernel=tmp_path / "h.jpg")
    with pytest.raises(ipx.OptionError, match="needs a PSF file"):
        Blur(shape, kind="file")
    with pytest.raises(ipx.OptionError, match="sigma must be > 0"):
        Blur(shape, sigma=-1)
    with pytest.raises(ipx.ShapeError, match="take a smaller sigma"):
        Blur(shape, sigma=50)
    with pytest.raises(ipx.ShapeError, match="larger than the picture"):
        Blur(shape, boundary="valid")
    with pytest.raises(ipx.ShapeError, match=r"\(C, H, W\)"):
        Blur((9, 9))
    assert Blur((1, 9, 9), sigma=2).psf.shape == (9, 9)  # the tails are cut at the border


def test_a_stack_is_no_psf(tmp_path: Path) -> None:
    """Refused, as a stack is that is given as image; not averaged over one of its axes."""
    np.save(tmp_path / "stack.npy", np.ones((9, 5, 5)))
    tifffile.imwrite(tmp_path / "stack.tif", np.ones((3, 5, 5), np.uint8), photometric="minisblack")
    for name in ("stack.npy", "stack.tif"):
        with pytest.raises(ipx.InputError, match="stack"):
            Blur((1, 16, 16), kernel=tmp_path / name)
    colours = np.moveaxis(np.random.default_rng(0).random((3, 5, 5)).astype(np.float32), 0, -1)
    np.save(tmp_path / "colour.npy", colours)
    for name, planes in (("planar.tif", "separate"), ("chunky.tif", "contig")):
        stored = np.moveaxis(colours, -1, 0) if planes == "separate" else colours
        tifffile.imwrite(tmp_path / name, stored, photometric="rgb", planarconfig=planes)
        read = Blur((1, 16, 16), kernel=tmp_path / name).psf
        assert torch.equal(read, Blur((1, 16, 16), kernel=tmp_path / "colour.npy").psf)


@pytest.mark.parametrize(
    "psf", [*PSFS, {"kind": "random-motion", "length": 25, "seed": 7}], ids=str
)
def test_a_psf_in_the_middle_of_its_array_is_not_doubted(psf: dict[str, Any]) -> None:
    h = psf_for(BlurOptions(**psf), None)
    noise = torch.randn(h.shape, generator=torch.Generator().manual_seed(0), dtype=h.dtype)
    assert off_centre(h) is None
    assert off_centre((h + 0.02 * h.amax() * noise).clamp_min(0)) is None


def test_a_psf_off_the_middle_is_told(tmp_path: Path) -> None:
    """It displaced the image by four pixels, without a word."""
    h = np.zeros((15, 15))
    h[9:14, 9:14] = 1
    np.save(tmp_path / "psf.npy", h)
    y = ipx.degrade(noise_like((1, 32, 32), count=1)[0], op="blur", seed=1)
    blur = {"name": "blur", "kernel": tmp_path / "psf.npy"}
    for op in (blur, {"name": "compose", "parts": ["identity", blur]}):
        (line,) = [w for w in ipx.solve(y, op=op, prior="smooth").warnings if "PSF" in w]
        assert "off the middle of its array, by +4.0, +4.0 pixels in rows and columns" in line


def test_a_disk_smaller_than_a_pixel_is_a_point() -> None:
    assert torch.equal(ipx.operator("blur", (1, 8, 8), kind="disk", radius=0.05).psf,
                       torch.ones(1, 1, dtype=torch.float64))  # fmt: skip
