"""The adversarial network as a generative model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, cast

import torch
from torch import Tensor, nn

from ipx import OneSize, OptionError, Shape, load_weights, psnr
from ipx_plugins.gan import GANOptions
from ipx_plugins.gan.augment import augmented
from ipx_plugins.gan.distance import sliced_wasserstein
from ipx_plugins.gan.losses import discriminator_loss, generator_loss, r1, unit_slope
from ipx_plugins.gan.net import Net
from ipx_plugins.gan.style import Net as StyleNet, mixed

PICTURES = 10.0
"""Weight of pixel errors in the encoder's loss: they are about 0.1, code errors about 1."""


def _away_from_normal(codes: Tensor) -> Tensor:
    """Mean square of the codes' mean and of their covariance minus I, over the batch."""
    mean = codes.mean(0)
    around = codes - mean
    covariance = around.T @ around / len(codes)
    return mean.square().mean() + (covariance - torch.eye(len(mean)).to(codes)).square().mean()


class GAN(OneSize[GANOptions]):
    """Pictures G(z) with z ~ N(0, I), an encoder E that inverts G, a discriminator D for training.

    Each step updates discriminator, generator and encoder once, each with its own optimiser;
    wasserstein-gp too takes one step of the critic, not five. The gradient penalty is computed on
    a quarter of the batch, which has the same mean at a quarter of the cost. With option ``fit``
    the generator is also trained as a decoder (Larsen et al., ICML 2016, with pixel errors).
    """

    score = "distance"

    def network(self) -> nn.Module:
        """The untrained networks."""
        o = self.options
        if o.body == "style":
            return StyleNet(o.colors, o.size, o.latent, o.width, o.grow)
        return Net(o.colors, o.size, o.latent, o.width)

    def initialise(self, net: nn.Module, batch: Tensor) -> None:
        """Copy generator and encoder from the ``vae`` weights that option ``start`` names."""
        if not self.options.start:
            return
        if self.options.body == "style":
            raise OptionError("option start is for body dcgan, whose layers a vae has")
        n, loaded = cast("Net", net), load_weights(self.options.start, "vae")
        given, own = loaded.model.options, self.options
        for name in ("colors", "size", "latent", "width"):
            if (has := getattr(given, name)) != getattr(own, name):
                raise OptionError(
                    f"option {name} must be {has} to start from these weights of vae, "
                    f"not {getattr(own, name)}"
                )
        vae: Any = loaded.network()
        n.generator.start.load_state_dict(vae.start.state_dict())
        n.generator.up.load_state_dict(vae.up.state_dict())
        n.encoder.down.load_state_dict(vae.down.state_dict())
        # the outputs for the mean, not those for the variance
        n.encoder.code.weight.copy_(vae.code.weight[: own.latent])
        n.encoder.code.bias.copy_(vae.code.bias[: own.latent])
        n.log_deviation.copy_(vae.log_deviation)

    def parts(self, net: nn.Module) -> Mapping[str, Iterable[nn.Parameter]]:
        """Parameters of discriminator, generator and encoder (with log_deviation)."""
        n = cast("Net", net)
        return {
            "discriminator": n.discriminator.parameters(),
            "generator": n.generator.parameters(),
            "encoder": [*n.encoder.parameters(), n.log_deviation],
        }

    def part_loss(
        self, part: str, net: nn.Module, batch: Tensor, rng: torch.Generator
    ) -> Mapping[str, Tensor]:
        """Losses of one part by name, of which the first is minimised."""
        self.latent_size(tuple(batch.shape[1:]))
        n = cast("Net", net)
        if part == "discriminator":
            return self._discriminator_loss(n, batch, rng)
        if part == "generator":
            made = n.made(self._codes(batch, rng), rng, self.options.mixing)
            loss = generator_loss(self.options.objective, n.judged(self._shown(made, rng)))
            if self.options.fit:
                with torch.no_grad():
                    codes = n.encoder(batch)
                loss = loss + self.options.fit * (n.decode(codes) - batch).abs().mean()
            return {"generator": loss}
        return self._encoder_loss(n, batch, rng)

    def _discriminator_loss(
        self, n: Net, batch: Tensor, rng: torch.Generator
    ) -> Mapping[str, Tensor]:
        objective, weight = self.options.objective, self.options.penalty

        critic = n.judged
        if n.training:
            n.counted()
        with torch.no_grad():
            made = n.made(self._codes(batch, rng), rng, self.options.mixing)
            fake, real = self._shown(made, rng), self._shown(n.real(batch), rng)
        loss = discriminator_loss(objective, critic(real), critic(fake))
        some = -(-batch.shape[0] // 4)
        if objective == "wasserstein-gp":
            extra = unit_slope(critic, real[:some], fake[:some], rng)
            weight = 10.0 if weight is None else weight
        else:
            extra = r1(critic, real[:some])
            weight = 0.25 if weight is None else weight
        return {"discriminator": loss + weight * extra, "penalty": extra.detach()}

    def _encoder_loss(self, n: Net, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """|E(G(z)) - z|^2, |G(E(x)) - x| on generated and real pictures, fit of log_deviation.

        To save time, half a batch of real pictures and as many generated ones are used.
        """
        half = -(-batch.shape[0] // 2)
        real = batch[:half]
        z = self._codes(real, rng)
        with torch.no_grad():
            made = n.decode(z)
        codes = n.encoder(torch.cat([made, real]))
        again = n.decode(codes)
        error = (again - torch.cat([made, real])).abs().mean()
        spread = (again[half:] - real).detach().square().mean()
        # minimal where the deviation is the root mean square error on real pictures
        fit = n.log_deviation + spread / (2 * (2 * n.log_deviation).exp())
        drift = (codes[:half] - z).square().mean()
        loss = drift + PICTURES * error + fit
        if self.options.code:
            loss = loss + self.options.code * _away_from_normal(codes[half:])
        return {"encoder": loss, "pixels": error.detach()}

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """``distance``: sliced Wasserstein distance between generated and held-out pictures.

        The distance is between two sets and is repeated for each picture. ``psnr``: of G(E(x)),
        in dB.
        """
        n = cast("Net", net)
        self.latent_size(tuple(batch.shape[1:]))
        far = sliced_wasserstein(n.decode(self._codes(batch, rng)), batch, rng)
        again = n.decode(n.encoder(batch))
        return {"distance": far.expand(batch.shape[0]), "psnr": psnr(again, batch)}

    def encode(self, net: nn.Module, x: Tensor) -> Tensor:
        """E(x), ``(B, n)``."""
        self.latent_size(tuple(x.shape[1:]))
        code: Tensor = cast("Net", net).encoder(self.typed(net, x))
        return code.to(x.dtype)

    def decode(self, net: nn.Module, z: Tensor, image_shape: Shape) -> Tensor:
        """G(z), ``(B, *image_shape)``, in [0, 1]."""
        self.latent_size(image_shape)
        return cast("Net", net).decode(self.typed(net, z)).to(z.dtype)

    def mixed(self, net: nn.Module, coarse: Tensor, fine: Tensor, layer: int) -> Tensor:
        """Pictures with the styles of one code below a layer, of another from it on.

        Args:
            net: trained networks with body style.
            coarse: codes ``(B, n)`` of layers 0 to ``layer`` - 1, the coarse ones.
            fine: codes ``(B, n)`` of the others.
            layer: the first layer of ``fine``; two layers a scale, from 4 x 4 up.

        Raises:
            OptionError: the body is not style.
        """
        if self.options.body != "style":
            raise OptionError("styles are mixed with body style only")
        n = cast("StyleNet", net)
        first = torch.full((len(coarse),), layer, device=coarse.device)
        styles = mixed(n.generator.styles(coarse), n.generator.mapping(fine), first)
        return n.generator.drawn(styles, None, *n.stage())

    def _codes(self, like: Tensor, rng: torch.Generator) -> Tensor:
        """z ~ N(0, I), one per picture, ``(B, n)``."""
        shape = (like.shape[0], self.options.latent)
        return torch.randn(shape, generator=rng, device=like.device, dtype=like.dtype)

    def _shown(self, x: Tensor, rng: torch.Generator) -> Tensor:
        """The discriminator's input: ``x``, augmented if option ``augment`` is set."""
        return augmented(x, rng) if self.options.augment else x
