"""Losses of discriminator and generator from the discriminator's outputs, gradient penalties.

D returns logits. With the logistic losses, s(D) = sigmoid(D) is the probability of a real picture.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.functional import softplus

Critic = Callable[[Tensor], Tensor]


def discriminator_loss(objective: str, real: Tensor, fake: Tensor) -> Tensor:
    """Mean loss of D, from its outputs ``(B,)`` on real and generated pictures.

    minimax, non-saturating: -log s(real) - log(1 - s(fake)) (Goodfellow 2014, eq. 1);
    least-squares: ((real - 1)^2 + fake^2) / 2 (Mao 2017, eq. 9);
    wasserstein-gp: fake - real (Gulrajani 2017, eq. 3, first two terms).
    """
    if objective == "least-squares":
        return ((real - 1).square().mean() + fake.square().mean()) / 2
    if objective == "wasserstein-gp":
        return fake.mean() - real.mean()
    return softplus(-real).mean() + softplus(fake).mean()


def generator_loss(objective: str, fake: Tensor) -> Tensor:
    """Mean loss of G, from the outputs of D ``(B,)`` on generated pictures.

    minimax: log(1 - s(fake)); non-saturating: -log s(fake); least-squares: (fake - 1)^2 / 2;
    wasserstein-gp: -fake.
    """
    if objective == "minimax":
        return -softplus(fake).mean()
    if objective == "least-squares":
        return (fake - 1).square().mean() / 2
    if objective == "wasserstein-gp":
        return -fake.mean()
    return softplus(-fake).mean()


def r1(critic: Critic, real: Tensor) -> Tensor:
    """Mean of |grad D|^2 / 2 at real pictures (Mescheder 2018, eq. 9)."""
    return _gradients(critic, real).square().flatten(1).sum(1).mean() / 2


def unit_slope(critic: Critic, real: Tensor, fake: Tensor, rng: torch.Generator) -> Tensor:
    """Mean of (|grad D| - 1)^2 at random points between ``real`` and ``fake`` (Gulrajani 2017)."""
    t = torch.rand(real.shape[0], 1, 1, 1, generator=rng, device=real.device)
    found = _gradients(critic, real.lerp(fake, t)).flatten(1)
    slopes: Tensor = torch.linalg.vector_norm(found, dim=1)
    return (slopes - 1).square().mean()


def _gradients(critic: Critic, x: Tensor) -> Tensor:
    """The gradient of D at each picture, shape of ``x``, itself differentiable."""
    at = x.detach().requires_grad_()
    found: Tensor = torch.autograd.grad(critic(at).sum(), at, create_graph=True)[0]
    return found
