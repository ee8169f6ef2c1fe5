"""The autoencoder as a generative model."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from ipx import OneSize, OptionError, Shape, image_sum, psnr
from ipx_plugins.autoencoder import AutoencoderOptions
from ipx_plugins.autoencoder.contractive import contraction
from ipx_plugins.autoencoder.corruption import corrupted
from ipx_plugins.autoencoder.k_sparse import largest
from ipx_plugins.autoencoder.kl_sparse import divergence
from ipx_plugins.autoencoder.net import Net

_MEMORY = 0.99  # of the running statistics, in steps


class Autoencoder(OneSize[AutoencoderOptions]):
    """x is near D(E(x)): an encoder E and a decoder D that are trained on |x - D(E(x'))|^2.

    x' is x, or a corrupted x. Codes that are sparse are given as they are. Others are given with
    mean 0 and deviation 1 in each number over training pictures, which is an affine change of
    variable; no density of codes is learned, so that random codes are no pictures in general.
    """

    score = "psnr"
    higher_is_better = True

    def __init__(self, options: AutoencoderOptions | None = None, **values: Any) -> None:
        super().__init__(options, **values)
        o = self.options
        if o.code == "k-sparse" and o.active > o.latent:
            raise OptionError(f"option active must be at most latent, {o.latent}, not {o.active}")

    def network(self) -> nn.Module:
        """The untrained network."""
        return Net(self.options)

    def initialise(self, net: nn.Module, batch: Tensor) -> None:
        """Set center and statistics to those of the batch; linear decoders begin at the center."""
        n = cast("Net", net)
        n.center.copy_(batch.mean(0))
        if self.options.network == "linear":
            first = cast("nn.Sequential", n.decoder)[0]
            assert isinstance(first, nn.Linear)
            first.bias.copy_(n.center.flatten())
        raw = n.code(batch)
        n.mean.copy_(raw.mean(0))
        if len(raw) > 1:
            n.deviation.copy_(raw.std(0).clamp_min(1e-3))

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """|x - D(E(x'))|^2 + weight * penalty, per value of a picture."""
        o, n = self.options, cast("Net", net)
        seen = corrupted(batch, o.corruption, o.level, rng)
        penalty = batch.new_zeros(())
        if o.code == "contractive":
            raw, slopes = contraction(n.code, seen, rng)
            penalty = slopes.mean()
        else:
            raw = n.code(seen)
        code = self._constrained(raw)
        if o.code == "kl-sparse":
            penalty = divergence(code, o.rate)
        away = n.decoder(code) - batch
        self._observe(n, raw.detach(), away.detach())
        fit = image_sum(away.square()).mean()
        return {
            "loss": (fit + o.weight * penalty) / batch[0].numel(),
            "penalty": penalty.detach(),
        }

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """``psnr``: of D(E(x)), in dB; of D(E(x')) where the training corrupts."""
        o, n = self.options, cast("Net", net)
        self.latent_size(tuple(batch.shape[1:]))
        seen = corrupted(batch, o.corruption, o.level, rng)
        return {"psnr": psnr(n.decoder(self._constrained(n.code(seen))), batch)}

    def encode(self, net: nn.Module, x: Tensor) -> Tensor:
        """E(x), ``(B, n)``."""
        self.latent_size(tuple(x.shape[1:]))
        n = cast("Net", net)
        code = self._constrained(n.code(self._typed(n, x)))
        return (code if self._sparse else (code - n.mean) / n.deviation).to(x.dtype)

    def decode(self, net: nn.Module, z: Tensor, image_shape: Shape) -> Tensor:
        """D(z), ``(B, *image_shape)``; in [0, 1], but for linear networks."""
        self.latent_size(image_shape)
        n = cast("Net", net)
        code = self._typed(n, z)
        out: Tensor = n.decoder(code if self._sparse else code * n.deviation + n.mean)
        return out.to(z.dtype)

    @property
    def _sparse(self) -> bool:
        return self.options.code in ("k-sparse", "kl-sparse")

    def _constrained(self, raw: Tensor) -> Tensor:
        """The code of the encoder's output."""
        if self.options.code == "k-sparse":
            return largest(raw, self.options.active)
        return raw.sigmoid() if self.options.code == "kl-sparse" else raw

    @torch.no_grad()
    def _observe(self, n: Net, raw: Tensor, away: Tensor) -> None:
        """Update the running statistics."""
        n.mean.lerp_(raw.mean(0), 1 - _MEMORY)
        if len(raw) > 1:
            n.deviation.lerp_(raw.std(0).clamp_min(1e-3), 1 - _MEMORY)
        n.log_deviation.lerp_(away.square().mean().sqrt().clamp_min(1e-6).log(), 1 - _MEMORY)

    def _typed(self, n: Net, x: Tensor) -> Tensor:
        """``x`` in the dtype of the network."""
        return x.to(n.mean.dtype)
