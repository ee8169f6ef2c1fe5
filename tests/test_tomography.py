"""Tomography: line integrals in closed form, the inversion formula, the rotation centre."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from skimage.data import shepp_logan_phantom
from skimage.transform import radon, resize

import ipx
from ipx import ShapeError
from ipx.files import images
from ipx.planning.request import Request
from ipx_cli.main import cli
from ipx_plugins.tomography import operator as module
from ipx_plugins.tomography.centre import rotation_centre
from ipx_plugins.tomography.operator import Tomography


def phantom(size: int) -> torch.Tensor:
    image = resize(shepp_logan_phantom(), (size, size), anti_aliasing=True)
    return torch.from_numpy(image)[None, None]


def disk(size: int, radius: float, x: float = 0.0, y: float = 0.0) -> torch.Tensor:
    """A disk about (x, y) in pixels, y up, its border averaged over 8 x 8 points."""
    fine = (torch.arange(8 * size, dtype=torch.float64) + 0.5) / 8 - size / 2
    inside = ((fine - x) ** 2 + (-fine[:, None] - y) ** 2 <= radius**2).double()
    return inside.reshape(size, 8, size, 8).mean((1, 3))[None, None]


def psnr(x: torch.Tensor, truth: torch.Tensor) -> float:
    return float(ipx.psnr(x[0, 0].numpy(), truth[0, 0].numpy()))


@pytest.mark.parametrize("spacing", [0.7, 1.0, 2.2])
def test_a_disk_gives_its_chords(spacing: float) -> None:
    """2 sqrt(r^2 - s^2), at all angles, in units of the side."""
    n, r, x, y = 64, 20.0, 5.0, -3.0
    op = Tomography((1, n, n), angles=24, spacing=spacing, bins=n, size=n)
    seen = op.forward(disk(n, r, x, y))[0, 0]
    a, s = op.rays.angles[:, None], op.rays.bins
    away = s - (x * torch.cos(a) + y * torch.sin(a))
    chord = 2 * (r**2 - away**2).clamp_min(0).sqrt() / n
    inner = away.abs() < r - 2 * max(1.0, spacing)  # the chord is steep at the border
    assert float((seen - chord)[inner].abs().max()) < 0.02


def test_fan_rays_meet_the_disk_where_they_should() -> None:
    n, r, x, y, far = 64, 18.0, 6.0, 4.0, 100.0
    op = Tomography((1, n, n), beam="fan", angles=24, distance=far)
    seen = op.forward(disk(n, r, x, y))[0, 0]
    a, s = op.rays.angles[:, None], op.rays.bins
    u, v = x * torch.cos(a) + y * torch.sin(a), y * torch.cos(a) - x * torch.sin(a)
    away = (far * (u - s) + s * v) / torch.hypot(torch.tensor(far), s)
    chord = 2 * (r**2 - away**2).clamp_min(0).sqrt() / n
    inner = away.abs() < r - 2
    assert float((seen - chord)[inner].abs().max()) < 0.02


def test_as_radon_of_scikit_image() -> None:
    """Its centre is pixel N // 2: an odd side, where both centres are the same."""
    x = phantom(65) * disk(65, 30.0)
    mine = Tomography((1, 65, 65), angles=12).forward(x)[0, 0]
    theirs = radon(x[0, 0].numpy(), np.arange(12) * 15.0).T / 65
    assert np.abs(mine.numpy() - theirs).max() < 0.03
    assert np.abs(mine.numpy() - theirs).mean() < 0.003


GEOMETRIES = [
    {"angles": 7, "range": 100.0, "first": 12.0, "centre": -2.4},
    {"beam": "fan", "angles": 6, "distance": 30.0, "spacing": 1.8},
    {"at": (3.0, 50.0, 170.0), "spacing": 3.0, "bins": 9, "size": 24},
]


@pytest.mark.parametrize("how", GEOMETRIES)
def test_ray_by_ray_is_the_matrix(how: dict, monkeypatch: pytest.MonkeyPatch) -> None:
    """And the adjoint is exact in both forms."""
    op = Tomography((2, 24, 24), **how)
    rng = torch.Generator().manual_seed(0)
    x = torch.randn(3, 2, 24, 24, generator=rng, dtype=torch.float64)
    y = torch.randn(3, *op.data_shape, generator=rng, dtype=torch.float64)
    stored = op.forward(x), op.adjoint(y)
    monkeypatch.setattr(module, "LARGEST", 0)
    assert torch.allclose(op.forward(x), stored[0], rtol=0, atol=1e-13)
    assert torch.allclose(op.adjoint(y), stored[1], rtol=0, atol=1e-13)
    left, right = (op.forward(x) * y).sum(), (x * op.adjoint(y)).sum()
    assert abs(float(left - right)) < 1e-12 * float(op.forward(x).norm() * y.norm())


def test_gradients_pass() -> None:
    op = Tomography((1, 8, 8), angles=5)
    x = torch.rand(1, 1, 8, 8, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(op.forward, (x,))


@pytest.mark.parametrize("how", [{}, {"beam": "fan", "angles": 240}, {"range": 360.0}])
def test_inversion_of_many_angles(how: dict) -> None:
    x = disk(64, 20.0, 4.0, 3.0) * 0.8
    op = Tomography((1, 64, 64), **how)
    found = op.backproject(op.forward(x), "ram-lak")
    assert abs(float(found[0, 0, 20:40, 28:44].mean()) - 0.8) < 0.01
    assert psnr(found, x) > 26


def test_inversion_with_the_centre_off() -> None:
    x = phantom(64)
    centred, off = Tomography((1, 64, 64)), Tomography((1, 64, 64), centre=3.0)
    y = off.forward(x)
    assert psnr(off.preview(y), x) > psnr(centred.preview(y), x) + 3


@pytest.mark.parametrize("centre", [-4.3, 0.0, 2.6])
@pytest.mark.parametrize("angles", [40, 181])
def test_the_centre_is_found_to_half_a_bin(centre: float, angles: int) -> None:
    op = Tomography((1, 64, 64), centre=centre, angles=angles, bins=80, size=64)
    x = phantom(64) * disk(64, 28.0, 1.0, -1.0)
    y = ipx.degrade(x, op=op, noise={"name": "gaussian", "sigma": 0.004}, seed=2)
    found = rotation_centre(y[0, 0].numpy(), np.asarray(op.options.degrees))
    assert abs(found - centre) < 0.5


def test_the_centre_needs_a_background_of_zero() -> None:
    with pytest.raises(ipx.InputError, match="background"):
        rotation_centre(np.zeros((20, 8)), np.arange(20.0))
    with pytest.raises(ipx.InputError, match="three directions"):
        rotation_centre(np.ones((2, 8)), np.asarray([0.0, 90.0]))


@pytest.mark.slow
def test_tv_beats_back_projection_at_few_angles() -> None:
    x = phantom(128).float()
    op = {"name": "tomography", "angles": 30}
    clean = ipx.degrade(x, op=op, noise={"name": "gaussian", "sigma": 0.0})
    noise = {"name": "gaussian", "sigma": 0.01 * float(clean.max())}
    y = ipx.degrade(x, op=op, noise=noise, seed=1)
    tv = ipx.solve(y, op=op, noise=noise, prior="tv")
    best = max(
        psnr(ipx.solve(y, op=op, noise=noise, solver={"name": "fbp", "filter": f}).x, x)
        for f in ("ram-lak", "shepp-logan", "hann")
    )
    assert psnr(tv.x, x) > best + 8


@pytest.mark.parametrize("solver", ["sirt", "landweber"])
def test_early_stop_at_the_noise(solver: str) -> None:
    """The residual is at the noise level, and nearer to the truth than much later."""
    x = phantom(48).float()
    op, noise = {"name": "tomography", "angles": 40}, {"name": "gaussian", "sigma": 0.01}
    y = ipx.degrade(x, op=op, noise=noise, seed=1)
    how = ipx.solve(y, op=op, noise=noise, prior="none", solver=solver)
    a = how.result.problem.operator
    rms = float((a.forward(how.x) - y).square().mean().sqrt())
    assert how.status == ["converged"]
    assert 0.008 < rms <= 0.01
    late = ipx.iterate(how.result.problem, ipx.solver(solver), iterations=20 * how.iterations[0])
    assert psnr(how.x, x) > psnr(late.x, x)


def test_what_sirt_refuses() -> None:
    y = torch.rand(1, 2, 16, 16)
    with pytest.raises(ipx.PlanError, match="gives no Nonnegative"):
        ipx.solve(y, op="fourier", prior="range", solver="sirt")
    with pytest.raises(ipx.PlanError, match="prior tv gives no Box"):
        ipx.solve(torch.rand(1, 1, 16, 16), op="blur", prior="tv", solver="sirt")
    with pytest.raises(ipx.PlanError, match="regularises by itself"):
        ipx.solve(torch.rand(1, 1, 180, 16), op="tomography", prior="tv", solver="fbp")


@pytest.mark.parametrize(
    ("shape", "how", "told"),
    [
        ((1, 8, 9), {}, "square"),
        ((1, 8, 8), {"size": 9}, "option size"),
        ((1, 8, 8), {"bins": 12}, "option size 8"),
        ((1, 8, 8), {"beam": "fan", "distance": 4.0}, "inside the picture"),
    ],
)
def test_one_line_for_what_does_not_fit(shape: tuple, how: dict, told: str) -> None:
    with pytest.raises(ShapeError, match=told):
        Tomography(shape, **how)


def test_the_sinogram_must_fit() -> None:
    with pytest.raises(ShapeError, match="has 20 rows"):
        ipx.solve(torch.rand(1, 1, 20, 16), op="tomography", solver="fbp")


def test_files_through_the_command_line(tmp_path: Path) -> None:
    """A phantom to a sinogram, its centre, and back; in other units the picture is scaled."""
    truth, data, out = (tmp_path / n for n in ("truth.png", "sino.tif", "out.png"))
    images.write(truth, (phantom(64)[0] * disk(64, 28.0)[0]).numpy().astype(np.float32))
    geometry = ["--op", "tomography", "--op.angles", "60", "--op.centre", "1.5"]
    run = CliRunner().invoke
    done = run(cli, ["degrade", str(truth), "-o", str(data), *geometry, "--noise.sigma", "0.002"])
    assert done.exit_code == 0, done.output
    told = run(cli, ["rotation-centre", str(data), "--json"])
    assert abs(json.loads(told.output)["centre"] - 1.5) < 0.5, told.output
    geometry[-1] = "auto"
    solved = run(cli, ["solve", str(data), "-o", str(out), *geometry, "--solver", "fbp",
                       "--truth", str(truth), "--dtype", "uint8", "--json"])  # fmt: skip
    assert solved.exit_code == 0, solved.output
    row = json.loads(solved.stdout)
    assert (row[0] if isinstance(row, list) else row)["psnr_after"] > 18
    assert images.read(out).shape == (1, 64, 64)
    config = json.loads(out.with_name("out.png.json").read_text())["config"]
    assert abs(config["op"]["centre"] - 1.5) < 0.5


def test_the_zero_of_a_sinogram_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "sino.tif"
    values = np.linspace(2.0, 40.0, 64, dtype=np.float32).reshape(1, 8, 8)
    images.write(path, values)
    read = images.read(path, absolute=True)
    assert (read.scale, read.offset) == (40.0, 0.0)
    images.write(path, values / 8)
    assert images.read(path, absolute=True).scale == 1.0


def test_the_operator_says_what_it_assumes() -> None:
    from ipx.jobs.assumed import assumptions

    notes = assumptions(Request(op={"name": "tomography"}), Path("nothing.tif"))
    assert notes == ["assumed tomography angles 180; give --op.angles"]
    assert assumptions(Request(op={"name": "tomography", "at": [0.0, 9.0]}), Path("n.tif")) == []


def test_the_norm_bounds() -> None:
    op = Tomography((1, 24, 24), angles=11)
    exact = float(np.linalg.norm(op.to_scipy() @ np.eye(576), 2))
    assert exact <= op.norm() <= 1.01 * exact
    assert math.isclose(exact, op.norm(), rel_tol=0.01)


@pytest.mark.slow
def test_a_denoiser_with_much_noise_is_not_below_total_variation() -> None:
    """12 dB were lost before: the filtered back-projection is mostly noise there."""
    clean = torch.from_numpy(images.bundled().pixels[:1, 60:156, 60:156])
    op, noise = {"name": "tomography"}, {"name": "gaussian", "sigma": 0.1}
    y = ipx.degrade(clean, op=op, noise=noise)
    how: dict[str, Any] = {"drunet": "auto", "tv": 0.023}  # what auto gives for tv, in a second
    scores = {
        prior: float(ipx.psnr(ipx.solve(y, op=op, noise=noise, prior=prior, lam=lam).x, clean))
        for prior, lam in how.items()
    }
    assert scores["drunet"] > scores["tv"] - 0.3


def test_the_start_of_an_image_does_not_depend_on_the_others() -> None:
    """One preview shows the picture, the other one nothing but noise."""
    photograph = torch.from_numpy(images.bundled().pixels[:1, 60:92, 60:92])
    grains = torch.rand(1, 32, 32, generator=torch.Generator().manual_seed(0))
    op = {"name": "tomography", "angles": 40}
    how = {"op": op, "noise": {"name": "gaussian", "sigma": 0.02}, "prior": "drunet", "lam": 4e-4}
    y = ipx.degrade(torch.stack([photograph, grains]), op=op, noise=how["noise"])
    both, alone = (ipx.solve(v, **how, iterations=1) for v in (y, y[:1]))
    assert torch.allclose(both.before[:1], alone.before, atol=1e-5)
    assert torch.allclose(both.x[:1], alone.x, atol=1e-5)
    assert not torch.allclose(both.before[1:], alone.before, atol=0.1)


def test_fbp_takes_the_offset_of_the_camera_off() -> None:
    op = {"name": "tomography", "angles": 12}
    y = ipx.degrade(torch.rand(1, 1, 24, 24), op=op, noise={"name": "gaussian", "sigma": 0.0})
    found = []
    for offset in (0.0, 0.2):
        noise = {"name": "poisson", "peak": 1e4, "offset": offset}
        found.append(ipx.solve(y + offset, op=op, noise=noise, prior="none", solver="fbp").x)
    assert torch.allclose(*found, atol=1e-4)
