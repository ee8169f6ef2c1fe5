"""Shared by the denoisers: loss, validation scores, noise level as an input channel."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, TypeVar

import torch
from torch import Tensor, nn

from ipx import Model, normal_like, psnr
from ipx_plugins.denoisers import DenoiserOptions

D = TypeVar("D", bound=DenoiserOptions)


class Denoiser(Model[D]):
    """A network ``net(x, sigma)``: ``x`` ``(B, C, H, W)``, ``sigma`` ``(B, 1, H or 1, W or 1)``.

    Training minimises the L1 loss; each picture gets a noise level, uniform in
    [sigma_min, sigma_max].

    ``levels`` are the noise standard deviations of validation, in 1/255.
    """

    score = "psnr"
    higher_is_better = True
    levels: ClassVar[tuple[int, ...]] = (15, 25, 50)

    @property
    def least(self) -> float:
        """The smallest noise level of training: the option ``sigma_min``; 0 without one."""
        return float(getattr(self.options, "sigma_min", 0.0))

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Tensor:
        """Mean of w |net(x + sigma n, sigma) - x| with w from `weight`."""
        sigma = torch.rand(batch.shape[0], 1, 1, 1, generator=rng, device=batch.device)
        sigma = self.least + sigma * (self.options.sigma_max - self.least)
        noisy = batch + sigma * normal_like(batch, rng)
        mean: Tensor = ((net(noisy, sigma) - batch).abs() * self.weight(sigma)).mean()
        return mean

    def weight(self, sigma: Tensor) -> Tensor:
        """Weight of errors at noise level ``sigma``, ``(B, 1, 1, 1)``; 1 by default."""
        return torch.ones_like(sigma)

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """PSNR in dB at each of ``levels`` up to sigma_max; the score ``psnr`` is their mean."""
        found: dict[str, Tensor] = {}
        for level in self.levels:
            if self.least * 0.999 <= level / 255 <= self.options.sigma_max * 1.001:
                sigma = batch.new_full((batch.shape[0], 1, 1, 1), level / 255)
                noisy = batch + sigma * normal_like(batch, rng)
                found[f"psnr{level}"] = psnr(net(noisy, sigma), batch)
        if not found:
            sigma = batch.new_full((batch.shape[0], 1, 1, 1), self.options.sigma_max)
            found["psnr-max"] = psnr(net(batch + sigma * normal_like(batch, rng), sigma), batch)
        return {"psnr": torch.stack(list(found.values())).mean(0), **found}


def with_level(x: Tensor, sigma: Tensor) -> Tensor:
    """``x`` with its noise level as an additional channel, ``(B, C + 1, H, W)``."""
    return torch.cat([x, sigma.expand(x.shape[0], 1, *x.shape[2:])], 1)
