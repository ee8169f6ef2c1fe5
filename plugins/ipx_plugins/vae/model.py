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

    Trained to make the ELBO large, one sample of z a picture, with the denoising criterion: what
    is encoded is x plus noise, the target is x. One deviation g for all pixels is learned with
    the weights (JPMAP, section 2): it weighs the fit against the divergence.
    """

    density: ClassVar[Literal["exact", "bound", "none"]] = "bound"
    score = "bits"

    def __init__(self, options: VAEOptions | None = None, **values: object) -> None:
        super().__init__(options, **values)
        self._fixed = _number(self.options.deviation)

    def network(self) -> nn.Module:
        """Fresh weights."""
        o = self.options
        return Net(o.colors, o.size, o.latent, o.width, self._fixed)

    def initialise(self, net: nn.Module, batch: Tensor) -> None:
        """Decode the mean colour at first, with the deviation of the pictures about it."""
        n = cast("Net", net)
        mean = batch.mean((0, 2, 3)).clamp(0.01, 0.99)
        assert n.tail.bias is not None
        n.tail.bias.data.copy_(mean.logit())
        if self._fixed is None:
            about = batch - mean.view(1, -1, 1, 1)
            n.log_deviation.data.copy_(about.square().mean().sqrt().clamp_min(1e-3).log())

    def loss(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """-log p(x|z) + kl KL(q || p), nats a number of the picture; z ~ q(z | x + noise)."""
        noisy = batch + self.options.input_noise * normal_like(batch, rng)
        fit, kl = self._terms(net, batch, noisy, rng)
        n = batch[0].numel()
        return {
            "loss": (self.options.kl * kl - fit).mean() / n,
            "kl": kl.mean(),
            "deviation": cast("Net", net).log_deviation.exp(),
        }

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """``bits``: -ELBO (one sample of z) in bits a number, of pictures of 256 levels.

        The density is taken at the level instead of over its cell, which is 1/256 wide: no
        difference while the deviation is much larger. ``psnr``: of D(E(x)). ``kl``: in nats.
        """
        self.latent_size(tuple(batch.shape[1:]))
        fit, kl = self._terms(net, batch, batch, rng)
        bits = (kl - fit) / (batch[0].numel() * math.log(2)) + 8
        out = cast("Net", net).decode(cast("Net", net).encode(batch)[0])
        return {"bits": bits, "psnr": psnr(out, batch), "kl": kl}

    def finish(self, net: nn.Module, pictures: Iterable[Tensor]) -> bool:
        """Codes of mean 0 and covariance I, by the linear layers next to them."""
        whiten(cast("Net", net), pictures)
        return True

    def encode(self, net: nn.Module, x: Tensor) -> Tensor:
        """Mean of q(z|x)."""
        self.latent_size(tuple(x.shape[1:]))
        return cast("Net", net).encode(self.typed(net, x))[0].to(x.dtype)

    def decode(self, net: nn.Module, z: Tensor, image_shape: Shape) -> Tensor:
        """Mean of p(x|z), in [0, 1]."""
        self.latent_size(image_shape)
        return cast("Net", net).decode(self.typed(net, z)).to(z.dtype)

    def log_prob(self, net: nn.Module, x: Tensor) -> Tensor:
        """The ELBO in nats, with the mean over q of log p(x|z) taken at the mean of q.

        So it is a smooth function of x without noise. It is above the ELBO proper by about
        tr(J diag(var) J^T) / (2 g^2), J the derivative of D, where D is smooth.
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
    """The fixed deviation, None where it is learned."""
    if deviation == "learned":
        return None
    try:
        value = float(deviation)
    except ValueError:
        value = -1.0
    if not 0 < value < math.inf:
        raise OptionError(f"option deviation must be learned or a number > 0, not {deviation!r}")
    return value
