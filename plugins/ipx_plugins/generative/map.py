"""Maximum a posteriori: minus the logarithm of the density."""

from __future__ import annotations

from typing import TypeVar

import torch
from torch import Tensor

from ipx_plugins.generative import MapOptions
from ipx_plugins.generative.network import Formulation, gradient, image_by_image

M = TypeVar("M", bound=MapOptions)


class Density(Formulation[M]):
    """A prior -log p, drawn anew at each step."""

    @property
    def unit(self) -> float:
        """Of the traits, times what the loaded model bears."""
        return super().unit * self.generator.stride

    def value(self, x: Tensor) -> Tensor:
        """R(x) with draw 0."""
        return self.drawn(x, 0)

    def grad(self, x: Tensor) -> Tensor:
        """Gradient of `value`."""
        return self.grad_draw(x, 0)

    @image_by_image
    def grad_draw(self, x: Tensor, draw: int) -> Tensor:
        """Gradient of draw number ``draw``, the same for all images."""
        return gradient(lambda v: self.drawn(v, draw), x)

    def drawn(self, x: Tensor, draw: int) -> Tensor:
        """R(x) with draw number ``draw``, ``(B,)``."""
        raise NotImplementedError(f"{type(self).__name__} must define drawn")


class Map(Density[MapOptions]):
    """R(x) = -log p(x), or of a variational model minus the bound that it knows (the ELBO).

    For a flow R = |E(x)|^2 / 2 - log |det J_E(x)| + const, Whang et al. 2021, equation 3; the
    determinant is what `Analysis` leaves out. A flow is trained on pictures with noise u, so
    R(x) = -E_u log p(x + u), of which `grad_draw` takes one u a step; `value` takes u number 0.
    """

    @image_by_image
    def log_prob(self, x: Tensor) -> Tensor:
        """log p(x) in nats, ``(B,)``."""
        return self.generator.log_prob(self.net(x), self.into(x))

    @image_by_image
    def drawn(self, x: Tensor, draw: int) -> Tensor:
        """-log p(x + u), u number ``draw``."""
        shown = self.into(x)
        if self.options.smoothing:
            rng = torch.Generator(x.device).manual_seed(draw)
            shown = self.generator.spread(shown, rng)
        return -self.generator.log_prob(self.net(x), shown)
