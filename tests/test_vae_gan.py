"""The autoencoder and the adversarial network: closed forms, contracts, shipped weights."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import data
from torch import Tensor, nn

import ipx
from ipx.registry import registry
from ipx.weights import load_weights
from ipx_plugins.gan.augment import augmented
from ipx_plugins.gan.distance import sliced_wasserstein
from ipx_plugins.gan.losses import discriminator_loss, generator_loss, r1, unit_slope
from ipx_plugins.gan.model import GAN
from ipx_plugins.vae.elbo import divergence, log_likelihood
from ipx_plugins.vae.model import VAE

FACE = (slice(55, 185), slice(160, 290))
SMALL = {"size": 16, "latent": 6, "width": 4}
MODELS = ["vae", "gan"]
OBJECTIVES = ["minimax", "non-saturating", "least-squares", "wasserstein-gp"]


def started(name: str, **values: Any) -> tuple[Any, nn.Module]:
    """A small model and a network of it."""
    model: Any = ipx.model(name, **{**SMALL, **values})
    with torch.random.fork_rng():
        torch.manual_seed(0)
        return model, model.network()


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed))


def normal(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


# What a generative model promises


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("colors", [1, 3])
def test_shapes_and_types(name: str, colors: int) -> None:
    model, net = started(name, colors=colors)
    shape = (colors, 16, 16)
    assert model.latent_size(shape) == 6
    assert model.only_shape == shape
    for dtype in (torch.float32, torch.float64):
        x = drawn(2, *shape).to(dtype)
        z = model.encode(net.eval(), x)
        assert (z.shape, z.dtype) == ((2, 6), dtype)
        made = model.decode(net, z, shape)
        assert (made.shape, made.dtype) == (x.shape, dtype)
        assert 0 <= made.min() < made.max() <= 1


@pytest.mark.parametrize("name", MODELS)
def test_a_batch_is_its_pictures(name: str) -> None:
    model, net = started(name)
    net.eval()
    x, z = drawn(3, 3, 16, 16), normal(3, 6)
    calls = [(lambda v: model.encode(net, v), x), (lambda v: model.decode(net, v, (3, 16, 16)), z)]
    if model.density != "none":
        calls.append((lambda v: model.log_prob(net, v) / 768, x))
    for call, argument in calls:
        alone = torch.cat([call(argument[i : i + 1]) for i in range(3)])
        assert torch.allclose(call(argument), alone, atol=1e-5)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("shape", [(3, 16, 17), (1, 16, 16), (3, 32, 32), (16, 16)])
def test_other_pictures_are_refused_in_a_line(name: str, shape: tuple[int, ...]) -> None:
    model, net = started(name)
    wanted = rf"this {name} is for pictures of shape \(3, 16, 16\), not .*; scale or cut"
    with pytest.raises(ipx.ShapeError, match=wanted):
        model.latent_size(shape)
    with pytest.raises(ipx.ShapeError, match=wanted):
        model.encode(net, drawn(1, *shape))
    with pytest.raises(ipx.ShapeError, match=wanted):
        model.decode(net, normal(1, 6), shape)


@pytest.mark.parametrize("name", MODELS)
def test_options_are_checked(name: str) -> None:
    with pytest.raises(ipx.OptionError, match="power of two, not 48"):
        ipx.model(name, size=48)
    with pytest.raises(ipx.OptionError, match="colors must be 1 or 3"):
        ipx.model(name, colors=2)


@pytest.mark.parametrize("deviation", ["no", "0", "-1", "inf", "nan"])
def test_the_deviation_is_a_number(deviation: str) -> None:
    with pytest.raises(ipx.OptionError, match="deviation must be learned or a number > 0"):
        ipx.model("vae", deviation=deviation)


@pytest.mark.parametrize("name", MODELS)
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_gradients_reach_every_parameter(name: str, objective: str) -> None:
    model, net = started(name, **({"objective": objective} if name == "gan" else {}))
    rng = torch.Generator().manual_seed(1)
    batch = drawn(4, 3, 16, 16)
    seen: set[int] = set()
    for part, parameters in model.parts(net).items():
        kept = list(parameters)
        loss = next(iter(model.part_loss(part, net, batch, rng).values()))
        found = torch.autograd.grad(loss, kept, allow_unused=True)
        for grad, parameter in zip(found, kept, strict=True):
            # the last bias of a critic has none where only differences of its outputs count
            shift = objective == "wasserstein-gp" and parameter.shape == (1,)
            assert grad is not None
            assert shift or grad.abs().sum() > 0
        seen |= {id(p) for p in kept}
    assert seen == {id(p) for p in net.parameters()}


@pytest.mark.parametrize("name", MODELS)
def test_the_code_and_the_picture_have_gradients(name: str) -> None:
    model, net = started(name)
    net.eval().requires_grad_(False)
    x, z = drawn(1, 3, 16, 16).requires_grad_(), normal(1, 6).requires_grad_()
    value = model.encode(net, x).sum() + model.decode(net, z, (3, 16, 16)).sum()
    for grad in torch.autograd.grad(value, [x, z]):
        assert grad.abs().sum() > 0


# The autoencoder


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 1000), n=st.integers(1, 5))
def test_divergence_is_that_of_gaussians(seed: int, n: int) -> None:
    mean, logvar = normal(2, n, seed=seed).double(), normal(2, n, seed=seed + 1).double()
    q = torch.distributions.Normal(mean, (logvar / 2).exp())
    p = torch.distributions.Normal(torch.zeros_like(mean), 1.0)
    known = torch.distributions.kl_divergence(q, p).sum(1)
    assert torch.allclose(divergence(mean, logvar), known)
    assert torch.equal(divergence(0 * mean, 0 * logvar), torch.zeros(2).double())


def test_likelihood_is_that_of_a_gaussian() -> None:
    x, mean = drawn(2, 3, 4, 5).double(), drawn(2, 3, 4, 5, seed=1).double()
    known = torch.distributions.Normal(mean, 0.3).log_prob(x).flatten(1).sum(1)
    assert torch.allclose(log_likelihood(x, mean, 0.3), known)


class Linear(nn.Module):
    """x = W z + g noise with orthogonal columns of W; the exact posterior, or one too wide."""

    def __init__(self, wide: float) -> None:
        super().__init__()
        side, n, g = 8, 3, 0.4
        q = torch.linalg.qr(normal(side * side, n).double()).Q
        self.w = nn.Parameter(q * torch.tensor([2.0, 1.0, 0.5], dtype=torch.float64))
        self.log_deviation = torch.tensor(g, dtype=torch.float64).log()
        gram = self.w.detach().square().sum(0)
        self.variance = wide / (1 + gram / g**2)
        self.back = (1 / (1 + gram / g**2))[:, None] * self.w.detach().T / g**2
        self.covariance = self.w.detach() @ self.w.detach().T + g**2 * torch.eye(
            side * side, dtype=torch.float64
        )

    def encode(self, x: Tensor) -> tuple[Tensor, Tensor]:
        mean = x.flatten(1) @ self.back.T
        return mean, self.variance.log().expand_as(mean)

    def decode(self, z: Tensor) -> Tensor:
        return (z @ self.w.T).view(-1, 1, 8, 8)


@pytest.mark.parametrize("wide", [1.0, 2.0])
def test_the_bound_of_a_linear_model(wide: float) -> None:
    """With the exact posterior the ELBO is log p(x), else it is smaller by KL(q || posterior)."""
    model, net = VAE(size=8, colors=1, latent=3), Linear(wide)
    x = (net.decode(normal(1, 3).double()) + 0.4 * normal(1, 1, 8, 8, seed=1)).detach()
    known = torch.distributions.MultivariateNormal(
        torch.zeros(64, dtype=torch.float64), net.covariance
    ).log_prob(x.flatten(1))
    gap = 3 * (wide - 1 - math.log(wide)) / 2
    # the mean over q is taken at its mean: larger by tr(W diag(var) W^T) / (2 g^2)
    excess = (net.variance * net.w.square().sum(0)).sum() / (2 * 0.4**2)
    assert torch.allclose(model.log_prob(net, x), known - gap + excess)
    # with samples of z, as in the loss and the scores
    many = x.expand(20_000, -1, -1, -1)
    rng = torch.Generator().manual_seed(0)
    fit, kl = model._terms(net, many, many, rng)
    assert float((fit - kl).detach().mean()) == pytest.approx(float(known) - gap, abs=0.05)


def test_the_first_network_decodes_the_mean_colour() -> None:
    model, net = started("vae")
    batch = 0.2 + 0.3 * drawn(8, 3, 16, 16)
    model.initialise(net, batch)
    about = batch - batch.mean((0, 2, 3)).view(1, 3, 1, 1)
    assert model.deviation(net) == pytest.approx(float(about.square().mean().sqrt()), rel=1e-3)
    net.up[-1].weight.data.zero_()
    made = model.decode(net, normal(1, 6), (3, 16, 16))
    assert torch.allclose(made.mean((0, 2, 3)), batch.mean((0, 2, 3)), atol=1e-5)


def test_whitened_codes_are_standard_normal() -> None:
    torch.manual_seed(3)
    model = ipx.model("vae", colors=1, size=8, latent=4, width=4)
    net = model.network().eval().requires_grad_(False)
    x = torch.rand(400, 1, 8, 8)
    mean, _ = net.encode(x)
    before = net.decode(mean)
    assert model.finish(net, x.split(100))
    code, logvar = net.encode(x)
    assert torch.allclose(net.decode(code), before, atol=1e-5)
    assert float(code.mean(0).abs().max()) < 1e-3
    spread = torch.cov(code.T) + torch.diag(logvar.exp().mean(0))
    assert torch.allclose(spread, torch.eye(4), atol=0.02)


def test_a_fixed_deviation_stays() -> None:
    model, net = started("vae", deviation="0.07")
    model.initialise(net, drawn(4, 3, 16, 16))
    assert model.deviation(net) == pytest.approx(0.07)
    assert not any("deviation" in name for name, _ in net.named_parameters())


def test_the_loss_is_that_of_the_paper() -> None:
    """Without input noise: -ELBO with z = mean + sd * noise; kl weighs the divergence."""
    model, net = started("vae", input_noise=0.0, kl=3.0)
    x = drawn(2, 3, 16, 16)
    found = model.loss(net, x, torch.Generator().manual_seed(3))
    rng = torch.Generator().manual_seed(3)
    torch.randn(x.shape, generator=rng)
    mean, logvar = net.encode(x)
    z = mean + (logvar / 2).exp() * torch.randn(mean.shape, generator=rng)
    fit = log_likelihood(x, net.decode(z), model.deviation(net))
    known = (3 * divergence(mean, logvar) - fit).mean() / 768
    assert torch.allclose(found["loss"], known, rtol=1e-5)


def test_the_score_of_noise_is_known() -> None:
    """Gaussian pictures about the decoded mean: bits of a Gaussian, and no divergence."""
    model, net = started("vae", deviation="0.1")
    net.code.weight.data.zero_()
    net.code.bias.data.zero_()
    net.up[-1].weight.data.zero_()
    net.up[-1].bias.data.zero_()
    x = 0.5 + 0.1 * normal(64, 3, 16, 16)
    found = model.validate(net, x, torch.Generator())
    entropy = math.log2(0.1 * math.sqrt(2 * math.pi * math.e)) + 8
    assert float(found["bits"].detach().mean()) == pytest.approx(entropy, abs=0.01)
    assert found["kl"].abs().max() < 1e-4
    assert float(found["psnr"].mean()) == pytest.approx(20, abs=0.1)


# The adversarial network


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
    assert float(found) == pytest.approx(13 / 3, rel=0.05)


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
    tools = {k: torch.optim.Adam(v, 2e-3, (0.0, 0.99)) for k, v in parts.items()}
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
    real = 0.8 + 0.1 * drawn(32, 1, 1, 1).expand(-1, -1, 8, 8)
    before = float(model.validate(net, real, rng)["distance"].mean())
    train(model, net, real, rng, 60)
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
        train(model, net, real, rng, 80)
        found.append(float(model.validate(net, real, rng)["psnr"].mean()))
    assert found[1] > found[0] + 3


# Shipped weights


def shipped() -> list[Any]:
    return [
        pytest.param(name, weights, id=f"{name}-{weights}")
        for name in MODELS
        for weights in registry().get("model", name).weights
    ]


def face() -> Tensor:
    """The astronaut's face, 64 x 64, eyes and mouth about where the training pictures have them."""
    cut = data.astronaut()[FACE].astype(np.float32) / 255
    return nn.functional.interpolate(torch.from_numpy(cut).permute(2, 0, 1)[None], 64, mode="area")


@pytest.mark.parametrize(("name", "weights"), shipped())
def test_shipped_weights(name: str, weights: str) -> None:
    loaded = load_weights(weights, name)
    model, net = loaded.model, loaded.network()
    assert isinstance(model, VAE | GAN)
    o = model.options
    shape = (o.colors, o.size, o.size)
    made = model.decode(net, normal(8, o.latent), shape)
    assert made.isfinite().all()
    # generated pictures differ from one another
    assert made.std(0).mean() > 0.05
    assert 0.01 < model.deviation(net) < 0.3
    # the encoder inverts the decoder
    again = model.decode(net, model.encode(net, made), shape)
    mean = made.mean(0, keepdim=True).expand_as(made)
    assert (ipx.psnr(again, made) > ipx.psnr(mean, made) + 3).all()


@pytest.mark.parametrize("name", MODELS)
def test_a_new_face_is_encoded(name: str) -> None:
    """Closer than the mean face of the model, and than the mean colour of the picture."""
    if "faces" not in registry().get("model", name).weights:
        pytest.skip(f"no weights of faces come with {name}")
    loaded = load_weights("faces", name)
    model, net, x = loaded.model, loaded.network(), face()
    assert isinstance(model, VAE | GAN)
    found = float(ipx.psnr(model.decode(net, model.encode(net, x), x.shape[1:]), x))
    mean_face = model.decode(net, torch.zeros(1, model.options.latent), x.shape[1:])
    assert found > float(ipx.psnr(mean_face, x)) + 3
    assert found > float(ipx.psnr(x.mean((2, 3), keepdim=True).expand_as(x), x)) + 1
    if model.density != "none":
        # a face is more probable than a face upside down, and than noise
        noise = drawn(1, 3, 64, 64)
        told = [float(model.log_prob(net, v)) for v in (x, x.flip(2), noise)]
        assert told[0] > told[1] > told[2]
