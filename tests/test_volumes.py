"""Volumes and stacks: operators and priors of three axes, files, the command line."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import pywt
import scipy.ndimage
import scipy.special
import tifffile
import torch

import ipx
from command_line import call
from ipx.errors import OptionError
from ipx.files import images
from ipx.files.planes import sections
from ipx.files.storage import Storage
from ipx.solving.levels import estimated
from ipx_plugins.blur.microscope import first_zeros, radial
from ipx_plugins.blur.optics import MicroscopeOptions

SHAPE = (8, 16, 16)


def boxes(depth: int = 8, side: int = 16) -> np.ndarray[Any, Any]:
    """A volume of two bright boxes on a dark ground."""
    x = np.full((depth, side, side), 0.1, np.float32)
    x[2:5, 3:9, 4:11] = 0.8
    x[4:7, 8:14, 2:6] = 0.5
    return x


TRUTH = boxes()
BLUR = {"name": "blur", "sigma": 1.0, "sigma_z": 1.5}


# ---------------------------------------------------------------- operators and priors


@pytest.mark.parametrize("boundary", ["circular", "reflect", "zero", "replicate"])
def test_a_gaussian_of_a_volume_is_that_of_scipy(boundary: str) -> None:
    op = ipx.operator("blur", (1, 32, 24, 20), sigma=1.2, sigma_z=2.0, boundary=boundary)
    x = torch.rand(1, 1, 32, 24, 20, dtype=torch.float64)
    mode = {"circular": "wrap", "zero": "constant", "replicate": "nearest"}.get(boundary, boundary)
    theirs = x[0, 0].numpy()
    for axis, sigma in enumerate((2.0, 1.2, 1.2)):
        reach = math.ceil(4 * sigma)
        theirs = scipy.ndimage.gaussian_filter1d(theirs, sigma, axis, mode=mode, radius=reach)
    assert np.allclose(op(x)[0, 0].numpy(), theirs, atol=1e-12)


def test_planes_stay_apart_without_a_width_in_depth() -> None:
    """sigma_z = 0, and a PSF of one plane: each plane is blurred as a picture."""
    x = torch.rand(1, 1, *SHAPE, dtype=torch.float64)
    whole = ipx.operator("blur", (1, *SHAPE), sigma=1.0, sigma_z=0.0)(x)
    plane = ipx.operator("blur", (1, 16, 16), sigma=1.0)
    assert torch.allclose(whole[:, :, 3], plane(x[:, :, 3]), atol=1e-13)


def test_psf_of_a_file(tmp_path: Path) -> None:
    """A PSF of three axes blurs volumes, and is refused for pictures."""
    psf = np.zeros((3, 5, 5), np.float32)
    psf[0, 2, 2] = psf[1, 2, 3] = 1.0
    path = tmp_path / "psf.tif"
    tifffile.imwrite(path, psf, photometric="minisblack")
    x = torch.rand(1, 1, *SHAPE, dtype=torch.float64)
    y = ipx.operator("blur", (1, *SHAPE), kernel=path, boundary="circular")(x)
    assert torch.allclose(y, (x.roll(-1, 2) + x.roll(1, 4)) / 2, atol=1e-12)
    with pytest.raises(ipx.InputError, match="a stack, the PSF of a volume"):
        ipx.operator("blur", (1, 16, 16), kernel=path)


def test_kinds_of_psf_that_are_flat() -> None:
    with pytest.raises(ipx.ShapeError, match="takes pictures, not volumes"):
        ipx.operator("blur", (1, *SHAPE), kind="disk")
    with pytest.raises(OptionError, match="sigma_z goes with kind gaussian"):
        ipx.operator("blur", (1, *SHAPE), kind="disk", sigma_z=1.0)


def test_psf_of_a_microscope_is_that_of_born_and_wolf() -> None:
    """In focus the Airy pattern; along the axis (sin(u/4) / (u/4))^2 for a small aperture."""
    optics = MicroscopeOptions(na=0.3, wavelength=0.5, index=1.0, sample_index=1.0)
    r = torch.linspace(0.01, 4, 50, dtype=torch.float64)
    v = 2 * math.pi / 0.5 * 0.3 * r
    flat = radial(optics, r, torch.zeros(1, dtype=torch.float64))[0]
    airy = (2 * torch.from_numpy(scipy.special.j1(v.numpy())) / v) ** 2
    assert torch.allclose(4 * flat, airy, atol=1e-12)
    z = torch.linspace(-9, 9, 31, dtype=torch.float64)
    u = 2 * math.pi / 0.5 * 0.3**2 * z
    axial = 4 * radial(optics, torch.zeros(1, dtype=torch.float64), z)[:, 0]
    assert torch.allclose(axial, torch.sinc(u / 4 / math.pi) ** 2, atol=0.02)
    ring, lobe = first_zeros(optics)
    assert ring * optics.pixel == pytest.approx(3.8317 / (2 * math.pi / 0.5 * 0.3), rel=2e-3)
    assert lobe * optics.step == pytest.approx(4 * math.pi / (2 * math.pi / 0.5 * 0.3**2))


def test_depth_below_water_makes_the_psf_uneven() -> None:
    """Another index than that of the immersion: light on one side of the focus only."""
    z = torch.linspace(-3, 3, 31, dtype=torch.float64)
    axis = torch.zeros(1, dtype=torch.float64)
    even, uneven = (
        radial(MicroscopeOptions(depth=depth, sample_index=1.4), axis, z)[:, 0]
        for depth in (0.0, 8.0)
    )
    assert torch.allclose(even, even.flip(0), rtol=1e-9)
    assert float((uneven - uneven.flip(0)).abs().sum() / uneven.sum()) > 0.5
    with pytest.raises(OptionError, match=r"above the index 1\.33 of the immersion"):
        MicroscopeOptions(index=1.33)


def test_tv_of_an_edge_across_the_depth() -> None:
    """R of a step along z is its area times its height, times the factor of the depth."""
    x = torch.zeros(1, 1, *SHAPE, dtype=torch.float64)
    x[:, :, 4:] = 0.5
    for depth in (1.0, 0.25):
        assert float(ipx.prior("tv", depth=depth).value(x)) == pytest.approx(128 * depth)


def test_tv_prox_agrees_with_another_solver() -> None:
    """The dual projection and ADMM reach one minimum."""
    y = torch.rand(1, 1, 4, 8, 8, generator=torch.Generator().manual_seed(0)).double()
    tv = ipx.prior("tv", tol=1e-7, iterations=2000, depth=0.6)
    problem = ipx.Problem(y, ipx.operator("identity", y.shape[1:]), ipx.noise("gaussian"), tv, 0.1)
    other = ipx.iterate(problem, ipx.solver("admm"), iterations=2000, tol=1e-9)
    assert torch.allclose(tv.prox(y, 0.1), other.x, atol=2e-3)
    assert float(problem.objective(tv.prox(y, 0.1))) <= float(problem.objective(other.x)) * 1.00001


def test_smooth_solves_the_normal_equations() -> None:
    """argmin |x - u|^2 / 2 + t R(x): its gradient vanishes."""
    u = torch.rand(1, 1, *SHAPE, dtype=torch.float64)
    prior = ipx.prior("smooth", depth=0.5)
    x = prior.prox(u, 0.7)
    assert float((x - u + 0.7 * prior.grad(x)).abs().max()) < 1e-12


def test_wavelets_of_a_volume_are_those_of_pywavelets() -> None:
    """The approximation, and the energy of the details, of the periodised transform."""
    x = torch.rand(1, 1, 8, 16, 12, dtype=torch.float64)
    prior = ipx.prior("wavelet", wavelet="db2", levels=1, invariant=False)
    c = prior.linear_part((1, 8, 16, 12)).forward(x)
    theirs = pywt.wavedecn(x[0, 0].numpy(), "db2", "periodization", 1)
    assert np.allclose(c[0, 0, :4, :8, :6].numpy(), theirs[0], atol=1e-12)
    details = sum(np.abs(v).sum() for level in theirs[1:] for v in level.values())
    assert float(prior.value(x)) == pytest.approx(details)
    assert torch.allclose(prior.linear_part((1, 8, 16, 12)).adjoint(c), x, atol=1e-12)


def test_noise_of_a_volume_is_found() -> None:
    noisy = torch.full((2, 1, 4, 32, 32), 0.5) + 0.05 * torch.randn(2, 1, 4, 32, 32)
    level = estimated(ipx.noise("gaussian"), noisy, None, ipx.Storage()).level
    assert level is not None
    assert torch.as_tensor(level).shape == (2,)
    assert torch.allclose(torch.as_tensor(level), torch.tensor(0.05), rtol=0.15)


@pytest.mark.parametrize("model", ["poisson", "poisson-gaussian"])
def test_noise_of_dim_volumes_is_found(model: str) -> None:
    """Data are divided by their largest value then, and so is an offset, one for each volume."""
    rng = np.random.default_rng(0)
    truth = boxes(side=48)
    y = np.stack([rng.poisson(peak * truth) / peak for peak in (40, 160)])[:, None]
    both = ipx.noise(model).scaled(torch.tensor([100.0, 50.0]))
    found = estimated(both, torch.from_numpy(y), None, ipx.Storage())
    for number, volume in enumerate(torch.from_numpy(y)):
        one = ipx.noise(model).scaled(torch.tensor([10.0]))
        alone = estimated(one, volume[None], None, ipx.Storage())
        assert alone.level is not None
        level = float(torch.as_tensor(alone.level))
        assert float(torch.as_tensor(found.taken([number]).level)) == pytest.approx(level)
        assert model != "poisson" or level == pytest.approx((40, 160)[number], rel=0.3)


@pytest.mark.parametrize(
    ("solver", "prior", "noise"),
    [
        ("richardson-lucy", "none", {"name": "poisson", "peak": 500}),
        ("pdhg", "tv", {"name": "poisson", "peak": 500}),
        ("admm", "tv", {"name": "gaussian", "sigma": 0.02}),
        ("fista", "tv", {"name": "gaussian", "sigma": 0.02}),
        ("direct", "smooth", {"name": "gaussian", "sigma": 0.02}),
    ],
)
def test_volumes_are_restored(solver: str, prior: str, noise: dict[str, Any]) -> None:
    y = ipx.degrade(TRUTH, op=BLUR, noise=noise, axes="ZYX")
    lam = {} if prior == "none" else {"lam": 0.002}
    how = ipx.solve(
        y, op=BLUR, noise=noise, prior=prior, solver=solver, axes="ZYX", iterations=60, **lam
    )
    assert how.image.shape == SHAPE
    gain = ipx.psnr(how.image, TRUTH, axes="ZYX") - ipx.psnr(y, TRUTH, axes="ZYX")
    assert float(gain) > 1.0


def test_what_is_for_pictures_is_refused() -> None:
    with pytest.raises(
        ipx.PlanError,
        match=r"prior bm3d takes no volumes; priors that do: .*tv, wavelet \(invariant=False\)",
    ):
        ipx.solve(TRUTH, prior="bm3d", axes="ZYX")
    with pytest.raises(ipx.PlanError, match="operator inpaint takes no volumes"):
        ipx.solve(TRUTH, op={"name": "inpaint", "missing": 0.5}, prior="tv", axes="ZYX")


def test_auto_finds_a_prior_for_a_volume() -> None:
    how = ipx.solve(TRUTH, noise={"name": "gaussian", "sigma": 0.02}, axes="ZYX", iterations=5)
    assert how.plan.prior == "tv"


def test_sections_show_plane_and_depth() -> None:
    shown = sections(TRUTH[None])
    assert shown.shape == (1, 16 + 2 + 8, 16)
    assert np.array_equal(shown[0, :16], TRUTH[4])
    assert np.isnan(shown[0, 16:18]).all()
    assert np.array_equal(shown[0, 18:], TRUTH[:, 8])


# ---------------------------------------------------------------- files


def planes(*size: int) -> np.ndarray[Any, Any]:
    return np.random.default_rng(0).integers(0, 60000, size).astype(np.uint16)


def test_imagej_volume_comes_back(tmp_path: Path) -> None:
    """Axes, size of a voxel and unit are kept."""
    path, out = tmp_path / "a.tif", tmp_path / "b.tif"
    told = {"axes": "ZYX", "spacing": 0.5, "unit": "um", "finterval": 2.0}
    tifffile.imwrite(path, planes(5, 8, 6), imagej=True, resolution=(10, 10), metadata=told)
    picture = images.read(path, stacks=True)
    assert (picture.axes, picture.order, picture.shape) == ("CZYX", "ZYX", (1, 5, 8, 6))
    assert picture.spacing == pytest.approx((0.5, 0.1, 0.1))
    images.write(out, picture.pixels, picture)
    again = images.read(out, stacks=True)
    assert np.array_equal(again.pixels, picture.pixels)
    assert again.spacing == pytest.approx(picture.spacing)
    assert again.dtype == "uint16"
    with tifffile.TiffFile(out) as tif:
        assert tif.is_imagej
        assert tif.series[0].axes == "ZYX"
        assert tif.imagej_metadata["finterval"] == 2.0


def test_one_plane_of_imagej_keeps_its_scale(tmp_path: Path) -> None:
    path, out = tmp_path / "a.tif", tmp_path / "b.tif"
    tifffile.imwrite(path, planes(8, 6), imagej=True, resolution=(8, 8), metadata={"unit": "um"})
    picture = images.read(path)
    assert (picture.axes, picture.spacing) == ("CYX", (0.125, 0.125))
    images.write(out, picture.pixels, picture)
    again = images.read(out)
    assert again.spacing == picture.spacing
    assert np.array_equal(again.pixels, picture.pixels)


def test_ome_keeps_channels_and_sizes(tmp_path: Path) -> None:
    path, out = tmp_path / "a.ome.tif", tmp_path / "b.ome.tif"
    told = {
        "axes": "TCZYX",
        "PhysicalSizeX": 100.0,
        "PhysicalSizeXUnit": "nm",
        "PhysicalSizeY": 0.1,
        "PhysicalSizeZ": 0.3,
        "Channel": {"Name": ["DAPI", "GFP"]},
    }
    tifffile.imwrite(path, planes(3, 2, 4, 8, 6), ome=True, metadata=told)
    picture = images.read(path, stacks=True)
    assert (picture.axes, picture.pixels.shape) == ("TCZYX", (3, 2, 4, 8, 6))
    assert picture.spacing == pytest.approx((0.3, 0.1, 0.1))
    images.write(out, picture.pixels, picture)
    assert np.array_equal(tifffile.imread(out), tifffile.imread(path))
    with tifffile.TiffFile(out) as tif:
        assert "DAPI" in tif.ome_metadata
        assert tif.series[0].axes == "TCZYX"


def test_pages_need_a_word(tmp_path: Path) -> None:
    path, out = tmp_path / "a.tif", tmp_path / "b.tif"
    tifffile.imwrite(out, planes(4, 8, 6), imagej=True, metadata={"axes": "ZYX"})
    with tifffile.TiffWriter(path) as tif:
        for page in planes(4, 8, 6):
            tif.write(page, photometric="minisblack", contiguous=False)
    with pytest.raises(ipx.InputError, match=r"stack of 4 pages; .*TYX .* ZYX .* CYX"):
        images.read(path, stacks=True)
    assert images.read(path, axes="TYX").axes == "TCYX"
    assert images.read(path, axes="ZYX").shape == (1, 4, 8, 6)
    assert images.read(path, axes="CYX").shape == (4, 8, 6)
    with pytest.raises(ipx.InputError, match="one picture is wanted"):
        images.read(out)
    with pytest.raises(ipx.InputError, match="axes YX name 2"):
        images.read(path, axes="YX")
    with pytest.raises(OptionError, match="such as ZYX; not 'ZYY'"):
        images.read(path, axes="ZYY")


@pytest.mark.parametrize("suffix", [".npy", ".npz"])
@pytest.mark.parametrize("axes", ["ZYX", "TYX", "YXC", "CTYX", "TZCYX"])
def test_arrays_come_back_in_their_order(tmp_path: Path, suffix: str, axes: str) -> None:
    size = {"T": 3, "Z": 4, "C": 2, "Y": 8, "X": 6}
    array = planes(*(size[a] for a in axes))
    path, out = tmp_path / f"a{suffix}", tmp_path / f"b{suffix}"
    np.save(path, array) if suffix == ".npy" else np.savez(path, image=array)
    picture = images.read(path, axes=axes)
    images.write(out, picture.pixels, picture)
    stored = np.load(out)
    assert np.array_equal(stored if suffix == ".npy" else stored["image"], array)


def test_one_picture_formats_say_so(tmp_path: Path) -> None:
    images.write(tmp_path / "a.png", np.zeros((1, 8, 8)))
    with pytest.raises(ipx.InputError, match="PNG holds one picture; axes are those of TIFF"):
        images.read(tmp_path / "a.png", axes="ZYX")
    with pytest.raises(ipx.InputError, match=r"PNG holds no stacks and volumes; write .tif"):
        images.encoded(tmp_path / "b.png", np.zeros((1, 2, 8, 8)), axes="CZYX", dtype="uint8")


# ---------------------------------------------------------------- the command line


def test_a_volume_through_the_command_line(tmp_path: Path) -> None:
    """Degraded and restored: axes and voxel size are kept, panel and page are made."""
    clean = tmp_path / "clean.tif"
    told = {"axes": "ZYX", "spacing": 0.3, "unit": "um"}
    tifffile.imwrite(clean, boxes(), imagej=True, resolution=(10, 10), metadata=told)
    data, out = tmp_path / "data.tif", tmp_path / "out.tif"
    op = ("--op", "blur", "--op.sigma", "1", "--op.sigma-z", "1.5")
    noise = ("--noise", "poisson", "--noise.peak", "500")
    assert call("degrade", clean, "-o", data, *op, *noise).exit_code == 0
    done = call(
        "solve", data, "-o", out, *op, *noise, "--prior", "none", "--solver", "richardson-lucy",
        "--truth", clean, "--panel", tmp_path / "p.png", "--report", tmp_path / "r.html",
    )  # fmt: skip
    assert "PSNR" in done.stdout
    with tifffile.TiffFile(out) as tif:
        assert tif.series[0].axes == "ZYX"
        assert tif.series[0].shape == SHAPE
        assert tif.imagej_metadata["spacing"] == pytest.approx(0.3)
    again = call("solve", data, "--prior", "bm3d", "-o", tmp_path / "no.tif")
    assert again.exit_code == 2
    assert "takes no volumes" in again.stderr


def test_a_stack_has_one_weight(tmp_path: Path) -> None:
    """Each picture is restored with the weight and the level of all."""
    rng = np.random.default_rng(0)
    stack = np.stack([np.roll(boxes(1, 32)[0], i, 0) for i in range(2)])
    stack[:, 8:22, 10:28] = 0.7
    path, out = tmp_path / "a.npy", tmp_path / "b.npy"
    np.save(path, (stack + 0.05 * rng.standard_normal(stack.shape)).astype(np.float32))
    done = call("solve", path, "-o", out, "--axes", "TYX", "--prior", "tv", "--json")
    found = json.loads(done.stdout)
    assert 0.03 < found["sigma"] < 0.07
    assert isinstance(found["lam"], float)
    restored = np.load(out)
    assert restored.shape == stack.shape
    assert np.square(restored - stack).mean() < 0.3 * 0.05**2
    one = ipx.restore(
        np.load(path)[1], prior="tv", lam=found["lam"], unit=1.0,
        noise={"name": "gaussian", "sigma": found["sigma"]},
    )  # fmt: skip
    assert np.allclose(restored[1], one, atol=1e-6)


def test_the_record_of_a_stack_repeats_its_run(tmp_path: Path) -> None:
    """Prior and solver that were chosen are in it; options of a named solver count."""
    rng = np.random.default_rng(0)
    stack = np.stack([np.roll(boxes(1, 32)[0], i, 0) for i in range(2)])
    path = tmp_path / "a.npy"
    np.save(path, (stack + 0.05 * rng.standard_normal(stack.shape)).astype(np.float32))
    done = call("solve", path, "-o", tmp_path / "b.npy", "--axes", "TYX")
    assert done.exit_code == 0, done.output
    record = json.loads((tmp_path / "b.npy.json").read_text())
    assert record["config"]["prior"]["name"] != "auto"
    assert record["config"]["solver"]["name"] != "auto"
    assert record["result"]["rule"] != "given"
    config = tmp_path / "b.npy.json"
    again = call("solve", path, "--config", config, "-o", tmp_path / "c.npy")
    assert again.exit_code == 0, again.output
    assert np.allclose(np.load(tmp_path / "c.npy"), np.load(tmp_path / "b.npy"), atol=1e-5)
    words = ("--axes", "TYX", "--solver", "admm", "--solver.rho", "5", "--iterations", "3")
    call("solve", path, "-o", tmp_path / "d.npy", *words)
    told = json.loads((tmp_path / "d.npy.json").read_text())
    assert told["config"]["solver"]["rho"] == 5


@pytest.mark.parametrize("prior", ["tv", "drunet"])
def test_a_dim_stack_is_restored_like_a_bright_one(tmp_path: Path, prior: str) -> None:
    """Of 16 bits a microscope uses few: the pictures became flat, without a word."""
    rng = np.random.default_rng(0)
    stack = np.stack([np.roll(boxes(1, 32)[0], i, 0) for i in range(2)])
    noisy = stack + 0.05 * rng.standard_normal(stack.shape)
    found = {}
    for name, scale in (("bright", 0.5), ("dim", 0.004)):
        path, out = tmp_path / f"{name}.npy", tmp_path / f"{name}-out.npy"
        np.save(path, (scale * noisy).astype(np.float32))
        call("solve", path, "-o", out, "--axes", "TYX", "--prior", prior)
        found[name] = float(np.square(np.load(out) / scale - stack).mean())
    assert found["dim"] < 1.2 * found["bright"]
    assert found["dim"] < 0.5 * 0.05**2


def test_trial_pictures_of_a_stack_are_not_solved_twice(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from ipx.solving import trials

    runs: list[int] = []
    real = trials.iterate
    monkeypatch.setattr(trials, "iterate", lambda *a, **k: runs.append(1) or real(*a, **k))
    rng = np.random.default_rng(0)
    film = (0.5 + 0.05 * rng.standard_normal((4, 16, 16))).astype(np.float32)
    np.save(tmp_path / "film.npy", film)
    words = ("--axes", "TYX", "--prior", "tv", "--lam", "0.01", "--iterations", "3")
    told = call("solve", tmp_path / "film.npy", *words)
    assert told.exit_code == 0, told.output
    assert len(runs) == 4


def test_a_psf_with_other_pixels_is_said(tmp_path: Path) -> None:
    data, psf = tmp_path / "data.tif", tmp_path / "psf.tif"
    told = {"axes": "ZYX", "spacing": 0.3, "unit": "um"}
    tifffile.imwrite(data, boxes(), imagej=True, resolution=(10, 10), metadata=told)
    dot = np.zeros((3, 5, 5), np.float32)
    dot[1, 2, 2] = 1
    tifffile.imwrite(psf, dot, imagej=True, resolution=(20, 20), metadata=told)
    how = ("--op", "blur", "--op.kernel", psf, "--noise", "poisson", "--prior", "none")
    done = call("solve", data, *how, "--solver", "richardson-lucy", "--iterations", "2")
    assert "psf.tif has pixels of 0.3 x 0.05 x 0.05 micrometres, the data have 0.3 x 0.1 x 0.1" in (
        done.stderr
    )


def test_what_a_plane_lacks_its_volume_lacks() -> None:
    """The mark of a cut off noise is one for a volume, like the level."""
    noise = ipx.noise("gaussian")
    y = 0.5 + 0.05 * torch.randn(1, 1, 8, 32, 32, generator=torch.Generator().manual_seed(0))
    found = estimated(noise, y, None, Storage())
    assert found.missing.shape == found.level.shape == (1,)
    lower = found.bounded(0.01 * torch.randn(1, 500))
    assert lower.level.shape == (1,)
