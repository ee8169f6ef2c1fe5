"""The mixture of Gaussians for patches, and its training."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping

import torch
from torch import Tensor, nn

from ipx import Model
from ipx_plugins.epll import MixtureOptions
from ipx_plugins.epll.em import Statistics
from ipx_plugins.epll.patches import basis, places


class Mixture(nn.Module):
    """log p(c) = log sum_k w_k N(c; 0, (W_k^T W_k)^-1), c the coordinates of a patch in `basis`.

    Attributes:
        log_weights: log w_k up to a constant, ``(K,)``.
        whiten: W_k, ``(K, d, d)``, d = side^2 - 1.
    """

    def __init__(self, side: int, components: int) -> None:
        super().__init__()
        d = side * side - 1
        self.side = side
        self.log_weights = nn.Parameter(torch.zeros(components))
        scales = torch.logspace(0, 2, components).view(-1, 1, 1)
        self.whiten = nn.Parameter(scales * torch.eye(d).expand(components, d, d))

    def forward(self, c: Tensor) -> Tensor:
        """log w_k + log N(c; k), ``(N, K)``, of coordinates ``(N, d)``."""
        squares = [(c @ w.mT).square().sum(1) for w in self.whiten]
        constant = torch.linalg.slogdet(self.whiten)[1] - 0.5 * c.shape[1] * math.log(2 * math.pi)
        told: Tensor = self.log_weights.log_softmax(0) + constant - 0.5 * torch.stack(squares, 1)
        return told

    def coordinates(self, pictures: Tensor, stride: int) -> Tensor:
        """Coordinates of patches of grey pictures ``(B, 1, H, W)``: ``(B, N, d)``."""
        height, width = pictures.shape[-2:]
        where = places(height, width, self.side, stride).to(pictures.device)
        return pictures.flatten(1)[:, where] @ basis(self.side).to(pictures).mT


class PatchMixture(Model[MixtureOptions]):
    """Zoran and Weiss 2011: grey patches without their means are a mixture of Gaussians.

    The loss is the negative log-likelihood of a coordinate in nats. Gradient steps only begin the
    training; at its end `Statistics` finds weights and covariances by online EM.
    """

    score = "nats"
    higher_is_better = False

    def network(self) -> nn.Module:
        """The mixture; its Gaussians are isotropic, of several scales."""
        return Mixture(self.options.side, self.options.components)

    @property
    def colors(self) -> int:
        """1: the patches are grey."""
        return 1

    @property
    def multiple(self) -> int:
        """The side of a patch, so that each picture has one."""
        return self.options.side

    def initialise(self, net: nn.Module, batch: Tensor) -> None:
        """Gaussians around random patches of strong contrast and what resembles these."""
        assert isinstance(net, Mixture)
        Statistics.seeded(net.coordinates(batch, 1).flatten(0, 1), len(net.whiten)).into(net)

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        """Mean negative log-likelihood of a coordinate."""
        return self._nats(net, batch).mean()

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """``nats``: the loss of each picture, ``(B,)``."""
        return {"nats": self._nats(net, batch)}

    def finish(self, net: nn.Module, pictures: Iterable[Tensor]) -> bool:
        """Online expectation-maximisation, one pass over the patches of the pictures."""
        assert isinstance(net, Mixture)
        known = Statistics.of(net)
        for step, batch in enumerate(pictures):
            c = net.coordinates(batch, self.options.side // 2).flatten(0, 1)
            known = known.updated(net, c, (step + 2) ** -0.6)
            known.into(net)
        return True

    def _nats(self, net: nn.Module, batch: Tensor) -> Tensor:
        assert isinstance(net, Mixture)
        c = net.coordinates(batch, self.options.side // 2)
        told = net(c.flatten(0, 1)).logsumexp(1) / c.shape[-1]
        nats: Tensor = -told.view(len(batch), -1).mean(1)
        return nats
