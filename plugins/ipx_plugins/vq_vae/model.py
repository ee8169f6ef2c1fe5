"""The vector-quantised autoencoder as a generative model."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from itertools import pairwise
from typing import Any, cast

import torch
from torch import Tensor, nn

from ipx import OneSize, OptionError, Shape, psnr
from ipx_plugins.vq_vae import VQVAEOptions
from ipx_plugins.vq_vae.codebook import Codebook
from ipx_plugins.vq_vae.masked import MaskedPrior

_MEMORY = 0.99  # of the running error, in steps


class Net(nn.Module):
    """Encoder, codebook, decoder, the prior on maps of codes, and log_deviation."""

    log_deviation: Tensor

    def __init__(self, o: VQVAEOptions) -> None:
        super().__init__()
        widths = [o.colors, *(o.width << i for i in range(o.scales))]
        down: list[nn.Module] = []
        for fine, coarse in pairwise(widths):
            down += [nn.Conv2d(fine, coarse, 4, 2, 1), nn.ELU()]
        self.encoder = nn.Sequential(*down, nn.Conv2d(widths[-1], o.dimension, 1))
        self.codebook = Codebook(o.entries, o.dimension)
        up: list[nn.Module] = [nn.Conv2d(o.dimension, widths[-1], 3, padding=1), nn.ELU()]
        for coarse, fine in pairwise(widths[::-1]):
            up += [nn.ConvTranspose2d(coarse, fine, 4, 2, 1), nn.ELU()]
        up[-1] = nn.Sigmoid()
        self.decoder = nn.Sequential(*up)
        self.prior = MaskedPrior(o.entries, o.prior_width, o.prior_depth)
        self.register_buffer("log_deviation", torch.tensor(0.25).log())

    def map(self, x: Tensor) -> Tensor:
        """E(x), ``(B, h, w, d)``, not quantised."""
        found: Tensor = self.encoder(2 * x - 1)
        return found.movedim(1, 3)

    def picture(self, q: Tensor) -> Tensor:
        """D of codebook vectors ``(B, h, w, d)``."""
        made: Tensor = self.decoder(q.movedim(3, 1))
        return made


class VQVAE(OneSize[VQVAEOptions]):
    """x is near D(q), q the codebook vectors nearest to E(x); a prior tells which q are likely.

    The gradient passes from q to E(x) as it is (straight-through). Vectors follow the running
    means of their codes. The prior is trained at the same time, on the codes of the moment.
    A code is q as one vector ``(h w d,)``; what is decoded is first moved to the nearest vectors.
    """

    score = "psnr"
    higher_is_better = True

    def __init__(self, options: VQVAEOptions | None = None, **values: Any) -> None:
        super().__init__(options, **values)
        if self.options.size >> self.options.scales < 2:
            raise OptionError(
                f"option scales must leave a map of 2 x 2 codes or more of size "
                f"{self.options.size}, not {self.options.scales} halvings"
            )

    @property
    def side(self) -> int:
        """Side of the map of codes."""
        return int(self.options.size >> self.options.scales)

    def latent_size(self, image_shape: Shape) -> int:
        """side^2 dimension."""
        if tuple(image_shape) != self.only_shape:
            return super().latent_size(image_shape)
        return self.side**2 * int(self.options.dimension)

    def network(self) -> nn.Module:
        """The untrained networks."""
        return Net(self.options)

    def initialise(self, net: nn.Module, batch: Tensor) -> None:
        """Put the codebook on codes of the batch."""
        n = cast("Net", net)
        flat = n.map(batch).reshape(-1, self.options.dimension)
        places = torch.arange(self.options.entries, device=flat.device) * 7919 % len(flat)
        n.codebook.vectors.copy_(flat[places])
        n.codebook.total.copy_(flat[places])

    def parts(self, net: nn.Module) -> Mapping[str, Iterable[nn.Parameter]]:
        """Parameters of the autoencoder, and of the prior on its codes."""
        n = cast("Net", net)
        return {
            "autoencoder": [*n.encoder.parameters(), *n.decoder.parameters()],
            "prior": n.prior.parameters(),
        }

    def part_loss(
        self, part: str, net: nn.Module, batch: Tensor, rng: torch.Generator
    ) -> Mapping[str, Tensor]:
        """|x - D(q)|^2 + beta |E(x) - sg(q)|^2, both per value; of the prior: nats per code."""
        n = cast("Net", net)
        if part == "prior":
            with torch.no_grad():
                index = n.codebook.nearest(n.map(batch))
            return {"prior": n.prior.nats(index).mean() / self.side**2}
        e = n.map(batch)
        q = n.codebook(e)
        away = n.picture(q) - batch
        commitment = (e - q.detach()).square().mean()
        with torch.no_grad():
            n.codebook.update(e, self.options.decay, rng)
            error = away.square().mean().sqrt().clamp_min(1e-6).log()
            n.log_deviation.lerp_(error, 1 - _MEMORY)
        # in units of the variance of pictures, as in the paper
        fit = away.square().mean() / batch.var().clamp_min(1e-3)
        return {"loss": fit + self.options.commitment * commitment, "commitment": commitment}

    def validate(self, net: nn.Module, batch: Tensor, rng: torch.Generator) -> Mapping[str, Tensor]:
        """``psnr``: of D(q), in dB; ``used``: share of the codebook that the batch uses;
        ``bits``: those of a map of codes by the prior, per value of a picture."""
        n = cast("Net", net)
        self.latent_size(tuple(batch.shape[1:]))
        e = n.map(batch)
        index = n.codebook.nearest(e)
        used = torch.unique(index).numel() / self.options.entries
        return {
            "psnr": psnr(n.picture(n.codebook(e)), batch),
            "used": torch.full((len(batch),), used),
            "bits": n.prior.nats(index) / (math.log(2) * batch[0].numel()),
        }

    def encode(self, net: nn.Module, x: Tensor) -> Tensor:
        """q, ``(B, n)``; its gradient is that of E(x)."""
        self.latent_size(tuple(x.shape[1:]))
        n = cast("Net", net)
        q: Tensor = n.codebook(n.map(self.typed(net, x)))
        return q.flatten(1).to(x.dtype)

    def decode(self, net: nn.Module, z: Tensor, image_shape: Shape) -> Tensor:
        """D of the codebook vectors nearest to z, ``(B, *image_shape)``, in [0, 1]."""
        self.latent_size(image_shape)
        n = cast("Net", net)
        q = n.codebook(self.typed(net, z).view(len(z), self.side, self.side, -1))
        return n.picture(q).to(z.dtype)

    def draw(
        self,
        net: nn.Module,
        count: int,
        image_shape: Shape,
        temperature: float,
        rng: torch.Generator,
    ) -> Tensor:
        """Codes drawn from the prior, ``(count, n)``; its logits are divided by temperature."""
        self.latent_size(image_shape)
        n = cast("Net", net)
        index = n.prior.sample(count, (self.side, self.side), temperature, rng)
        return n.codebook.vectors[index].flatten(1).cpu()
