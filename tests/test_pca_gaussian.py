"""The Gaussian with principal components: its closed forms, learning, the solver."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import torch
from torch import Tensor

import ipx
from command_line import call
from ipx.files import images
from ipx.parts.weights import save_weights
from ipx_plugins.pca_gaussian.covariance import restored, transformed
from ipx_plugins.pca_gaussian.model import Gaussian, PCAGaussian
from ipx_plugins.pca_gaussian.moments import Moments

SHAPE, N, SIGMA = (3, 8, 8), 192, 0.02
NOISE = {"name": "gaussian", "sigma": SIGMA}


def smooth_images(count: int) -> Tensor:
    """Random smooth images, ``(count, 3, 8, 8)`` float64."""
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(count, *SHAPE, generator=generator, dtype=torch.float64)
    x = x.cumsum(-1).cumsum(-2)
    return x / x.max()


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> str:
    model = PCAGaussian(size=8, rank=5)
    net = model.network()
    with torch.no_grad():
        model.initialise(net, smooth_images(40))
    path = tmp_path_factory.mktemp("pca") / "small.safetensors"
    card = {"model": "pca-gaussian/pca-gaussian", "options": model.options.to_mapping()}
    save_weights(path, net.state_dict(), card)
    return str(path)


def dense(weights: str) -> tuple[Tensor, Tensor]:
    """Mean ``(n,)`` and covariance ``(n, n)`` of weights, from the definition of the model."""
    net = ipx.load_weights(weights, "pca-gaussian").network(torch.empty(0, dtype=torch.float64))
    assert isinstance(net, Gaussian)
    eye = torch.eye(N, dtype=torch.float64).view(N, *SHAPE)
    t = transformed(eye).flatten(1).T  # column j: T e_j
    factor = net.components.flatten(1)
    spectrum = net.log_spectrum.exp().flatten()
    return net.mean.flatten(), factor.T @ factor + t.T @ (spectrum[:, None] * t)


def matrix(op: ipx.LinearOperator) -> Tensor:
    columns = op.forward(torch.eye(N, dtype=torch.float64).view(N, *SHAPE))
    return columns.flatten(1).T


def test_transform_is_orthonormal() -> None:
    x = smooth_images(3)
    c = transformed(x)
    assert torch.allclose(restored(c), x, atol=1e-12)
    assert torch.allclose(c.square().sum(), x.square().sum())
    grey = ipx.opponent(3, torch.zeros((), dtype=torch.float64))[0]
    assert torch.allclose(grey, torch.full((3,), 3**-0.5, dtype=grey.dtype))


@pytest.mark.parametrize(
    "op",
    [
        {"name": "identity"},
        {"name": "inpaint", "missing": 0.6},
        {"name": "blur", "sigma": 1.0, "boundary": "circular"},
        {"name": "super-resolution", "factor": 2},
        {"name": "compressed-sensing", "share": 0.3, "block": 8},
    ],
    ids=lambda op: op["name"],
)
def test_minimiser_is_the_posterior_mean(weights: str, op: dict[str, object]) -> None:
    truth = smooth_images(2)
    y = ipx.degrade(truth, op=op, noise=NOISE, seed=1)
    how = ipx.solve(
        y, op=op, noise=NOISE, prior={"name": "pca-gaussian", "weights": weights}, tol=1e-9
    )
    assert how.plan.solver.name == "cg"
    assert how.lam == pytest.approx([SIGMA**2] * 2)  # no tuner: it follows from the noise
    mean, c = dense(weights)
    made = ipx.operator(**op, image_shape=SHAPE)
    a = matrix(made)
    seen = a @ c @ a.T + SIGMA**2 * torch.eye(len(a), dtype=a.dtype)
    gain = torch.linalg.solve(seen, (y.double().flatten(1) - mean @ a.T).T)
    wanted = mean + (c @ a.T @ gain).T
    assert torch.allclose(how.x.double().flatten(1), wanted, atol=1e-6)


def test_density_is_that_of_torch_distributions(weights: str) -> None:
    x = smooth_images(3)
    mean, c = dense(weights)
    wanted = -torch.distributions.MultivariateNormal(mean, c).log_prob(x.flatten(1)) / N
    net = ipx.load_weights(weights, "pca-gaussian").network(x)
    assert torch.allclose(net(x), wanted)
    value = ipx.prior("pca-gaussian", weights=weights).value(x)
    away = x.flatten(1) - mean
    assert torch.allclose(value, 0.5 * (away * torch.linalg.solve(c, away.T).T).sum(1))


def test_batches_give_the_moments_of_all_images() -> None:
    x = smooth_images(30)
    whole = Moments.of(x, 20)
    parts = Moments.of(x[:7], 20).joined(Moments.of(x[7:19], 20), 20)
    parts = parts.joined(Moments.of(x[19:], 20), 20)
    assert parts.count == 30
    assert torch.allclose(parts.mean, whole.mean)
    assert torch.allclose(parts.square, whole.square)
    a, b = whole.covariance(20), parts.covariance(20)  # of more than the rank of the scatter, 29
    strongest = [m.factor.flatten(1).norm(dim=1) for m in (a, b)]
    assert torch.allclose(*strongest)
    covariances = [m.factor.flatten(1).T @ m.factor.flatten(1) for m in (a, b)]
    assert torch.allclose(*covariances, atol=1e-9)


def test_components_are_those_of_the_scatter_matrix() -> None:
    x = smooth_images(50)
    away = (x - x.mean(0)).flatten(1)
    wanted = torch.linalg.eigvalsh(away.T @ away / 50).flip(0)[:6]
    found = Moments.of(x, 6).covariance(6).factor.flatten(1).square().sum(1)
    assert torch.allclose(found, wanted)


def test_cg_solves_other_quadratic_priors_as_direct_does() -> None:
    y = ipx.degrade(smooth_images(2), op="blur", noise=NOISE, seed=1)
    how = {"op": "blur", "noise": NOISE, "prior": "smooth", "lam": [0.01, 0.1]}
    found = ipx.solve(y, **how, solver="cg", tol=1e-8)
    assert torch.allclose(found.x, ipx.solve(y, **how, solver="direct").x, atol=1e-6)
    with pytest.raises(ipx.PlanError, match="cg does not fit"):
        ipx.solve(y, **{**how, "prior": "tv"}, solver="cg")


def test_another_size_is_refused_in_one_line() -> None:
    with pytest.raises(ipx.ShapeError, match=r"are for images of shape \(3, 64, 64\)"):
        ipx.solve(torch.rand(1, 3, 32, 32), op="identity", prior="pca-gaussian", lam=0.1)


def test_shipped_weights_beat_total_variation_with_missing_pixels() -> None:
    truth = torch.from_numpy(images.bundled("face").pixels)[None]
    y = ipx.degrade(truth, op="inpaint", noise=NOISE, seed=0)
    told = {"op": "inpaint", "noise": NOISE}
    gain = ipx.psnr(ipx.solve(y, **told, prior="pca-gaussian").x, truth)
    gain = gain - ipx.psnr(ipx.solve(y, **told, prior="tv").x, truth)
    assert float(gain) > 0.5


def test_command_line_learns_and_restores(tmp_path: Path) -> None:
    folder, learned = tmp_path / "set", tmp_path / "own.safetensors"
    folder.mkdir()
    for i, x in enumerate(smooth_images(24)):
        images.write(folder / f"{i:02}.png", x.float().numpy())
    told = call(
        "train", "pca-gaussian", "--data", folder, "--model.size", "8", "--model.rank", "4",
        "--augment", "none", "--batch", "16", "--hold-out", "2*", "-o", learned, "--json",
    )  # fmt: skip
    assert told.exit_code == 0, told.output
    card = json.loads(told.stdout)
    assert card["history"][-1]["finished"]
    assert card["history"][-1]["nats"] < card["history"][0]["nats"]
    noisy, out = tmp_path / "y.tif", tmp_path / "x.tif"
    truth = folder / "23.png"
    assert call("degrade", truth, "--noise.sigma", "0.1", "-o", noisy).exit_code == 0
    words = ("--prior", "pca-gaussian", "--prior.weights", learned, "--truth", truth, "--json")
    told = call("solve", noisy, "--op", "identity", *words, "-o", out)
    assert told.exit_code == 0, told.output
    row = json.loads(told.stdout)
    assert row["psnr_after"] > row["psnr_before"] + 3
