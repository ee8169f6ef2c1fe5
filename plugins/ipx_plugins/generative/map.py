"""Maximum a posteriori: the negative log-density as a prior."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor

from ipx import StochasticGrad
from ipx_plugins.generative import DensityOptions, MapOptions
from ipx_plugins.generative.network import Formulation, by_image, gradient, image_by_image

M = TypeVar("M", bound=MapOptions)


class Density(Formulation[M]):
    """A prior -log p whose gradient is drawn anew at each step."""

    def value(self, x: Tensor) -> Tensor:
        """R(x) with draw 0, ``(B,)``."""
        return self.drawn(x, 0)

    def grad(self, x: Tensor) -> Tensor:
        """Gradient of `value`."""
        return self.grad_draw(x, 0)

    def value_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """R with draw 0 and its gradient."""
        return by_image(self.value, x)

    @image_by_image
    def grad_draw(self, x: Tensor, draw: int) -> Tensor:
        """Gradient of R with draw number ``draw``, the same for all images; shape of ``x``."""
        return gradient(lambda v: self.drawn(v, draw), x)

    def drawn(self, x: Tensor, draw: int) -> Tensor:
        """R(x) with draw number ``draw``, ``(B,)``."""
        raise self.undefined("drawn")


class Bound(Formulation[DensityOptions]):
    """R(x) = minus the evidence lower bound (ELBO) of a variational autoencoder."""

    @image_by_image
    def log_prob(self, x: Tensor) -> Tensor:
        """The bound of log p(x) in nats, ``(B,)``."""
        return self.generator.log_prob(self.net(x), self.into(x))

    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        return -self.log_prob(x)

    def grad(self, x: Tensor) -> Tensor:
        """Gradient of `value`."""
        return self.value_grad(x)[1]

    def value_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """R and its gradient."""
        return by_image(self.value, x)


class Map(Density[MapOptions]):
    """R(x) = -log p(x).

    R = |E(x)|^2 / 2 - log |det J_E(x)| + const (Whang et al. 2021, equation 3);
    `Analysis` leaves the determinant out. A flow is trained on pictures with noise u, so
    R(x) = -E_u log p(x + u). `grad_draw` uses one u per step, and `value` uses draw 0.
    """

    @image_by_image
    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats, ``(B,)``."""
        return self.generator.log_prob(self.net(x), self.into(x))

    @image_by_image
    def drawn(self, x: Tensor, draw: int) -> Tensor:
        """-log p(x + u) with draw number ``draw`` of u, ``(B,)``."""
        shown = self.into(x)
        if StochasticGrad in self.capabilities:
            rng = torch.Generator(x.device).manual_seed(draw)
            shown = self.generator.spread(shown, rng)
        return -self.generator.log_prob(self.net(x), shown)
