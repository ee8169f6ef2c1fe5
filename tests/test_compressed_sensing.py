"""Compressed sensing and greedy solvers: matrices, exact recovery, early stopping."""

from __future__ import annotations

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

import ipx
from ipx import Problem, ShapeError
from ipx.files import images
from ipx_cli.main import cli
from ipx_plugins.compressed_sensing import matrices
from ipx_plugins.compressed_sensing.matrices import hadamard
from ipx_plugins.compressed_sensing.operator import CompressedSensing

KINDS = ("gaussian", "bernoulli", "hadamard", "dct")
GREEDY = ("omp", "cosamp", "iht")


def normal(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def dense(op: CompressedSensing) -> torch.Tensor:
    n = math.prod(op.image_shape)
    units = torch.eye(n, dtype=torch.float64).reshape(n, *op.image_shape)
    return op.forward(units).flatten(1).T


@pytest.mark.parametrize("kind", KINDS)
def test_the_energy_is_kept_on_average(kind: str) -> None:
    a = dense(CompressedSensing((1, 16, 16), matrix=kind, block=None, share=0.25, seed=5))
    assert a.shape == (64, 256)
    squares = a.square().sum(0)
    assert abs(float(squares.mean()) - 1) < 0.03
    if kind in ("hadamard", "dct"):
        assert torch.allclose(a @ a.T, 4 * torch.eye(64, dtype=torch.float64), atol=1e-12)
    if kind in ("bernoulli", "hadamard"):
        assert torch.allclose(a.abs(), torch.full_like(a, 1 / 8), atol=1e-7)


def test_hadamard_is_that_of_sylvester() -> None:
    from scipy.linalg import hadamard as sylvester

    x = normal(3, 16)
    wanted = x @ torch.from_numpy(sylvester(16).astype(float)) / 4
    assert torch.allclose(hadamard(x), wanted, atol=1e-12)


@pytest.mark.parametrize("kind", ["gaussian", "bernoulli"])
def test_drawn_anew_is_the_stored_matrix(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    op = CompressedSensing((1, 24, 24), matrix=kind, block=None, share=0.6, seed=1)  # 346 rows
    x, y = normal(2, 1, 24, 24), normal(2, *op.data_shape)
    stored = op.forward(x), op.adjoint(y)
    monkeypatch.setattr(matrices, "STORED", 0)
    assert torch.allclose(op.forward(x), stored[0], atol=1e-12)
    assert torch.allclose(op.adjoint(y), stored[1], atol=1e-12)
    # the bound for matrices too large to be decomposed
    fresh = CompressedSensing((1, 24, 24), matrix=kind, block=None, share=0.6, seed=1)
    assert abs(fresh.norm() / op.norm() - 1) < 0.05


def test_seeds_differ() -> None:
    x = normal(1, 1, 16, 16)
    found = [CompressedSensing((1, 16, 16), seed=s).forward(x) for s in (0, 0, 1)]
    assert torch.equal(found[0], found[1])
    assert not torch.allclose(found[0], found[2])


def test_blocks_are_measured_one_by_one() -> None:
    op = CompressedSensing((1, 8, 16), block=8)
    one = CompressedSensing((1, 8, 8), block=8)
    x = normal(1, 1, 8, 16)
    both = torch.cat([one.forward(x[..., :8]), one.forward(x[..., 8:])], -1)
    assert torch.allclose(op.forward(x), both, atol=1e-12)


def sparse(k: int, size: int, seed: int = 0) -> torch.Tensor:
    """k normal values among size^2."""
    x = torch.zeros(2, size * size, dtype=torch.float64)
    for i in range(2):
        at = torch.randperm(size * size, generator=torch.Generator().manual_seed(seed + i))[:k]
        x[i, at] = normal(k, seed=seed + i).sign() * (0.5 + normal(k, seed=9 + i).abs())
    return x.reshape(2, 1, size, size)


PRIORS = [
    {"name": "l1"},
    {"name": "whole-dct"},
    {"name": "wavelet", "invariant": False, "wavelet": "haar"},
]


@pytest.mark.parametrize("told", [True, False])
@pytest.mark.parametrize("prior", PRIORS, ids=lambda p: p["name"])
@pytest.mark.parametrize("solver", GREEDY)
def test_exactly_sparse_images_are_recovered(solver: str, prior: dict, told: bool) -> None:
    """k = 12 of 256 from 100 measurements, in pixels, cosines and wavelets."""
    c = sparse(12, 16)
    made = ipx.prior(**prior)
    x = made.orthonormal_part((1, 16, 16)).adjoint(c)
    op = {"name": "compressed-sensing", "block": None, "share": 100 / 256}
    y = ipx.degrade(x, op=op, noise={"name": "gaussian", "sigma": 0.0})
    how = ipx.solve(
        y, op=op, noise={"name": "gaussian", "sigma": 0.0}, prior=prior, tol=1e-7,
        solver={"name": solver, **({"k": 12} if told else {})},
    )  # fmt: skip
    assert float((how.x - x).norm() / x.norm()) < 1e-3
    assert how.lam is None


@pytest.mark.parametrize("solver", GREEDY)
def test_it_stops_at_the_noise(solver: str) -> None:
    x, noise = sparse(10, 16), {"name": "gaussian", "sigma": 0.02}
    op = {"name": "compressed-sensing", "block": None, "share": 0.4, "matrix": "dct"}
    y = ipx.degrade(x, op=op, noise=noise, seed=4)
    how = ipx.solve(y, op=op, noise=noise, prior="l1", solver=solver)
    assert how.status == ["converged"] * 2
    assert float((how.x - x).norm() / x.norm()) < 0.1
    assert int((how.x != 0).flatten(1).sum(1).max()) <= 30


def test_omp_finds_one_atom_a_step() -> None:
    """As many nonzeros as steps, and a residual orthogonal to the chosen atoms."""
    x = normal(1, 1, 16, 16)
    op = ipx.operator("compressed-sensing", (1, 16, 16), share=0.5)
    problem = Problem(op.forward(x), op, ipx.noise("gaussian", sigma=0.01), ipx.prior("l1"))
    found = ipx.iterate(problem, ipx.solver("omp", k=9), tol=0.0)
    assert found.status == ["done"]
    assert int((found.x != 0).sum()) == 9
    back = op.adjoint(op.forward(found.x) - problem.y)
    assert float(back[found.x != 0].abs().max()) < 1e-10


def test_iht_never_increases_the_residual() -> None:
    x = sparse(20, 16)
    op = ipx.operator("compressed-sensing", (1, 16, 16), share=0.5)
    problem = Problem(op.forward(x), op, ipx.noise("gaussian", sigma=0.01), ipx.prior("l1"))
    seen: list[torch.Tensor] = []
    ipx.iterate(
        problem, ipx.solver("iht", k=20), iterations=40, tol=0.0,
        observers=[lambda now: seen.append(problem.data.value(now.unknown))],
    )  # fmt: skip
    values = torch.stack(seen)
    assert bool((values[1:] <= values[:-1] + 1e-12).all())


@pytest.mark.parametrize("prior", ["drunet", "bm3d"])
def test_denoisers_begin_at_a_picture(prior: str) -> None:
    clean = torch.from_numpy(images.bundled().pixels[:1, 60:124, 60:124])
    op, noise = {"name": "compressed-sensing", "share": 0.15}, {"name": "gaussian", "sigma": 0.01}
    y = ipx.degrade(clean, op=op, noise=noise)
    scores = [
        float(ipx.psnr(ipx.solve(y, op=op, noise=noise, prior=prior, start=start).x, clean))
        for start in ("preview", "auto")
    ]
    assert scores[1] > scores[0] + 5


def test_what_the_greedy_solvers_refuse() -> None:
    y = torch.rand(1, 1, 16, 16)
    with pytest.raises(ipx.PlanError, match=r"prior wavelet gives no Sparse; solvers that fit"):
        ipx.solve(y, op="blur", prior="wavelet", solver="omp")
    with pytest.raises(ipx.PlanError, match="only an approximate one"):
        ipx.solve(y, op="blur", prior="l1", solver="omp", exact=True)


@pytest.mark.parametrize(
    ("shape", "how", "told"),
    [
        ((1, 24, 20), {}, "crop to 16 x 16"),
        ((1, 12, 12), {"matrix": "hadamard", "block": None}, "power of two"),
        ((1, 12, 8), {"block": None}, "size 12,8"),
    ],
)
def test_one_line_for_what_does_not_fit(shape: tuple, how: dict, told: str) -> None:
    with pytest.raises(ShapeError, match=told):
        CompressedSensing(shape, **how)


def test_data_of_another_share_are_refused() -> None:
    op = {"name": "compressed-sensing", "share": 0.3}
    with pytest.raises(ShapeError, match="no multiple of the 77 measurements"):
        ipx.solve(torch.rand(1, 1, 2, 128), op=op, prior="tv", lam=0.01)


def test_files_through_the_command_line(tmp_path: Path) -> None:
    truth, data, out = (tmp_path / n for n in ("truth.png", "data.tif", "out.png"))
    v = np.linspace(-1, 1, 32)
    x = 0.2 + 0.6 * (v**2 + v[:, None] ** 2 < 0.4)
    images.write(truth, x[None].astype(np.float32), dtype="uint8")
    sensing = ["--op", "compressed-sensing", "--op.share", "0.4"]
    run = CliRunner().invoke
    done = run(cli, ["degrade", str(truth), "-o", str(data), *sensing, "--noise.sigma", "0.01"])
    assert done.exit_code == 0, done.output
    wrong = run(cli, ["solve", str(data), "-o", str(out), "--op", "compressed-sensing"])
    assert wrong.exit_code == 2
    assert "must be told the matrix: give --op.matrix and --op.share and --op.seed" in wrong.output
    solved = run(cli, ["solve", str(data), "-o", str(out), *sensing, "--noise.sigma", "0.01",
                       "--lam", "0.01", "--dtype", "uint8"])  # fmt: skip
    assert solved.exit_code == 0, solved.output
    assert ipx.psnr(images.read(out).pixels[0], x) > 25
