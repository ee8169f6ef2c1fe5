"""PixelCNN: what a pixel sees, likelihoods that sum to one, draws that fit the data."""

from __future__ import annotations

import itertools
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from click.testing import CliRunner
from PIL import Image
from torch import Tensor

import ipx
from ipx_cli.main import cli
from ipx_plugins.pixelcnn.chain import Chain, posterior
from ipx_plugins.pixelcnn.net import Net


def started(levels: int, dilations: tuple[int, ...] = (1, 2)) -> tuple[Any, Net]:
    """A model with random weights, large enough that pixels depend on each other."""
    model = ipx.model("pixelcnn", levels=levels, width=6, dilations=dilations)
    torch.manual_seed(0)
    net = model.network().eval().requires_grad_(False)
    for p in net.parameters():
        p.mul_(2)
    return model, net


def every(levels: int, height: int, width: int) -> Tensor:
    """All pictures of so many grey values, as numbers ``(N, H, W)``."""
    found = list(itertools.product(range(levels), repeat=height * width))
    return torch.tensor(found).view(-1, height, width)


@pytest.mark.parametrize("dilations", [(1, 1, 1, 1), (1, 2)])
def test_a_pixel_sees_all_that_come_before_it_and_none_after(dilations: tuple[int, ...]) -> None:
    _, net = started(3, dilations)
    x = torch.rand(1, 1, 7, 7, requires_grad=True)
    row, column = 4, 3
    net(x)[0, :, row, column].square().sum().backward()
    assert x.grad is not None
    seen = x.grad[0, 0] != 0
    before = torch.zeros(7, 7, dtype=torch.bool)
    before[:row] = True
    before[row, :column] = True
    assert torch.equal(seen, before)  # masked 3 x 3 kernels would miss the pixels to the right


def test_likelihoods_of_all_pictures_sum_to_one() -> None:
    model, net = started(3)
    bits = model.bits(net, model.grey(every(3, 2, 2))[:, None])
    assert float((2 ** (-4 * bits.double())).sum()) == pytest.approx(1, abs=1e-5)


def test_before_training_the_bits_are_those_of_the_frequencies() -> None:
    model = ipx.model("pixelcnn", levels=4, width=4)
    net = model.network()
    x = (torch.rand(4, 1, 16, 16) < 0.2).float()
    with torch.no_grad():
        model.initialise(net, x)
        found = float(model.bits(net, x).mean())
    p = float(x.mean())
    entropy = -(p * math.log2(p) + (1 - p) * math.log2(1 - p))
    assert found == pytest.approx(entropy, abs=0.1)


def test_the_cache_gives_the_logits_of_the_network() -> None:
    model, net = started(5, (1, 2, 3))
    number = torch.randint(0, 5, (2, 9, 11))
    whole = net(model.grey(number)[:, None])
    chain = Chain(net, 2, 11)
    for r, c in itertools.product(range(9), range(11)):
        assert torch.allclose(torch.from_numpy(chain.logits()), whole[:, :, r, c], atol=1e-5)
        chain.put(number[:, r, c].numpy())


def test_the_particle_filter_draws_from_the_posterior() -> None:
    """Against the posterior of all 64 pictures of 2 x 3 pixels; standard errors are below 0.012."""
    model, net = started(2)
    numbers = every(2, 2, 3)
    fit = torch.randn(1, 2, 3, 2, generator=torch.Generator().manual_seed(3))
    fit[0, 0, 1] = 0.0  # a hole
    known = fit[0].expand(64, -1, -1, -1).gather(3, numbers[..., None])[..., 0].sum((1, 2))
    log_prior = -6 * math.log(2) * model.bits(net, model.grey(numbers)[:, None])
    exact = (log_prior + known).softmax(0) @ numbers.flatten(1).float()
    found, weights = posterior(net, fit, 4000, torch.Generator().manual_seed(0))
    mean = (weights[0, :, None] * found[0].flatten(1)).sum(0)
    assert torch.allclose(mean, exact, atol=0.04)


def test_samples_have_the_frequencies_of_the_model() -> None:
    model, net = started(2)
    numbers = every(2, 2, 2)
    p = 2 ** (-4 * model.bits(net, model.grey(numbers)[:, None]))
    x = model.draws(net, (1, 2, 2), 4000, torch.Generator().manual_seed(0))
    assert torch.allclose(x.mean((0, 1)), (p[:, None, None] * numbers).sum(0), atol=0.04)


def digit() -> Tensor:
    """A seven of 28 x 28."""
    x = torch.zeros(1, 1, 28, 28)
    x[..., 6:9, 8:20] = 1.0
    for k in range(13):
        x[..., 9 + k, 17 - k // 2 : 20 - k // 2] = 1.0
    return x


def test_it_fills_a_hole_and_keeps_the_rest(tmp_path: Path) -> None:
    x = digit()
    mask = torch.ones(28, 28)
    mask[14:18, 10:20] = 0
    np.save(tmp_path / "mask.npy", mask.numpy())
    how = ipx.solve(
        x * mask,
        op={"name": "inpaint", "mask": str(tmp_path / "mask.npy")},
        noise={"name": "gaussian", "sigma": 0.0},
        solver={"name": "pixelcnn", "particles": 8},
    )
    assert torch.equal(how.x * mask, x * mask)
    black = ipx.psnr(x * mask, x)
    assert float(ipx.psnr(how.x, x)) > float(black) + 2


def test_the_shipped_model_prefers_a_digit_to_its_mirror_image() -> None:
    loaded = ipx.load_weights("digits", "pixelcnn")
    model: Any = loaded.model
    net = loaded.network()
    bits = model.bits(net, torch.cat([digit(), digit().flip(3), digit().flip(2)]))
    assert bits[0] < bits[1:].min()


def test_generate_makes_samples_and_completions(tmp_path: Path) -> None:
    source = tmp_path / "seven.png"
    Image.fromarray((255 * digit()[0, 0]).numpy().astype(np.uint8)).save(source)
    target = tmp_path / "out.png"
    told = ["generate", "pixelcnn", str(source), "-o", str(target), "--count", "3", "-q"]
    told += ["--scale", "1"]
    done = CliRunner().invoke(cli, told)
    assert done.exit_code == 0, done.output
    sheet = np.asarray(Image.open(target))
    three = [sheet[:, k : k + 28] for k in (0, 30, 60)]
    given = np.asarray(Image.open(source))
    assert all((one[:14] == given[:14]).all() for one in three)
    assert not (three[0] == three[1]).all()


def test_generate_refuses_colours_but_not_grey_stored_in_colour(tmp_path: Path) -> None:
    grey = (255 * digit()[0, 0]).numpy().astype(np.uint8)
    source, target = tmp_path / "picture.png", tmp_path / "out.png"
    told = ["generate", "pixelcnn", str(source), "-o", str(target), "-q"]
    Image.fromarray(np.stack([grey] * 3, -1)).save(source)
    done = CliRunner().invoke(cli, told)
    assert done.exit_code == 0, done.output
    Image.fromarray(np.stack([grey, 255 - grey, grey], -1)).save(source)
    refused = CliRunner().invoke(cli, [*told, "--force"])
    assert refused.exit_code not in (0, 1)
    assert "pixelcnn takes grey pictures; this one has 3 channels" in refused.output
