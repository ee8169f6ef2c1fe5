"""Methods by name: harmonic, biharmonic, bicubic, Richardson-Lucy."""

from __future__ import annotations

import numpy as np
import torch
from skimage.restoration import inpaint_biharmonic, richardson_lucy
from torch.nn import functional

import ipx
from ipx.numerics.metrics import psnr
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
