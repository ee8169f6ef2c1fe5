"""The variational autoencoder as a generative model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from typing import ClassVar, Literal, cast

import torch
from torch import Tensor, nn

from ipx import OneSize, OptionError, Shape, normal_like, psnr
from ipx_plugins.vae import VAEOptions
from ipx_plugins.vae.elbo import divergence, log_likelihood
from ipx_plugins.vae.net import Net
from ipx_plugins.vae.whiten import whiten


class VAE(OneSize[VAEOptions]):
    """p(z) = N(0, I), p(x|z) = N(D(z), g^2 I), q(z|x) = N(mean(x), diag var(x)).

    Training maximises the ELBO with one sample of z per picture and the denoising criterion: x plus
    noise is encoded, and the target is x. One standard deviation g for all pixels is learned with
    the weights (JPMAP, section 2); it balances fit and divergence.
    """

    density: ClassVar[Literal["exact", "bound", "none"]] = "bound"
    score = "bits"

    def __init__(self, options: VAEOptions | None = None, **values: object) -> None:
        super().__init__(options, **values)
        self._fixed = _number(self.options.deviation)

    def network(self) -> nn.Module:
        """The untrained network."""
        o = self.options
        return Net(o.colors, o.size, o.latent, o.width, self._fixed)

    def initialise(self, net: nn.Module, batch: Tensor) -> None:
        """Set the decoder to the mean colour, and g to the deviation of the pictures from it."""
        n = cast("Net", net)
        mean = batch.mean((0, 2, 3)).clamp(0.01, 0.99)
        assert n.tail.bias is not None
        n.tail.bias.data.copy_(mean.logit())
        if self._fixed is None:
            about = batch - mean.view(1, -1, 1, 1)
            n.log_deviation.data.copy_(about.square().mean().sqrt().clamp_min(1e-3).log())

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """-log p(x|z) + kl KL(q || p) in nats per value; z ~ q(z | x + noise)."""
        noisy = batch + self.options.input_noise * normal_like(batch, rng)
        fit, kl = self._terms(net, batch, noisy, rng)
        n = batch[0].numel()
        return {
            "loss": (self.options.kl * kl - fit).mean() / n,
            "kl": kl.mean(),
            "deviation": cast("Net", net).log_deviation.exp(),
        }

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """``bits``: -ELBO (one sample of z) in bits per value, for pictures of 256 grey levels.

        The density at a grey level replaces its mean over the cell of width 1/256, which is exact
        enough for a much larger g. ``psnr``: of D(E(x)), in dB. ``kl``: in nats.
        """
        self.latent_size(tuple(batch.shape[1:]))
        fit, kl = self._terms(net, batch, batch, rng)
        bits = (kl - fit) / (batch[0].numel() * math.log(2)) + 8
        out = cast("Net", net).decode(cast("Net", net).encode(batch)[0])
        return {"bits": bits, "psnr": psnr(out, batch), "kl": kl}

    def finish(self, net: nn.Module, pictures: Iterable[Tensor]) -> bool:
        """Whiten the codes to mean 0 and covariance I, in the adjacent linear layers."""
        whiten(cast("Net", net), pictures)
        return True

    def encode(self, net: nn.Module, x: Tensor) -> Tensor:
        """Mean of q(z|x), ``(B, n)``."""
        self.latent_size(tuple(x.shape[1:]))
        return cast("Net", net).encode(self.typed(net, x))[0].to(x.dtype)

    def decode(self, net: nn.Module, z: Tensor, image_shape: Shape) -> Tensor:
        """Mean of p(x|z), ``(B, *image_shape)``, in [0, 1]."""
        self.latent_size(image_shape)
        return cast("Net", net).decode(self.typed(net, z)).to(z.dtype)

    def log_prob(self, net: nn.Module, x: Tensor) -> Tensor:
        """The ELBO in nats, ``(B,)``, with log p(x|z) at the mean of q instead of its mean over q.

        This makes it a deterministic, smooth function of x. For smooth D it exceeds the ELBO by
        about tr(J diag(var) J^T) / (2 g^2), J the Jacobian of D.
        """
        self.latent_size(tuple(x.shape[1:]))
        v, n = self.typed(net, x), cast("Net", net)
        mean, logvar = n.encode(v)
        bound = log_likelihood(v, n.decode(mean), n.log_deviation.exp()) - divergence(mean, logvar)
        return bound.to(x.dtype)

    def _terms(
        self, net: nn.Module, x: Tensor, seen: Tensor, rng: torch.Generator
    ) -> tuple[Tensor, Tensor]:
        """log p(x|z) for z ~ q(z|seen), and KL(q || p): ``(B,)`` each."""
        n = cast("Net", net)
        mean, logvar = n.encode(seen)
        z = mean + (logvar / 2).exp() * normal_like(mean, rng)
        return log_likelihood(x, n.decode(z), n.log_deviation.exp()), divergence(mean, logvar)


def _number(deviation: str) -> float | None:
    """The fixed deviation; None if it is learned."""
    if deviation == "learned":
        return None
    try:
        value = float(deviation)
    except ValueError:
        value = -1.0
    if not 0 < value < math.inf:
        raise OptionError(f"option deviation must be learned or a number > 0, not {deviation!r}")
    return value
