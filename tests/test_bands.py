"""Operators over bands: luminance, mosaic, visited spectra; the subspace of spectra."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from scipy.ndimage import convolve

import ipx
from ipx import InputError, OptionError, ShapeError
from ipx.files import images
from ipx.numerics.metrics import psnr_of_bands, spectral_angle
from ipx.testing.scenes import spectral_cube
from ipx.training.data import Pictures
from ipx.training.settings import Data
from ipx_cli.main import cli
from ipx_plugins.bands.luminance import Luminance
from ipx_plugins.bands.mosaic import Mosaic
from ipx_plugins.inpaint.operator import SpectralInpaint
from ipx_plugins.stripes.noise import Stripes
from ipx_plugins.subspace import FusionOptions
from ipx_plugins.subspace.fusion import Components, Fusion
from small_operators import matrix, noise_like

QUIET = {"name": "gaussian", "sigma": 0.01}


def photograph(size: int = 64) -> torch.Tensor:
    """A part of the bundled photograph, ``(1, 3, size, size)``."""
    pixels = torch.from_numpy(images.bundled().pixels)[None]
    return pixels[..., 60 : 60 + size, 80 : 80 + size].contiguous()


def cube(bands: int = 24, side: int = 48) -> torch.Tensor:
    return torch.from_numpy(spectral_cube(bands, side, side)).float()[None]


# ---------------------------------------------------------------- luminance


def test_luminance_has_the_weights_of_the_standards() -> None:
    unit = torch.eye(3, dtype=torch.float64)[..., None, None]
    assert Luminance((3, 1, 1)).forward(unit).flatten().tolist() == [0.299, 0.587, 0.114]
    other = Luminance((3, 1, 1), standard="rec709").forward(unit)
    assert other.flatten().tolist() == [0.2126, 0.7152, 0.0722]
    grey = torch.full((1, 3, 2, 2), 0.4)
    assert torch.allclose(Luminance((3, 2, 2)).forward(grey), grey[:, :1])
    with pytest.raises(OptionError, match="weight for each band"):
        Luminance((2, 4, 4), weights=[0.0, 0.0])


def test_the_normal_equations_of_luminance_with_a_smooth_prior() -> None:
    """(A^T A + D^T D) x = b against the dense pseudo-inverse; D^T D is singular."""
    op, gradient = Luminance((3, 4, 5)), ipx.Gradient((3, 4, 5))
    a, d = matrix(op), matrix(gradient)
    x = noise_like((3, 4, 5), count=1)
    b = (a.T @ a + d.T @ d) @ x.flatten()
    found = op.solve_normal(b.reshape(1, 3, 4, 5), gradient.spectrum(x))
    wanted = torch.linalg.pinv(a.T @ a + d.T @ d, rtol=1e-10) @ b
    assert torch.allclose(found.flatten(), wanted, atol=1e-9)


def test_known_colours_spread_over_the_grey_image() -> None:
    truth = photograph()
    op = {"name": "stack", "parts": [{"name": "luminance"}, {"name": "inpaint", "missing": 0.95}]}
    y = ipx.degrade(truth, op=op, noise=QUIET)
    how = ipx.solve(y, op=op, noise=QUIET, prior="tv", lam=0.003, image_shape=(3, 64, 64))
    grey = Luminance((3, 64, 64)).preview(y[:, :1])
    assert ipx.psnr(how.x, truth) > ipx.psnr(grey, truth) + 0.5


# ---------------------------------------------------------------- mosaic


@pytest.mark.parametrize("pattern", ["RGGB", "BGGR", "GRBG", "GBRG"])
def test_mosaic_reads_the_colours_of_its_pattern(pattern: str) -> None:
    op = Mosaic((3, 4, 6), pattern=pattern)
    x = torch.arange(3.0)[None, :, None, None].expand(1, 3, 4, 6)
    seen = "".join("RGB"[int(v)] for v in op.forward(x)[0, 0, :2, :2].flatten())
    assert seen == pattern
    part = op.part(1, 1, 2, 2).forward(x[..., 1:3, 1:3])
    assert torch.equal(part, op.forward(x)[..., 1:3, 1:3])


def test_the_preview_of_a_mosaic_is_bilinear() -> None:
    """Against the masked convolutions of the textbook, away from the border."""
    x = noise_like((3, 8, 10), count=1)
    op = Mosaic((3, 8, 10))
    raw, filters = op.forward(x)[0, 0].numpy(), op.filters(x).numpy()
    cross, tent = (
        np.array([[0, 1, 0], [1, 4, 1], [0, 1, 0]]) / 4,
        np.outer([1, 2, 1], [1, 2, 1]) / 4,
    )
    wanted = [convolve(raw * f, k) for f, k in zip(filters, (tent, cross, tent), strict=True)]
    found = op.preview(op.forward(x))[0].numpy()
    assert np.allclose(found[:, 1:-1, 1:-1], np.stack(wanted)[:, 1:-1, 1:-1])


def test_demosaicking_beats_bilinear_interpolation_by_3_db() -> None:
    truth = photograph()
    y = ipx.degrade(truth, op="mosaic", noise=QUIET)
    how = ipx.solve(y, op="mosaic", noise=QUIET)
    bilinear = Mosaic((3, 64, 64)).preview(y)
    assert how.plan.prior == "drunet"
    assert how.plan.bridges[0].exact
    assert ipx.psnr(how.x, truth) > ipx.psnr(bilinear, truth) + 3


def test_raw_files_are_demosaicked(tmp_path: Path) -> None:
    truth, raw, out = (tmp_path / name for name in ("truth.png", "raw.tif", "out.png"))
    images.write(truth, photograph(32)[0].numpy(), dtype="uint8")
    for line in (
        f"degrade {truth} -o {raw} --op mosaic --op.pattern GBRG",
        f"solve {raw} -o {out} --op mosaic --op.pattern GBRG --prior tv --lam 0.01 --dtype uint8",
    ):
        done = CliRunner().invoke(cli, line.split())
        assert done.exit_code == 0, done.stderr
    assert images.read(raw).shape == (1, 32, 32)
    found, clean = images.read(out).pixels, images.read(truth).pixels
    assert float(ipx.psnr(found[None], clean[None], axes="BCHW")) > 22


# ---------------------------------------------------------------- visited spectra


@pytest.mark.parametrize("scan", ["random", "grid", "rows"])
def test_a_scan_visits_its_share_in_all_bands(scan: str) -> None:
    x = noise_like((5, 40, 60))
    op = SpectralInpaint((5, 40, 60), scan=scan, share=0.1, seed=2)
    seen = op.known(x)
    assert seen.shape == (1, 40, 60)
    assert float(seen.double().mean()) == pytest.approx(0.1, abs=0.01)
    if scan == "rows":
        assert bool((seen.all(-1) == seen.any(-1)).all())
    assert torch.equal(op.forward(x), torch.where(seen, x, torch.zeros_like(x)))
    assert not torch.equal(SpectralInpaint((5, 40, 60), scan=scan, seed=3).known(x), seen)


def test_a_mask_file_holds_for_all_bands(tmp_path: Path) -> None:
    known = np.random.default_rng(0).random((6, 7)) > 0.4
    np.save(tmp_path / "m.npy", known)
    op = SpectralInpaint((5, 6, 7), mask=tmp_path / "m.npy")
    assert np.array_equal(op.known(torch.zeros(1, 5, 6, 7)).numpy(), known[None])


def test_the_subspace_is_that_of_the_spectra() -> None:
    truth = cube().double()
    op = {"name": "spectral-inpaint", "share": 0.3}
    y = ipx.degrade(truth, op=op, noise={"name": "gaussian", "sigma": 1e-3})
    how = ipx.solve(
        y, op=op, prior="tv", lam=1e-3, solver="subspace", noise=QUIET | {"sigma": 1e-3}
    )
    assert how.result.state.inner.x.shape[1] == 4  # the materials
    spectra = truth[0].flatten(1)
    v = torch.linalg.svd(spectra)[0][:, :4]
    assert torch.allclose(v @ (v.T @ how.x[0].flatten(1)), how.x[0].flatten(1), atol=5e-3)


def test_each_image_of_a_batch_has_its_own_subspace() -> None:
    rich, noise = cube(8, 24), {"name": "gaussian", "sigma": 0.02}
    poor = rich.mean(1, keepdim=True).expand_as(rich)  # of one spectrum
    op = {"name": "spectral-inpaint", "share": 0.5}
    y = ipx.degrade(torch.cat([rich, poor]), op=op, noise=noise)
    how = {"op": op, "noise": noise, "prior": "smooth", "solver": "subspace", "lam": 0.02}
    both, alone = ipx.solve(y, **how).x, [ipx.solve(y[i : i + 1], **how).x for i in range(2)]
    assert torch.allclose(both, torch.cat(alone), atol=1e-5)
    pair = {"name": "pansharpen", "bands": 8}
    with pytest.raises(ShapeError, match="one image at a time"):
        ipx.solve(ipx.degrade(rich.expand(2, -1, -1, -1), op=pair), **(how | {"op": pair}))


def test_in_the_whole_space_it_is_the_minimiser() -> None:
    """With as many components as bands, the solution without a subspace."""
    y = ipx.degrade(cube(6, 24).double(), op="spectral-inpaint", noise=QUIET)
    how = {"op": {"name": "spectral-inpaint", "share": 0.5}, "noise": QUIET, "prior": "smooth"}
    whole = ipx.solve(y, lam=0.05, **how)
    turned = ipx.solve(y, lam=0.05, solver={"name": "subspace", "rank": 6}, **how)
    assert torch.allclose(whole.x, turned.x, atol=1e-4)


@pytest.mark.slow
def test_low_rank_and_smooth_beat_total_variation_by_2_db() -> None:
    truth, noise = cube(24), {"name": "gaussian", "sigma": 0.1}
    op = {"name": "spectral-inpaint", "share": 0.1}
    y = ipx.degrade(truth, op=op, noise=noise)
    low_rank = {"name": "low-rank", "block": None, "patch": 1}

    def found(prior: object, lam: object, solver: str = "auto") -> float:
        how = ipx.solve(y, op=op, noise=noise, prior=prior, lam=lam, solver=solver, iterations=200)
        return float(ipx.psnr(how.x, truth))

    each = found({"name": "tv", "coupled": False}, 0.037)  # the weight that is chosen
    assert found([low_rank, "smooth"], [1.5, 0.2]) > each + 2
    assert found("hessian", 0.036, "subspace") > each + 3


def test_bands_that_are_seen_at_different_pixels_are_refused() -> None:
    op = {"name": "inpaint", "kind": "values"}
    y = ipx.degrade(cube(3, 16), op=op, noise=QUIET)
    with pytest.raises(ShapeError, match="spectral-inpaint"):
        ipx.solve(y, op=op, noise=QUIET, prior="tv", lam=0.1, solver="subspace")


# ---------------------------------------------------------------- stripes


def striped(sigma: float = 0.02, gain: float = 0.02, offset: float = 0.05) -> dict[str, object]:
    return {"name": "stripes", "sigma": sigma, "gain": gain, "offset": offset}


def test_the_fit_of_the_columns_is_the_constrained_ridge_regression() -> None:
    """Against the dense solution: a and b, both without the slow cosines."""
    noise = Stripes(sigma=0.1, gain=0.2, offset=0.2, period=6.0)
    pred, y = (noise_like((1, 5, 8), seed=s, count=1) for s in (0, 1))
    weight = 0.2 + noise_like((1, 5, 8), seed=2, count=1).abs()
    columns = np.arange(40) % 8
    design = torch.zeros(40, 16, dtype=torch.float64)
    design[range(40), columns] = y.flatten()
    design[range(40), 8 + columns] = 1.0
    waves = torch.stack([torch.cos(torch.pi / 8 * k * (torch.arange(8) + 0.5)) for k in range(3)])
    free = torch.linalg.svd(waves.double())[2][3:].T  # orthogonal to the slow cosines
    basis = torch.block_diag(free, free)
    d = design @ basis
    ridge = torch.diag(torch.tensor([0.01 / 0.04 + 0.01 * 5] * 8 + [0.01 / 0.04] * 8).double())
    left = d.T @ (weight.flatten()[:, None] * d) + basis.T @ ridge @ basis
    wanted = basis @ torch.linalg.solve(left, d.T @ (weight * (pred - y)).flatten())
    fit = noise.fit(pred, y, weight)
    found = torch.cat([fit.a.flatten(), (fit.b - fit.a * y.mean()).flatten()])
    assert torch.allclose(found, wanted, atol=1e-10)


def test_the_noise_level_is_estimated_beside_the_stripes() -> None:
    clean = torch.linspace(0.2, 0.8, 96, dtype=torch.float64).expand(1, 1, 96, 96)
    y = ipx.degrade(clean, noise=striped(0.03))
    assert float(Stripes().estimated(y).level) == pytest.approx(0.03, rel=0.08)


def test_stripes_are_removed() -> None:
    truth = photograph(96).mean(1, keepdim=True)
    y = ipx.degrade(truth, noise=striped())
    as_noise = ipx.solve(y, prior="tv", lam=0.01, noise={"name": "gaussian", "sigma": 0.02})
    how = ipx.solve(y, prior="tv", lam=0.01, noise=striped())
    assert ipx.psnr(how.x, truth) > ipx.psnr(as_noise.x, truth) + 4


@pytest.mark.parametrize("solver", ["auto", "pnp-hqs"])
def test_a_denoiser_removes_stripes_nearly_to_the_result_without_them(solver: str) -> None:
    truth = photograph(64).mean(1, keepdim=True)
    told = striped(0.05, gain=0.01)
    y = ipx.degrade(truth, noise=told, seed=1)
    free = ipx.degrade(truth, noise={"name": "gaussian", "sigma": 0.05}, seed=1)
    best = ipx.solve(free, noise={"name": "gaussian", "sigma": 0.05}, prior="drunet").x
    how = ipx.solve(y, noise=told, prior="drunet", solver=solver)
    assert ipx.psnr(how.x, truth) > ipx.psnr(best, truth) - 0.8


# ---------------------------------------------------------------- two instruments


def fused(bands: int, **options: object) -> tuple[Fusion, torch.Tensor]:
    return Fusion((bands, 8, 12), bands=bands, size=(8, 12), **options), noise_like((bands, 8, 12))


def test_the_data_are_those_of_blurred_bands() -> None:
    """Against circular convolutions in space and means of blocks."""
    widths = {"imager_sigma": (1.3, 1.6), "spectrometer_sigma": (1.5, 2.0)}
    op = Fusion((4, 16, 24), bands=4, size=(16, 24), factor=2, channels=2, **widths)
    x = noise_like((4, 16, 24))
    sharp, few = op.split(op.forward(x))
    for ends, seen in (((1.3, 1.6), sharp), ((1.5, 2.0), few)):
        bands = []
        for band, sigma in zip(x.unbind(1), torch.linspace(*ends, 4), strict=True):
            blur = ipx.operator("blur", (1, 16, 24), sigma=float(sigma), boundary="circular")
            bands.append(blur.forward(band[:, None]))
        blurred = torch.cat(bands, 1)
        wanted = torch.stack([blurred[:, :2].mean(1), blurred[:, 2:].mean(1)], 1)
        if seen is few:
            wanted = torch.nn.functional.avg_pool2d(blurred, 2)
        assert torch.allclose(seen, wanted, atol=2e-3)  # sampled against continuous Gaussians
    assert torch.equal(op.joined(sharp, few), op.forward(x))


@pytest.mark.parametrize("factor", [2, 4])
def test_the_fused_system_is_solved_in_fourier_space(factor: int) -> None:
    """(A^T A + W) z = b for A V, with W = rho I and W = D^T D."""
    op, _ = fused(4, factor=factor)
    inside = op.turned(torch.linalg.qr(noise_like((4, 2), count=1)[0])[0])
    x = noise_like((2, 8, 12))
    gradient = ipx.Gradient((2, 8, 12), boundary="circular")
    rho = ipx.Spectral("any", torch.tensor(0.3, dtype=torch.float64))
    for weight in (rho, gradient.spectrum(x)):
        z = inside.solve_normal(x, weight)
        penalty = 0.3 * z if weight is rho else gradient.adjoint(gradient.forward(z))
        assert torch.allclose(inside.adjoint(inside.forward(z)) + penalty, x, atol=1e-10)


def test_the_inverse_of_the_fused_system_is_kept_for_its_weight(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    op, _ = fused(4, factor=4)
    inside = op.turned(torch.linalg.qr(noise_like((4, 2), count=1)[0])[0])
    x, other = noise_like((2, 8, 12)), noise_like((2, 8, 12), seed=5)
    first, second = (ipx.Spectral("any", torch.tensor(v, dtype=x.dtype)) for v in (0.3, 0.7))
    made, grams, gram, factorised = [], [], Components._gram, torch.linalg.cholesky_ex
    monkeypatch.setattr(Components, "_gram", lambda *a: grams.append(1) or gram(*a))
    monkeypatch.setattr(torch.linalg, "cholesky_ex", lambda a: made.append(1) or factorised(a))
    once = inside.solve_normal(x, first)
    blocks = len(made)
    inside.solve_normal(other, first)
    assert len(made) == blocks
    moved = inside.solve_normal(x, second)
    assert len(made) == 2 * blocks
    assert len(grams) == 1  # of every image and weight
    for z, rho in ((once, 0.3), (moved, 0.7)):
        assert torch.allclose(inside.adjoint(inside.forward(z)) + rho * z, x, atol=1e-10)


def test_fusion_beats_bicubic_interpolation_by_5_db() -> None:
    truth = cube()
    op = {"name": "spectral-fusion", "bands": 24, "factor": 4, "channels": 3}
    y = ipx.degrade(truth, op=op, noise=QUIET)
    prior = {"name": "smooth", "boundary": "circular"}
    how = ipx.solve(y, op=op, noise=QUIET, prior=prior, solver="subspace")
    assert ipx.psnr(how.x, truth) > ipx.psnr(how.before, truth) + 5


def test_what_does_not_fit_two_instruments_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ShapeError, match="give bands 4 and size 8,12"):
        Fusion((4, 8, 12), bands=4)
    with pytest.raises(ShapeError, match="no multiple of the factor"):
        fused(4, factor=5)
    with pytest.raises(ShapeError, match="bands, size and factor"):
        Fusion.image_shape_of((1, 1, 101), FusionOptions(bands=4))
    np.save(tmp_path / "r.npy", np.eye(3))
    with pytest.raises(ShapeError, match="responses of 3 bands"):
        fused(4, responses=tmp_path / "r.npy")


# ---------------------------------------------------------------- files of many bands


@pytest.mark.parametrize("suffix", [".npy", ".tif"])
def test_cubes_in_files_through_the_command_line(suffix: str, tmp_path: Path) -> None:
    truth, data, out = (tmp_path / (name + suffix) for name in ("truth", "data", "out"))
    images.write(truth, cube(8, 32)[0].numpy(), dtype="float32")
    panel = tmp_path / "panel.png"
    scan = "--op spectral-inpaint --op.share 0.3"
    done = CliRunner().invoke(cli, f"degrade {truth} -o {data} {scan} --noise.sigma 0.05".split())
    assert done.exit_code == 0, done.stderr
    line = f"solve {data} -o {out} {scan} --noise.sigma 0.05 --prior smooth --solver subspace"
    line += f" --lam 0.05 --truth {truth} --panel {panel} --json"
    done = CliRunner().invoke(cli, line.split())
    assert done.exit_code == 0, done.stderr
    row = json.loads(done.stdout)
    assert images.read(out).shape == (8, 32, 32)
    assert row["sam_after"] < row["sam_before"]
    assert len(row["psnr_bands"]) == 8
    shown = images.read(panel).pixels
    assert np.ptp(shown, axis=0).max() > 0.1  # false colour


def test_the_bands_of_an_array_are_its_last_axis(tmp_path: Path) -> None:
    path = tmp_path / "a.npy"
    for shape in ((64, 48, 24), (60, 64, 1024)):
        np.save(path, np.zeros(shape, np.float32))
        assert images.read(path).shape == (shape[2], *shape[:2])
    for shape in ((10, 64, 64), (90, 300, 500)):
        np.save(path, np.zeros(shape, np.float32))
        with pytest.raises(InputError, match="move the channels last"):
            images.read(path)


def test_spectral_angle() -> None:
    one = torch.tensor([1.0, 0.0, 0.0, 1.0]).reshape(1, 2, 1, 2)  # spectra (1, 0) and (0, 1)
    other = torch.tensor([3.0, 1.0, 0.0, 1.0]).reshape(1, 2, 1, 2)  # (3, 0) and (1, 1)
    assert float(spectral_angle(one, other)) == pytest.approx(22.5)
    assert psnr_of_bands(one, one * 0.9)[0].tolist() == pytest.approx([23.0103, 23.0103])


def test_models_do_not_train_on_many_bands(tmp_path: Path) -> None:
    images.write(tmp_path / "a.npy", cube(8, 16)[0].numpy(), dtype="float32")
    with pytest.raises(InputError, match="has 8 bands; use grey or colour"):
        Pictures(Data(data=tmp_path), 3)


def test_priors_without_colours_are_refused_for_luminance() -> None:
    y = ipx.degrade(photograph(16), op="luminance", noise=QUIET)
    with pytest.raises(ipx.PlanError, match="does not know how they go together"):
        ipx.solve(y, op="luminance", prior="tv", lam=0.1)
    kept = ipx.solve(y, op="luminance", prior="drunet", noise=QUIET).x
    assert float((kept.amax(1) - kept.amin(1)).max()) < 0.1  # grey


def test_two_instruments_through_the_command_line(tmp_path: Path) -> None:
    truth, data, out = (tmp_path / f"{name}.npy" for name in ("truth", "data", "out"))
    images.write(truth, cube(8, 32)[0].numpy(), dtype="float32")
    pair = "--op spectral-fusion --op.bands 8 --op.channels 2"
    for line in (
        f"degrade {truth} -o {data} {pair} --noise.sigma 0.01",
        f"solve {data} -o {out} {pair} --noise.sigma 0.01 --prior smooth --prior.boundary circular "
        f"--solver subspace --lam 0.004 --truth {truth} --json",
    ):
        done = CliRunner().invoke(cli, line.split())
        assert done.exit_code == 0, done.stderr
    row = json.loads(done.stdout)
    assert images.read(out).shape == (8, 32, 32)
    assert row["psnr_after"] > row["psnr_before"] + 3


@pytest.mark.slow
def test_a_command_that_tells_the_instruments_only_gains_5_db(tmp_path: Path) -> None:
    truth, data, out = (tmp_path / f"{name}.npy" for name in ("truth", "data", "out"))
    images.write(truth, cube(8, 32)[0].numpy(), dtype="float32")
    pair = "--op spectral-fusion --op.bands 8 --op.channels 2"
    for line in (
        f"degrade {truth} -o {data} {pair} --noise.sigma 0.01",
        f"solve {data} -o {out} {pair} --truth {truth} --json",
    ):
        done = CliRunner().invoke(cli, line.split())
        assert done.exit_code == 0, done.stderr
    row = json.loads(done.stdout)
    assert row["psnr_after"] > row["psnr_before"] + 5


def test_stripes_of_some_images_have_their_own_offset() -> None:
    noise = ipx.noise("stripes", sigma=0.05).scaled(torch.tensor([1.0, 10.0]))
    x, y = torch.rand(2, 2, 1, 8, 8, generator=torch.Generator().manual_seed(0))
    whole = noise.nll(x, y)
    assert torch.allclose(noise.taken([1]).nll(x[1:], y[1:]), whole[1:])


def test_the_rank_does_not_depend_on_a_factor_of_the_operator() -> None:
    generator = torch.Generator().manual_seed(0)
    shares, spectra = torch.rand(2, 24 * 24, generator=generator), torch.rand(12, 2)
    x = (spectra @ shares).view(1, 12, 24, 24)
    for factor in (0.1, 1.0):
        op = {"name": "spectral-inpaint", "share": 0.5, "scale": factor}
        noise = {"name": "gaussian", "sigma": 0.01 * factor}
        y = ipx.degrade(x, op=op, noise=noise, seed=1)
        found = ipx.solve(y, op=op, noise=noise, prior="smooth", solver="subspace",
                          image_shape=(12, 24, 24))  # fmt: skip
        assert torch.linalg.matrix_rank(found.x[0].flatten(1).double(), rtol=1e-4) == 2
