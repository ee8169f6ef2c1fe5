"""The attribute-regularised variational autoencoder (Pati, Lerch 2020)."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from ipx import OptionError
from ipx_plugins.vae import ARVAEOptions
from ipx_plugins.vae.model import VAE
from ipx_plugins.vae.morphology import NAMES, attributes
from ipx_plugins.vae.net import Net


def regularity(code: Tensor, attribute: Tensor, sharpness: float) -> Tensor:
    """MAE(tanh(sharpness D_r) - sign(D_a)), a scalar (equation 5).

    D_r and D_a hold the differences between any two pictures.

    Args:
        code: one number of the code of each picture, ``(B,)``.
        attribute: the attribute of each picture, ``(B,)``.
        sharpness: delta of the paper.
    """
    apart = code[:, None] - code[None]
    order = (attribute[:, None] - attribute[None]).sign()
    return (torch.tanh(sharpness * apart) - order).abs().mean()


class ARVAE(VAE):
    """The first six numbers of the code grow with the attributes of digits.

    They are area, length, thickness, slant, width and height, in this order. The codes are not
    whitened after the training, since that would mix them.
    """

    coordinates = NAMES

    def __init__(self, options: ARVAEOptions | None = None, **values: Any) -> None:
        super().__init__(options, **values)
        if self.options.latent < len(NAMES):
            raise OptionError(
                f"option latent must be at least {len(NAMES)}, one for each attribute, not "
                f"{self.options.latent}"
            )

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """That of the VAE plus ``gamma`` times the sum of `regularity`, in nats per value."""
        o = cast("ARVAEOptions", self.options)
        told = dict(super().loss(net, batch, rng))
        # the means, as the paper's code; samples would blur the order
        mean, _ = cast("Net", net).encode(batch)
        known = attributes(batch.mean(1, keepdim=True))
        extra = torch.stack(
            [regularity(mean[:, i], known[:, i], o.sharpness) for i in range(len(NAMES))]
        ).sum()
        told["loss"] = told["loss"] + o.gamma * extra / batch[0].numel()
        return {**told, "regularity": extra.detach()}

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """As the VAE, and ``correlation``: mean over attributes of the rank correlation of an
        attribute with its number of the code over the batch, repeated for each picture."""
        mean, _ = cast("Net", net).encode(batch)
        known = attributes(batch.mean(1, keepdim=True))
        each = torch.stack([rank_correlation(mean[:, i], known[:, i]) for i in range(len(NAMES))])
        return {
            **super().validate(net, batch, rng),
            "correlation": each.mean().expand(len(batch)),
        }

    def finish(self, net: nn.Module, pictures: Iterable[Tensor]) -> bool:
        """Nothing."""
        return False


def rank_correlation(a: Tensor, b: Tensor) -> Tensor:
    """Spearman's correlation of ``(B,)`` and ``(B,)``; 0 where one is constant."""
    ranks = torch.stack([v.argsort().argsort() for v in (a, b)]).double()
    if len(a) < 2 or not bool((a != a[0]).any() and (b != b[0]).any()):
        return ranks.new_zeros(())
    return torch.corrcoef(ranks)[0, 1]
