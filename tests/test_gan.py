"""The adversarial network: losses, penalties, augmentation, and a short training."""

from __future__ import annotations

import math
from typing import Any

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor, nn

import ipx
from ipx_plugins.gan.augment import augmented
from ipx_plugins.gan.distance import sliced_wasserstein
from ipx_plugins.gan.losses import discriminator_loss, generator_loss, r1, unit_slope
from ipx_plugins.gan.model import GAN
from small_models import OBJECTIVES, drawn, normal


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), objective=st.sampled_from(OBJECTIVES))
def test_losses_are_those_of_the_papers(seed: int, objective: str) -> None:
    real, fake = normal(7, seed=seed).double(), normal(7, seed=seed + 1).double()
    p, q = real.sigmoid(), fake.sigmoid()
    log_loss = -(p.log() + (1 - q).log()).mean()
    known = {
        "minimax": (log_loss, (1 - q).log().mean()),
        "non-saturating": (log_loss, -q.log().mean()),
        "least-squares": (((real - 1) ** 2 + fake**2).mean() / 2, ((fake - 1) ** 2).mean() / 2),
        "wasserstein-gp": (fake.mean() - real.mean(), -fake.mean()),
    }[objective]
    assert torch.allclose(discriminator_loss(objective, real, fake), known[0])
    assert torch.allclose(generator_loss(objective, fake), known[1])


def test_penalties_of_a_linear_critic() -> None:
    """D(x) = 3 sum x of 4 numbers: the gradient is 6 long everywhere."""
    real, fake = drawn(3, 1, 2, 2), drawn(3, 1, 2, 2, seed=1)

    def critic(x: Tensor) -> Tensor:
        return 3 * x.flatten(1).sum(1)

    assert float(r1(critic, real)) == pytest.approx(18)
    assert float(unit_slope(critic, real, fake, torch.Generator())) == pytest.approx(25)


def test_the_slope_is_taken_between_real_and_generated() -> None:
    """D = x^2 / 2 has the slope x: between 2 and 4 the mean of (x - 1)^2 is 13 / 3."""
    real, fake = torch.full((4000, 1, 1, 1), 2.0), torch.full((4000, 1, 1, 1), 4.0)
    rng = torch.Generator().manual_seed(0)
    found = unit_slope(lambda x: x.square().flatten(1).sum(1) / 2, real, fake, rng)
    assert float(found.detach()) == pytest.approx(13 / 3, rel=0.05)


def test_augmentation_moves_and_changes_colour() -> None:
    x = drawn(200, 3, 16, 16)
    kept = x.clone()
    out = augmented(x, torch.Generator().manual_seed(0))
    assert torch.equal(x, kept)
    assert out.shape == x.shape
    # flat grey pictures: only the brightness, by up to a quarter
    flat = augmented(torch.full((500, 3, 16, 16), 0.5), torch.Generator().manual_seed(0))
    assert (flat - flat[:, :1, :1, :1]).abs().max() < 1e-6
    assert -0.25 <= float((flat - 0.5).min()) < -0.2
    assert 0.2 < float((flat - 0.5).max()) <= 0.25
    # a dot in the middle: in each place within an eighth of the side
    dot = torch.zeros(500, 1, 16, 16)
    dot[..., 8, 8] = 1
    seen = augmented(dot, torch.Generator().manual_seed(0))[:, 0].flatten(1).argmax(1)
    assert set((seen // 16).tolist()) == set((seen % 16).tolist()) == {6, 7, 8, 9, 10}


def test_distance_of_sets() -> None:
    x, y = drawn(16, 3, 32, 32), drawn(16, 3, 32, 32, seed=1)

    def far(a: Tensor, b: Tensor) -> float:
        return float(sliced_wasserstein(a, b, torch.Generator().manual_seed(0)))

    assert far(x, x) == 0
    assert far(x, x.flip(0)) == pytest.approx(0, abs=1e-7)
    assert far(x, y) < 0.05 < far(x, y / 2)
    # moved by a constant: that times the mean of |sum of a direction|, 0.8 for unit vectors
    assert far(x, x + 0.3) == pytest.approx(0.3 * math.sqrt(2 / math.pi), rel=0.1)


def train(model: Any, net: nn.Module, real: Tensor, rng: torch.Generator, steps: int) -> None:
    """Each part in turn, as the training loop does."""
    parts = {k: list(v) for k, v in model.parts(net).items()}
    tools = {k: torch.optim.Adam(v, 5e-3, (0.0, 0.99)) for k, v in parts.items()}
    for _ in range(steps):
        for part, parameters in parts.items():
            loss = next(iter(model.part_loss(part, net, real, rng).values()))
            for p, g in zip(parameters, torch.autograd.grad(loss, parameters), strict=True):
                p.grad = g
            tools[part].step()


@pytest.mark.parametrize("objective", OBJECTIVES)
def test_it_learns_dots(objective: str) -> None:
    """A few steps bring generated pictures closer to the bright ones given."""
    model: Any = GAN(size=8, colors=1, latent=2, width=8, objective=objective, augment=False)
    with torch.random.fork_rng():
        torch.manual_seed(0)
        net = model.network()
    rng = torch.Generator().manual_seed(0)
    real = 0.8 + 0.1 * drawn(16, 1, 1, 1).expand(-1, -1, 8, 8)
    before = float(model.validate(net, real, rng)["distance"].mean())
    train(model, net, real, rng, 50)
    assert float(model.validate(net, real, rng)["distance"].mean()) < 0.75 * before


def test_fit_makes_the_pictures_of_the_training() -> None:
    """With the same numbers drawn, G(E(x)) is nearer to x the more that counts."""
    found = []
    for fit in (0.0, 20.0):
        model: Any = GAN(size=8, colors=1, latent=4, width=8, fit=fit, augment=False)
        with torch.random.fork_rng():
            torch.manual_seed(0)
            net = model.network()
        rng = torch.Generator().manual_seed(0)
        real = drawn(8, 1, 1, 1).expand(-1, -1, 8, 8).contiguous()
        train(model, net, real, rng, 50)
        found.append(float(model.validate(net, real, rng)["psnr"].mean()))
    assert found[1] > found[0] + 3


def test_it_starts_from_a_vae() -> None:
    """Generator and encoder are the decoder and the mean encoder; what does not fit is a line."""
    vae = ipx.load_weights("digits", "vae")
    net, o = vae.network(), vae.model.options
    same = {"size": o.size, "colors": o.colors, "latent": o.latent, "width": o.width}
    model: Any = GAN(start="digits", **same)
    fresh = model.network()
    x = drawn(2, 1, 32, 32)
    with torch.no_grad():
        model.initialise(fresh, x)
        z = vae.model.encode(net, x)
        assert torch.allclose(model.encode(fresh, x), z, atol=1e-5)
        shape = (1, 32, 32)
        assert torch.allclose(model.decode(fresh, z, shape), vae.model.decode(net, z, shape))
    assert model.deviation(fresh) == pytest.approx(vae.model.deviation(net))
    other: Any = GAN(start="digits", **{**same, "latent": 8})
    with pytest.raises(ipx.OptionError, match=f"latent must be {o.latent} .* not 8"):
        other.initialise(other.network(), x)
