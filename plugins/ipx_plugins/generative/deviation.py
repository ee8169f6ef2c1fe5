"""Sparse deviations of the picture from the range of the decoder."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ipx import Shape, UsageError, image_sum
from ipx_plugins.generative import DeviationOptions
from ipx_plugins.generative.network import Formulation


class SparseDeviation(Formulation[DeviationOptions]):
    """x = D(z) + nu, min f(x) + lam (|z|^2 + w |nu|_1) (Dhar, Grover and Ermon 2018, equation 5).

    The unknown is z and nu, concatenated. |nu| is smoothed below a thousandth of the image range,
    so that descent converges.
    """

    ROUND = 1e-3

    def code_size(self, image_shape: Shape) -> int:
        """n + C H W."""
        return super().code_size(image_shape) + math.prod(image_shape)

    def encode(self, x: Tensor) -> Tensor:
        """E(x) and x - D(E(x)), ``(B, n + C H W)``."""
        z = super().encode(x)
        nu = x - super().decode(z, tuple(x.shape[1:]))
        return torch.cat([z, nu.flatten(1)], 1)

    def decode(self, z: Tensor, image_shape: Shape) -> Tensor:
        """D(z) + nu, ``(B, *image_shape)``, for ``z`` with nu appended."""
        n = super().code_size(image_shape)
        return super().decode(z[:, :n], image_shape) + z[:, n:].reshape(-1, *image_shape)

    def code_value(self, z: Tensor) -> Tensor:
        """|z|^2 + w sum (sqrt(nu^2 + r^2) - r), ``(B,)``."""
        code, nu = self._parts(z)
        return image_sum(code * code) + self.options.sparsity * image_sum(
            torch.sqrt(nu * nu + self.ROUND**2) - self.ROUND
        )

    def code_grad(self, z: Tensor) -> Tensor:
        """Gradient of `code_value`, shape of ``z``."""
        code, nu = self._parts(z)
        slope = nu / torch.sqrt(nu * nu + self.ROUND**2)
        return torch.cat([2 * code, self.options.sparsity * slope], 1)

    def _parts(self, z: Tensor) -> tuple[Tensor, Tensor]:
        n = self._latent
        return z[:, :n], z[:, n:]

    @property
    def _latent(self) -> int:
        """Dimension of z; the model must have a single image shape."""
        shape = self.generator.only_shape
        if shape is None:
            raise UsageError(
                f"{self.options.model} represents any picture, with nothing to deviate from; "
                "sparse deviations are for models such as vae and gan"
            )
        return self.generator.latent_size(shape)
