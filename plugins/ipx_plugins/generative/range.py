"""Pictures near the range of an autoencoder, as a penalty and as a denoiser."""

from __future__ import annotations

import torch
from torch import Tensor

from ipx import Scalar, image_sum, per_image
from ipx_plugins.generative import JointOptions
from ipx_plugins.generative.analysis import DEVIATION
from ipx_plugins.generative.network import Formulation, by_image, gradient, image_by_image


class Residual(Formulation[JointOptions]):
    """R(x) = |x - D(E(x))|^2 / (2 gamma^2), gamma the standard deviation of x about D(E(x)).

    For an autoencoder trained to remove little noise of variance s, (D(E(x)) - x) / s is near the
    gradient of log p (Alain and Bengio, JMLR 15, 2014, theorem 1).
    """

    @image_by_image
    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        model, net, shown = self.generator, self.net(x), self.into(x)
        gamma = self.options.gamma or model.deviation(net) or DEVIATION
        made = model.decode(net, model.encode(net, shown), tuple(shown.shape[1:]))
        return image_sum((shown - made).square()) / (2 * gamma**2)

    @image_by_image
    def grad(self, x: Tensor) -> Tensor:
        """Gradient of R, shape of ``x``."""
        return gradient(self.value, x)

    def value_grad(self, x: Tensor) -> tuple[Tensor, Tensor]:
        """R and its gradient."""
        return by_image(self.value, x)


class Projection(Formulation[JointOptions]):
    """A denoiser of D(E(x)), which is not told the noise level, and of the data themselves.

    A clean image is off D(E(x)) by gamma and off x by sigma; both are averaged with weights
    inverse to these variances. So D(x, 0) is x, and weak noise does not cost what no code holds.
    """

    def denoise(self, x: Tensor, sigma: Scalar) -> Tensor:
        """x + sigma^2 / (sigma^2 + gamma^2) (D(E(x)) - x), shape of ``x``."""
        level = torch.as_tensor(sigma, dtype=x.dtype, device=x.device).expand(x.shape[0])
        gamma = self.options.gamma or self.generator.deviation(self.net(x)) or DEVIATION
        variance = torch.as_tensor(per_image(level, x)) ** 2
        made = self.decode(self.encode(x), tuple(x.shape[1:]))
        return x + variance / (variance + gamma**2) * (made - x)
