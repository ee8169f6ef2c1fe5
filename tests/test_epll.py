"""The mixture of Gaussians for patches, and the prior EPLL."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import torch
from skimage import data

import ipx
from command_line import call
from ipx.files.images import write
from ipx.parts.weights import load_weights, save_weights
from ipx_plugins.epll.em import Statistics
from ipx_plugins.epll.model import Mixture, PatchMixture
from ipx_plugins.epll.patches import averaged, basis, places


def camera() -> torch.Tensor:
    image = np.asarray(data.camera(), np.float32)[100:356:2, 150:406:2] / 255
    return torch.from_numpy(image)[None, None]


def test_coordinates_are_orthonormal_and_leave_the_mean_out() -> None:
    q = basis(5)
    assert torch.allclose(q @ q.mT, torch.eye(24, dtype=q.dtype), atol=1e-12)
    assert float(q.sum(1).abs().max()) < 1e-12


def test_patches_cover_the_image_and_average_back_to_it() -> None:
    x = torch.rand(2, 11 * 13, generator=torch.Generator().manual_seed(0))
    where = places(11, 13, 4, 3)
    assert set(where.flatten().tolist()) == set(range(11 * 13))
    assert torch.allclose(averaged(x[:, where], where, 11 * 13), x, atol=1e-6)


def test_log_likelihood_is_that_of_torch_distributions() -> None:
    net = Mixture(3, 2).double()
    generator = torch.Generator().manual_seed(0)
    for part in net.parameters():
        part.data = torch.randn(part.shape, generator=generator, dtype=torch.float64)
    c = torch.randn(5, 8, generator=generator, dtype=torch.float64)
    weights = net.log_weights.softmax(0)
    for k in range(2):
        normal = torch.distributions.MultivariateNormal(
            torch.zeros(8, dtype=torch.float64), precision_matrix=net.whiten[k].mT @ net.whiten[k]
        )
        assert torch.allclose(net(c)[:, k], weights[k].log() + normal.log_prob(c))


def test_em_finds_two_gaussians() -> None:
    generator = torch.Generator().manual_seed(1)
    scales = torch.ones(2, 8)
    scales[0, :4], scales[1, 4:] = 0.1, 0.1
    label = (torch.rand(4000, generator=generator) < 0.3).long()
    c = torch.randn(4000, 8, generator=generator) * scales[label]
    net = Mixture(3, 2)
    known = Statistics.seeded(c, 2)
    with torch.no_grad():
        for step in range(30):
            known.into(net)
            known = known.updated(net, c, (step + 2) ** -0.6)
    order = known.share.argsort(descending=True)
    assert torch.allclose(known.share[order], torch.tensor([0.7, 0.3]), atol=0.03)
    found = (known.moment / known.share[:, None, None]).diagonal(dim1=1, dim2=2)[order]
    assert torch.allclose(found.sqrt(), scales, atol=0.05)


def test_one_gaussian_gives_the_wiener_filter(tmp_path: Path) -> None:
    side, sigma = 4, 0.1
    model = PatchMixture(side=side, components=1)
    net = model.network()
    assert isinstance(net, Mixture)
    spread = torch.linspace(0.05, 0.4, 15)
    net.whiten.data = torch.diag(1 / spread)[None]
    card = {"model": "epll/epll", "options": model.options.to_mapping()}
    save_weights(tmp_path / "one.safetensors", net.state_dict(), card)
    prior = ipx.prior("epll", weights=str(tmp_path / "one.safetensors"), betas=(1.0,), rank=15)
    y = torch.rand(1, 1, side, side, generator=torch.Generator().manual_seed(0))  # one patch
    c = y.flatten() @ basis(side).float().mT
    shrunk = c * spread**2 / (spread**2 + sigma**2)
    patch = y.mean() + (shrunk @ basis(side).float()).view_as(y)
    assert torch.allclose(prior.denoise(y, sigma), (y + patch) / 2, atol=1e-5)


def test_little_noise_and_small_images() -> None:
    prior = ipx.prior("epll")
    x = camera()[..., :5, :21]
    assert torch.equal(prior.denoise(x, 0.0), x)
    assert prior.denoise(x, 0.1).shape == x.shape
    assert float((prior.denoise(x, 1e-5) - x).abs().max()) < 1e-3


def test_shipped_weights_beat_total_variation_with_its_best_weight() -> None:
    clean, noise = camera(), {"name": "gaussian", "sigma": 0.1}
    y = ipx.degrade(clean, op="identity", noise=noise, seed=0)
    how = {"op": "identity", "noise": noise}
    best = max(
        float(ipx.psnr(ipx.solve(y, **how, prior="tv", lam=lam).x, clean))
        for lam in (0.05, 0.065, 0.08, 0.1)
    )
    assert float(ipx.psnr(ipx.prior("epll").denoise(y, 0.1), clean)) > best + 0.5


def test_training_raises_the_likelihood() -> None:
    x = camera()
    pieces = x.unfold(2, 32, 32).unfold(3, 32, 32).reshape(-1, 1, 32, 32)
    model = PatchMixture(side=4, components=4)
    net = model.network()
    with torch.no_grad():
        model.initialise(net, pieces)
        before = model.validate(net, pieces, torch.Generator())["nats"].mean()
        model.finish(net, [pieces] * 5)
        after = model.validate(net, pieces, torch.Generator())["nats"].mean()
    assert after < before - 0.01


def test_card_tells_the_score() -> None:
    card = load_weights("grey", "epll").card
    assert card["score"]["name"] == "nats"
    assert card["score"]["held_out"] < -2.5


def test_command_line_restores_a_blurred_file(tmp_path: Path) -> None:
    truth, blurred, restored = (tmp_path / name for name in ("x.tif", "y.tif", "z.tif"))
    write(truth, camera()[0, :, :64, :64].numpy())
    words = ("--noise.sigma", "0.02", "-o", blurred)
    assert call("degrade", truth, "--op", "blur", "--op.sigma", "1.5", *words).exit_code == 0
    words = ("--op.sigma", "1.5", "--prior", "epll", "--truth", truth, "--json")
    told = call("solve", blurred, "--op", "blur", *words, "-o", restored)
    assert told.exit_code == 0, told.output
    row = json.loads(told.stdout)
    assert row["psnr_after"] > row["psnr_before"] + 1
