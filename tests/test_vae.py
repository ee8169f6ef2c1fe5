"""The autoencoder against closed forms."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given, settings, strategies as st
from torch import Tensor, nn

import ipx
from ipx_plugins.vae.elbo import divergence, log_likelihood
from ipx_plugins.vae.model import VAE
from small_models import drawn, normal, started


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
