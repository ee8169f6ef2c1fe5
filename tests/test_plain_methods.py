"""Methods by name: harmonic, biharmonic, bicubic, Richardson-Lucy."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from skimage.restoration import inpaint_biharmonic, richardson_lucy
from torch.nn import functional

import ipx
from ipx.numerics.metrics import psnr
from ipx_cli.main import cli
from ipx_plugins.inpaint.operator import Inpaint
from test_more_noises import camera

SHAPE = (1, 32, 32)


def test_harmonic_filling_is_harmonic() -> None:
    """x y, which is harmonic, is found exactly, and known pixels are kept."""
    line = torch.linspace(0, 1, 32, dtype=torch.float64)
    clean = (line[:, None] * line)[None, None]
    op = Inpaint(SHAPE, kind="box")
    found = ipx.solve(op(clean), op=op, solver="harmonic")
    assert found.plan.prior == "none"
    assert torch.allclose(found.x, clean, atol=1e-10)


def test_biharmonic_filling_is_biharmonic() -> None:
    line = torch.linspace(-1, 1, 32, dtype=torch.float64)
    clean = (line[:, None] ** 2 * line + line**3)[None, None]  # its Laplacian is linear
    op = Inpaint(SHAPE, kind="box")
    found = ipx.solve(op(clean), op=op, solver="biharmonic").x
    assert torch.allclose(found, clean, atol=1e-8)
    theirs = inpaint_biharmonic(clean[0, 0].numpy(), ~op.known(clean)[0].numpy())
    assert torch.allclose(found[0, 0], torch.from_numpy(theirs), atol=1e-6)


def test_masks_of_single_values() -> None:
    clean = camera(32).double().expand(2, 3, 32, 32).contiguous()
    op = Inpaint((3, 32, 32), kind="values", missing=0.4)
    y = op(clean)
    found = ipx.solve(y, op=op, solver="harmonic", noise={"name": "gaussian", "sigma": 0.0}).x
    assert torch.equal(op(found), y)
    assert bool((psnr(found, clean) > psnr(y, clean) + 10).all())


def test_bicubic_is_interpolation() -> None:
    op = ipx.operator("super-resolution", SHAPE)
    y = op(camera(32))
    x = ipx.solve(y, op="super-resolution", solver="bicubic").x
    assert torch.equal(x, functional.interpolate(y, scale_factor=2, mode="bicubic"))


def test_a_plain_step_is_that_of_scikit_image() -> None:
    """With zeros beyond the border, from the same start, inside."""
    blur = {"name": "blur", "sigma": 1.0, "boundary": "zero"}
    op = ipx.operator(**blur, image_shape=(1, 40, 40))
    y = op(camera(40).double())
    problem = ipx.Problem(y, op, ipx.noise("poisson", peak=100.0), ipx.prior("none"))
    problem = problem.changed(x0=torch.full_like(y, 0.5))
    solver = ipx.solver("richardson-lucy", accelerate=False)
    ours = ipx.iterate(problem, solver, iterations=3, tol=0).x[0, 0]
    theirs = richardson_lucy(y[0, 0].numpy(), op.psf.numpy(), num_iter=3, clip=False)
    inside = np.s_[16:-16, 16:-16]  # A^T 1 is below 1 near the border, which they do not know
    assert np.allclose(ours.numpy()[inside], theirs[inside], atol=1e-6)


def test_richardson_lucy_stops_at_the_noise_and_near_its_best() -> None:
    clean, blur = camera(), {"name": "blur", "sigma": 1.5, "boundary": "unknown"}
    noise = {"name": "poisson", "peak": 1000.0}
    op = ipx.operator(**blur, image_shape=(1, 64, 64))
    y, inside = ipx.degrade(clean, op=op, noise=noise, seed=1), op.view(clean)
    scores: list[float] = []
    found = ipx.solve(
        y, op=blur, noise=noise, solver="richardson-lucy",
        observers=[lambda now: scores.append(float(psnr(op.view(now.x), inside)))],
    )  # fmt: skip
    assert found.plan.prior == "none"
    assert found.status == ["converged"]
    problem = ipx.Problem(y, op, ipx.noise(**noise), ipx.prior("none"))
    ipx.iterate(
        problem, ipx.solver("richardson-lucy"), iterations=40, tol=0,
        observers=[lambda now: scores.append(float(psnr(op.view(now.x), inside)))],
    )  # fmt: skip
    assert float(psnr(found.x, inside)) > max(scores) - 0.3
    assert float(found.x.min()) >= 0


def test_total_variation_smooths_what_fits_too_well() -> None:
    clean, blur = camera().expand(1, 3, 64, 64), {"name": "blur", "sigma": 1.5}
    noise = {"name": "poisson", "peak": 100.0}
    op = ipx.operator(**blur, image_shape=(3, 64, 64))
    problem = ipx.Problem(
        ipx.degrade(clean, op=op, noise=noise, seed=1), op, ipx.noise(**noise), ipx.prior("none")
    )
    found = [
        ipx.iterate(problem, ipx.solver("richardson-lucy", tv=tv), iterations=40, tol=0).x
        for tv in (0.0, 0.01)
    ]
    assert float(psnr(found[1], clean)) > float(psnr(found[0], clean)) + 1


@pytest.mark.parametrize("order", ["structure", "pixels"])
def test_a_periodic_texture_is_copied(order: str) -> None:
    rows, columns = torch.meshgrid(torch.arange(40), torch.arange(40), indexing="ij")
    clean = (0.5 + 0.3 * torch.sin(rows * torch.pi / 4) * (columns % 5 > 1)).double()[None, None]
    op = Inpaint((1, 40, 40), kind="box", box=(7, 9))
    solver = {"name": "exemplar", "order": order, "tolerance": 0.0}
    found = ipx.solve(op(clean), op=op, solver=solver)
    assert torch.allclose(found.x, clean, atol=1e-6)
    assert float(psnr(ipx.solve(op(clean), op=op, solver="harmonic").x, clean)) < 40


def test_exemplar_needs_a_whole_patch() -> None:
    op = Inpaint(SHAPE, kind="pixels", missing=0.7)
    with pytest.raises(ipx.PlanError, match="no patch of 9 x 9 pixels"):
        ipx.solve(op(camera(32)), op=op, solver="exemplar")


@pytest.mark.parametrize(("shape", "kind"), [((1, 32, 32), "pixels"), ((12, 12, 12), "values")])
def test_svt_completes_a_matrix_of_low_rank(shape: tuple[int, ...], kind: str) -> None:
    generator = torch.Generator().manual_seed(0)
    rows, columns, rank = (32, 32, 2) if shape[0] == 1 else (12, 144, 1)
    left = torch.rand(rows, rank, generator=generator, dtype=torch.float64)
    right = torch.rand(rank, columns, generator=generator, dtype=torch.float64)
    clean = (left @ right).reshape(1, *shape)
    op = Inpaint(shape, kind=kind, missing=0.3)
    found = ipx.solve(op(clean), op=op, solver="svt", prior="none").x
    assert float((found - clean).norm() / clean.norm()) < 0.01


def test_em_finds_the_greatest_marginal_likelihood() -> None:
    """y ~ N(0, sigma^2 + 1 / theta) has its maximum at 1 / theta = mean y^2 - sigma^2."""
    y = torch.randn(2, 1, 64, 64, generator=torch.Generator().manual_seed(0)).double()
    y = y * torch.tensor([0.5, 0.2]).double().view(2, 1, 1, 1)
    how = ipx.solve(
        y, noise={"name": "gaussian", "sigma": 0.1}, prior={"name": "tikhonov", "about": "zero"},
        tuner={"name": "em", "tol": 1e-6},
    )  # fmt: skip
    exact = 0.01 / (y.square().flatten(1).mean(1) - 0.01)
    assert how.lam is not None
    assert torch.allclose(torch.tensor(how.lam).double(), exact, rtol=1e-3)
    with pytest.raises(ipx.PlanError, match="tuner em does not fit: prior tv gives no Quadratic"):
        ipx.solve(y, noise={"name": "gaussian", "sigma": 0.1}, prior="tv", tuner="em")


def test_condat_vu_keeps_bounds_and_finds_the_minimum() -> None:
    y = ipx.degrade(camera(24), op="blur", noise={"name": "gaussian", "sigma": 0.1}, seed=1)
    how = {"op": "blur", "noise": {"name": "gaussian", "sigma": 0.1}, "lam": 0.02}
    prior = ["tv", {"name": "range", "lower": 0.2, "upper": 0.7}]
    found = ipx.solve(y, prior=prior, solver="condat-vu", tol=2e-6, iterations=1500, **how)
    assert float(found.x.min()) >= 0.2
    assert float(found.x.max()) <= 0.7
    other = ipx.solve(y, prior=prior, solver="admm", tol=2e-6, iterations=1500, **how)
    assert float((found.x - other.x).abs().max()) < 2e-3


def test_exemplar_takes_patches_of_other_pictures(tmp_path: Path) -> None:
    """What the picture does not show, a picture of the folder does."""
    rows, columns = torch.meshgrid(torch.arange(48), torch.arange(48), indexing="ij")
    clean = (0.5 + 0.3 * torch.sin(rows * torch.pi / 4) * (columns % 5 > 1)).double()[None, None]
    stored = (clean[0, 0] * 255).round().to(torch.uint8).numpy()
    for name, pixels in (("like", stored), ("other", np.full_like(stored, 255))):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    small = (torch.from_numpy(stored)[4:28, 4:28].double() / 255)[None, None]
    op = Inpaint((1, 24, 24), kind="box", box=(16, 16))  # no whole patch is known
    solver = {"name": "exemplar", "pictures": str(tmp_path), "nearest": 1}
    found = ipx.solve(op(small), op=op, solver=solver)
    assert torch.allclose(found.x, small, atol=1e-6)
    alone = {**solver, "own": False, "order": "pixels", "tolerance": 0.0}
    assert torch.allclose(ipx.solve(op(small), op=op, solver=alone).x, small, atol=1e-6)


def test_exemplar_says_what_is_wrong_with_the_folder(tmp_path: Path) -> None:
    op = Inpaint((1, 24, 24), kind="box", box=(8, 8))
    y = op(camera(24))
    with pytest.raises(ipx.InputError, match="is no folder with pictures"):
        ipx.solve(y, op=op, solver={"name": "exemplar", "pictures": str(tmp_path)})
    Image.fromarray(np.zeros((4, 4), np.uint8)).save(tmp_path / "tiny.png")
    with pytest.raises(ipx.InputError, match="no picture of at least 9 x 9"):
        ipx.solve(y, op=op, solver={"name": "exemplar", "pictures": str(tmp_path)})
    with pytest.raises(ipx.OptionError, match="needs a folder"):
        ipx.solver("exemplar", own=False)


def test_exemplar_with_a_folder_by_the_command(tmp_path: Path) -> None:
    others = tmp_path / "others"
    others.mkdir()
    stored = (camera(48)[0, 0] * 255).round().to(torch.uint8).numpy()
    Image.fromarray(stored).save(others / "whole.png")
    spoilt = stored[:32, :32].copy()
    spoilt[12:20, 12:20] = 0
    mask = np.full_like(spoilt, 255)
    mask[12:20, 12:20] = 0
    for name, pixels in (("y", spoilt), ("mask", mask)):
        Image.fromarray(pixels).save(tmp_path / f"{name}.png")
    words = ["solve", "y.png", "--op", "inpaint", "--op.mask", "mask.png", "--noise.sigma", "0"]
    words += ["--solver", "exemplar", "--solver.pictures", "others", "-o", "x.png", "-q"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(tmp_path)
        done = CliRunner().invoke(cli, words)
        assert done.exit_code == 0, done.stderr
        record = json.loads((tmp_path / "x.png.json").read_text())
        assert str(others) in record["files"]
    found = np.asarray(Image.open(tmp_path / "x.png")).astype(int)
    assert np.abs(found - stored[:32, :32]).max() <= 1
