"""The flow as a MAP denoiser, for plug-and-play splitting."""

from __future__ import annotations

import torch
from torch import Tensor

from ipx import Scalar, per_image
from ipx.toolkit import AdamMoments
from ipx_plugins.generative import HQSOptions
from ipx_plugins.generative.network import Formulation, gradient, image_by_image


class HQS(Formulation[HQSOptions]):
    """D(x, sigma) = argmin_v |v - x|^2 / (2 sigma^2) - tau log p(v), by a few steps of Adam.

    With half-quadratic splitting (``pnp-hqs``) and lam the variance of the noise, this computes the
    MAP estimate of `Map` by continuation over decreasing sigma. The data term is solved in closed
    form, and the flow is evaluated on pictures with Gaussian noise, for which it is accurate. The
    training noise of the flow is drawn anew at each step.
    """

    def denoise(self, x: Tensor, sigma: Scalar) -> Tensor:
        """The estimate of the clean picture, shape of ``x``; ``x`` itself where sigma is 0."""
        level = torch.as_tensor(sigma, dtype=x.dtype, device=x.device).expand(x.shape[0])
        column = per_image(level, x)
        variance = torch.as_tensor(column).clamp_min(1e-12) ** 2
        v, moments = x, AdamMoments.zero(x, 0.9, 0.95)
        steps = self.options.steps
        for k in range(1, steps + 1):
            g = v - x + variance * self.options.temperature * self._score(v, k)
            moments = moments.add(g)
            # gradients far below the noise level are not amplified to full steps
            root = moments.rms() + 0.5 * column + 1e-12
            size = 0.5 * column * (1 - (k - 1) / steps)  # step in units of the noise
            v = v - size * moments.corrected() / root
        return torch.where(torch.as_tensor(column) > 0, v, x)

    @image_by_image
    def _score(self, x: Tensor, draw: int) -> Tensor:
        """-grad log p at ``x`` with training noise number ``draw``, shape of ``x``."""

        def energy(v: Tensor) -> Tensor:
            rng = torch.Generator(x.device).manual_seed(draw)
            shown = self.generator.spread(self.into(v), rng)
            return -self.generator.log_prob(self.net(x), shown)

        return gradient(energy, x)
