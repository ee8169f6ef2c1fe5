"""Laplace's approximation, hierarchical draws, empirical Bayes, diffusion samplers."""

from __future__ import annotations

import pytest
import torch
from skimage import data, transform
from torch import Tensor

import ipx
from ipx.errors import PlanError
from ipx.numerics.metrics import psnr
from ipx_plugins.samplers.laplace import inverse_root


def problem(prior: ipx.Prior, lam: float = 0.02, sigma: float = 0.1) -> ipx.Problem:
    rng = torch.Generator().manual_seed(0)
    x = torch.rand(1, 1, 6, 6, generator=rng, dtype=torch.float64)
    y = x + sigma * torch.randn(x.shape, generator=rng, dtype=torch.float64)
    op = ipx.operator("identity", (1, 6, 6))
    return ipx.Problem(y, op, ipx.noise("gaussian", sigma=sigma), prior, lam)


def camera(size: int = 32) -> Tensor:
    picture = transform.resize(data.camera() / 255.0, (size, size), anti_aliasing=True)
    return torch.from_numpy(picture).float()[None, None]


def test_the_inverse_root_is_that_of_the_matrix() -> None:
    rng = torch.Generator().manual_seed(1)
    half = torch.randn(12, 12, generator=rng, dtype=torch.float64)
    h = half @ half.T + torch.eye(12, dtype=torch.float64)
    n = torch.randn(1, 12, generator=rng, dtype=torch.float64)
    values, vectors = torch.linalg.eigh(h)
    exact = vectors @ torch.diag(values.rsqrt()) @ vectors.T @ n[0]
    x = torch.ones(1, 12, dtype=torch.float64)
    found = inverse_root(lambda v: v @ h + v**0, x, n, 12)
    assert torch.allclose(found[0], exact, rtol=1e-5, atol=1e-6)


def test_laplace_is_exact_for_a_gaussian() -> None:
    p = problem(ipx.prior("smooth"))
    centre = ipx.iterate(p, ipx.solver("direct")).x
    found = ipx.sample(p, ipx.sampler("laplace"), start=centre, draws=100)
    part = p.prior.quadratic_part((1, 6, 6))
    eye = torch.eye(36, dtype=torch.float64).view(36, 1, 6, 6)
    gram = part.adjoint(part.forward(eye)).flatten(1)
    exact = 0.1 * torch.linalg.inv(torch.eye(36, dtype=torch.float64) + 0.02 * gram).diag().sqrt()
    assert float((found.std.flatten() / exact).mean()) == pytest.approx(1.0, abs=0.03)
    error = (found.mean - centre).flatten() / (exact / 100**0.5)
    assert float(error.square().mean().sqrt()) == pytest.approx(1.0, abs=0.35)


@pytest.mark.slow
def test_the_weight_is_drawn_and_maximised_alike() -> None:
    """The mean of lam over hierarchical draws is near the lam of greatest marginal likelihood."""
    y = ipx.degrade(camera(), noise={"name": "gaussian", "sigma": 0.08}, seed=0)
    told = {"noise": {"name": "gaussian", "sigma": 0.08}, "prior": "tv"}
    best = ipx.solve(y, tuner="sapg", **told)
    drawn = ipx.solve(y, sampler="hierarchical", estimate="mmse", draws=150, lam=best.lam, **told)
    assert drawn.posterior is not None
    lam = drawn.posterior.statistics["lam"]
    assert lam.mean[0] == pytest.approx(best.lam[0], rel=0.15)


def test_the_weight_of_a_prior_that_is_not_homogeneous_has_no_law() -> None:
    p = problem(ipx.prior("huber-tv"))
    with pytest.raises(PlanError, match="homogeneous"):
        ipx.sample(p, ipx.sampler("hierarchical"), draws=4)


@pytest.mark.parametrize("name", ["dps", "diffpir"])
def test_diffusions_draw_different_pictures_near_the_truth(name: str) -> None:
    clean = camera(40)
    y = ipx.degrade(clean, noise={"name": "gaussian", "sigma": 0.1}, seed=0)
    how = {
        "noise": {"name": "gaussian", "sigma": 0.1},
        "prior": "drunet",
        "sampler": {"name": name, "steps": 8},
    }
    found = ipx.solve(y, estimate="mmse", draws=2, samples=2, **how)
    assert not torch.equal(found.outputs["sample-1"], found.outputs["sample-2"])
    assert float(psnr(found.x, clean)[0]) > float(psnr(found.before, clean)[0]) + 3


def test_a_denoiser_without_derivative_is_refused_by_dps() -> None:
    p = problem(ipx.prior("bm3d"), lam=0.002)
    with pytest.raises(PlanError, match="no derivative"):
        ipx.sample(p, ipx.sampler("dps"), draws=1)
