"""Expectation-maximisation for the mixture of Gaussians, online (Cappe, Moulines 2009)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

if TYPE_CHECKING:
    from ipx_plugins.epll.model import Mixture

FLOOR = (0.3 / 255) ** 2
"""Least variance along an axis: that of the errors of 8-bit pixels."""

_LIKELY = 4  # Gaussians that share a patch; the others have next to nothing of it
_COUNT = 1e-5  # share of all patches that the common covariance counts as


@dataclass(frozen=True)
class Statistics:
    """Shares ``(K,)`` and shares times covariances ``(K, d, d)`` of the Gaussians."""

    share: Tensor
    moment: Tensor

    @staticmethod
    def seeded(c: Tensor, count: int) -> Statistics:
        """From coordinates ``(N, d)``: each belongs to the most similar of ``count`` of them."""
        size = c.norm(dim=1)
        strong = size.argsort(descending=True)[: max(len(c) // 2, 1)]
        generator = torch.Generator().manual_seed(0)
        picked = torch.randint(0, len(strong), (count,), generator=generator).to(c.device)
        seeds = c[strong[picked]]
        unit = c / size.clamp_min(1e-6)[:, None]
        label = (unit @ torch.nn.functional.normalize(seeds).mT).abs().argmax(1)
        common = c.mT @ c / len(c)
        share, moment = c.new_zeros(count), c.new_zeros(count, *common.shape)
        for k in range(count):
            own = c[label == k]
            share[k] = (len(own) + 1) / (len(c) + count)
            moment[k] = share[k] * (own.mT @ own + 25 * common) / (len(own) + 25)
        return Statistics(share, moment)

    @staticmethod
    def of(net: Mixture) -> Statistics:
        """Those that give the mixture."""
        share = net.log_weights.softmax(0)
        inverse = torch.linalg.inv(net.whiten)
        return Statistics(share, share[:, None, None] * (inverse @ inverse.mT))

    def updated(self, net: Mixture, c: Tensor, rate: float) -> Statistics:
        """A step towards the statistics of coordinates ``(N, d)`` under the mixture."""
        part, which = net(c).softmax(1).topk(min(_LIKELY, len(self.share)), 1)
        part = part / part.sum(1, keepdim=True)
        share, moment = torch.zeros_like(self.share), torch.zeros_like(self.moment)
        for k in range(len(share)):
            row, column = (which == k).nonzero(as_tuple=True)
            own, weight = c[row], part[row, column]
            share[k] = weight.sum() / len(c)
            moment[k] = (own * weight[:, None]).mT @ own / len(c)
        return Statistics(
            torch.lerp(self.share, share, rate), torch.lerp(self.moment, moment, rate)
        )

    def into(self, net: Mixture) -> None:
        """Set the mixture to these: weights and whitening maps."""
        d = self.moment.shape[-1]
        common = self.moment.sum(0)
        total = (self.share + _COUNT)[:, None, None]
        covariance = (self.moment + _COUNT * common) / total
        covariance = covariance + FLOOR * torch.eye(d, device=common.device)
        factor = torch.linalg.cholesky(covariance)
        eye = torch.eye(d, dtype=factor.dtype, device=factor.device).expand_as(factor)
        net.whiten.data = torch.linalg.solve_triangular(factor, eye, upper=False)
        net.log_weights.data = (self.share + _COUNT).log()
