"""Closed forms and identities of the classical priors; their contracts are in the kit."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import pywt
import torch
from click.testing import CliRunner
from scipy.fft import dctn
from torch import Tensor

import ipx
from ipx.numerics.metrics import psnr
from ipx_cli.main import cli

F64 = torch.float64
NOISE = {"name": "gaussian", "sigma": 0.05}


def draw(*shape: int) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(0), dtype=F64)


def ramp(height: int = 12, width: int = 15) -> Tensor:
    rows, columns = torch.arange(height, dtype=F64)[:, None], torch.arange(width, dtype=F64)
    return (0.02 * rows + 0.03 * columns)[None, None]


def edges(size: int = 32) -> Tensor:
    """A slope and a disk."""
    v, u = torch.linspace(-1, 1, size, dtype=F64)[:, None], torch.linspace(-1, 1, size, dtype=F64)
    return (0.3 + 0.2 * u + 0.4 * (u**2 + v**2 < 0.4))[None, None]


# ---------------------------------------------------------------- huber-tv


def test_huber_is_between_smooth_and_tv() -> None:
    x = draw(2, 3, 14, 11)
    tv = ipx.prior("tv").value(x)
    count = 14 * 11
    near = ipx.prior("huber-tv", width=1e-6).value(x)
    assert torch.allclose(near, tv, atol=1e-6 * count)
    wide = ipx.prior("huber-tv", width=100.0).value(x)
    assert torch.allclose(wide, ipx.prior("smooth").value(x) / 100.0)
    slope = ipx.prior("huber-tv", width=0.1).grad(x) - ipx.prior("huber-tv", width=0.1).grad(
        x + 0.1 * x.roll(1, 0)
    )
    assert float(slope.norm()) <= 8 / 0.1 * float((0.1 * x.roll(1, 0)).norm())


def test_the_prox_of_a_wide_huber_is_that_of_smooth() -> None:
    x = draw(1, 1, 16, 13)
    found = ipx.prior("huber-tv", width=50.0, tol=1e-12, iterations=5000).prox(x, 5.0)
    assert torch.allclose(found, ipx.prior("smooth").prox(x, 5.0 / 50.0), atol=1e-6)


# ---------------------------------------------------------------- hessian, tgv


@pytest.mark.parametrize(
    ("norm", "order"), [("nuclear", 1), ("frobenius", 2), ("spectral", np.inf)]
)
def test_the_hessian_norm_is_that_of_the_eigenvalues(norm: str, order: float) -> None:
    prior = ipx.prior("hessian", norm=norm, boundary="circular")
    x = draw(1, 1, 7, 9)
    h = prior.linear_part((1, 7, 9)).forward(x)[0]
    matrices = torch.stack([h[0], h[2] / 2**0.5, h[2] / 2**0.5, h[1]], -1).unflatten(-1, (2, 2))
    values = torch.linalg.eigvalsh(matrices)
    expected = torch.linalg.vector_norm(values, order, -1).sum()
    assert float(prior.value(x)) == pytest.approx(float(expected))
    column = x[0, 0, :, 4]
    assert float(h[0, 3, 4]) == pytest.approx(float(column[4] - 2 * column[3] + column[2]))


def test_tgv_costs_nothing_on_slopes_and_tv_at_w_0() -> None:
    prior, x = ipx.prior("tgv"), ramp()
    joint = prior.joint()
    field = torch.cat([torch.full_like(x, 0.02), torch.full_like(x, 0.03)], 1)
    assert float(joint.value(torch.cat([x, field], 1))) == pytest.approx(0, abs=1e-12)
    noise = draw(2, 3, 12, 15)
    both = torch.cat([noise, prior.field(noise)], 1)
    assert torch.allclose(joint.value(both), ipx.prior("tv").value(noise))


def test_tgv_keeps_a_slope_that_tv_flattens() -> None:
    x = ramp(12, 12)
    tgv = ipx.solve(x, op="identity", noise=NOISE, prior="tgv", lam=0.3, tol=1e-6)
    tv = ipx.solve(x, op="identity", noise=NOISE, prior="tv", lam=0.3)
    assert float((tgv.x - x).abs().max()) < 2e-3
    assert float((tv.x - x).abs().max()) > 0.02


@pytest.mark.parametrize("op", ["blur", "inpaint"])
def test_the_joint_solution_has_the_same_minimum_with_every_solver(op: str) -> None:
    truth = edges(16)
    y = ipx.degrade(truth, op=op, noise=NOISE, seed=1)
    how = {"op": op, "noise": NOISE, "prior": "tgv", "lam": 0.02, "tol": 1e-4}
    first = ipx.solve(y, solver="pdhg", iterations=300, **how)
    second = ipx.solve(y, solver="admm", iterations=50, **how)
    assert first.x.shape == truth.shape
    assert float((first.x - second.x).norm()) < 0.01 * float(first.x.norm())


def test_the_plan_of_a_field_is_exact() -> None:
    told = ipx.solve(edges(16), op="blur", noise=NOISE, prior="tgv", lam=0.02, exact=True).plan
    assert {b.name for b in told.bridges} == {"auxiliary-field", "closed-form"}


# ---------------------------------------------------------------- wavelets: group, l0


def test_groups_of_one_are_the_wavelet_prior() -> None:
    x = draw(2, 3, 16, 16)
    alone = ipx.prior("group", coupled=False, block=1).value(x)
    assert torch.allclose(alone, ipx.prior("wavelet").value(x))
    grey = x[:, :1].expand(-1, 3, -1, -1)
    coupled = ipx.prior("group").value(grey)
    assert torch.allclose(coupled, 3**0.5 * ipx.prior("wavelet").value(x[:, :1]))


def test_l0_counts_the_coefficients_of_pywavelets_and_keeps_the_large() -> None:
    x = draw(1, 1, 32, 32)
    prior = ipx.prior("l0", wavelet="db2", levels=2)
    c = pywt.wavedec2(x[0, 0].numpy(), "db2", "periodization", 2)
    hard = [c[0], *(tuple(np.where(np.abs(d) > 0.3, d, 0) for d in level) for level in c[1:])]
    expected = pywt.waverec2(hard, "db2", "periodization")
    found = prior.prox(x, 0.3**2 / 2)
    assert np.allclose(found[0, 0].numpy(), expected)
    assert float(prior.value(found)) == sum(
        np.count_nonzero(d) for level in hard[1:] for d in level
    )


def test_l0_is_refused_where_a_conjugate_is_needed() -> None:
    with pytest.raises(ipx.PlanError, match=r"not convex.*solvers that fit: .*fista"):
        ipx.solve(edges(), op="blur", noise=NOISE, prior="l0", solver="admm", lam=0.01)


# ---------------------------------------------------------------- dct, low-rank


def test_dct_of_apart_blocks_is_scipys() -> None:
    x = draw(1, 1, 24, 16)
    c = ipx.prior("dct", stride=8).linear_part((1, 24, 16)).forward(x)[0, 0].numpy()
    assert np.allclose(c[8:16, 8:], dctn(x[0, 0, 8:16, 8:].numpy(), norm="ortho"))


def test_dct_of_overlapping_blocks_is_the_mean_over_grids() -> None:
    x = draw(1, 2, 19, 22)
    part = ipx.prior("dct", block=6, stride=3).linear_part((2, 19, 22))
    assert torch.allclose(part.adjoint(part.forward(x)), x)
    flat = torch.full_like(x, 0.4)
    assert float(ipx.prior("dct").value(flat)) == pytest.approx(0, abs=1e-10)


def test_low_rank_thresholds_the_singular_values() -> None:
    """Cai, Candes, Shen, theorem 2.1."""
    prior, x = ipx.prior("low-rank", patch=1, block=None), draw(1, 5, 6, 7)
    u, s, v = torch.linalg.svd(x[0].flatten(1), full_matrices=False)
    expected = (u * (s - 0.5).clamp_min(0)) @ v
    assert torch.allclose(prior.prox_outer(x, 0.5)[0].flatten(1), expected)
    assert float(prior.value(x)) == pytest.approx(float(s.sum()))


# ---------------------------------------------------------------- all

WEIGHTS = {
    "huber-tv": 0.06, "hessian": 0.02, "tgv": 0.06, "group": 0.06, "dct": 0.06, "low-rank": 0.1,
}  # fmt: skip


@pytest.mark.parametrize("name", WEIGHTS)
def test_it_improves_on_noise(name: str) -> None:
    truth = torch.cat([edges(), 0.9 * edges()], 1)
    y = ipx.degrade(truth, op="identity", noise=NOISE, seed=1)
    x = ipx.solve(y, op="identity", noise=NOISE, prior=name, lam=WEIGHTS[name]).x
    assert float(psnr(x, truth) - psnr(y, truth)) > (2.5 if name == "dct" else 4)


def test_from_the_command_line(tmp_path: Path) -> None:
    np.save(tmp_path / "y.npy", edges(24)[0, 0].numpy().astype(np.float32))
    asked = ["--op", "blur", "--prior", "tgv", "--prior.ratio", "1.5", "--lam", "0.01", "--json"]
    files = [str(tmp_path / "y.npy"), "-o", str(tmp_path / "x.npy")]
    told = CliRunner().invoke(cli, ["solve", *files, *asked])
    assert told.exit_code == 0, told.output
    record = json.loads(told.stdout)
    assert record["plan"]["bridges"]["ProxConjugate"] == "auxiliary-field"
    assert np.load(tmp_path / "x.npy").shape == (24, 24)


@pytest.mark.parametrize("name", ["wavelet", "group"])
def test_invariant_wavelets_of_large_pictures(name: str) -> None:
    """From 512 x 512 on the response is not kept in float64."""
    y = torch.rand(1, 1, 512, 512, generator=torch.Generator().manual_seed(0))
    found = ipx.solve(y, noise={"name": "gaussian", "sigma": 0.05}, prior=name, lam=0.05,
                      solver="admm", iterations=1)  # fmt: skip
    assert bool(found.x.isfinite().all())


def test_a_biorthogonal_transform_has_no_closed_form() -> None:
    """W^T W is not the identity: steps by it grew without bound."""
    y = torch.rand(1, 1, 32, 32, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    prior = {"name": "wavelet", "wavelet": "bior2.2", "invariant": False}
    how = {"noise": {"name": "gaussian", "sigma": 0.05}, "prior": prior, "lam": 0.02, "tol": 0.0}
    values = [float(ipx.solve(y, **how, solver="admm", iterations=n).result.objective)
              for n in (20, 100)]  # fmt: skip
    assert values[1] <= values[0] * 1.001
