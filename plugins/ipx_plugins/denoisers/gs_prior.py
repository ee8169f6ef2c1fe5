"""The gradient-step denoiser as a prior: the potential, its gradient, and the denoiser."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ipx import Prior, Scalar, Shape, ShapeError, find_weights, per_image
from ipx_plugins.denoisers import GSOptions
from ipx_plugins.denoisers.gs_drunet import Net, potential, slope
from ipx_plugins.denoisers.prior import Loaded, padded


class GSDRUNetPrior(Prior[GSOptions]):
    """R(x) = g(x) / s^2 with g(x) = 1/2 |x - N_s(x)|^2 and s the option sigma.

    Its gradient is (x - D_s(x)) / s^2 with D_s = x - grad g. Plug-and-play steps with D_s and
    solvers for smooth priors therefore minimise the same objective f + lam R (Hurault, Leclaire,
    Papadakis, ICLR 2022). R is not convex. The network computes in float64 for float64 input,
    else in float32.
    """

    def __init__(self, options: GSOptions | None = None, **values: object) -> None:
        super().__init__(options, **values)
        self._loaded = Loaded("gs-drunet", self.options.weights)

    def check(self, image_shape: Shape) -> None:
        """Raise the errors of `load_weights` that need no loading."""
        find_weights(self.options.weights, "gs-drunet", image_shape[0])

    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``, for ``x`` ``(B, C, H, W)``."""
        y, residual = self._residual(x, self.options.sigma)
        with _gradients(x):
            return potential(residual(y)).to(x.dtype) / self.options.sigma**2

    def grad(self, x: Tensor) -> Tensor:
        """Gradient of R, shape of x."""
        y, residual = self._residual(x, self.options.sigma)
        with _gradients(x):
            return slope(residual, y).to(x.dtype) / self.options.sigma**2

    def denoise(self, x: Tensor, sigma: Scalar) -> Tensor:
        """x - grad g for any sigma >= 0.

        Args:
            x: ``(B, C, H, W)``, clean picture in [0, 1] plus noise, any C, H and W.
            sigma: standard deviation of the noise: a number or ``(B,)``, not a map.

        Returns:
            The denoised picture, shape and dtype of ``x``.

        Raises:
            MissingExtraError: the model has no shipped weights and none are given.
            InputError: the weights cannot be used.
            ShapeError: ``sigma`` has another shape, or the weights another number of channels.
        """
        level = torch.as_tensor(per_image(sigma, x), dtype=x.dtype, device=x.device)
        if level.numel() not in (1, x.shape[0]) or level.ndim not in (0, x.ndim):
            raise ShapeError(f"sigma has shape {tuple(level.shape)}, the picture {tuple(x.shape)}")
        y, residual = self._residual(x, level.reshape(-1, 1, 1, 1))
        with _gradients(x):
            noise = slope(residual, y)
        return torch.where(level > 0, x - noise.to(x.dtype), x)

    def _residual(
        self, x: Tensor, sigma: Tensor | float
    ) -> tuple[Tensor, Callable[[Tensor], Tensor]]:
        """x in the dtype of the network, and the map z -> z - N(z) for pictures of its shape."""
        y = x if x.dtype == torch.float64 else x.float()
        net, colors, _, _, multiple = self._loaded.network(y)
        assert isinstance(net, Net)
        batch, channels, height, width = x.shape
        level = torch.as_tensor(sigma, dtype=y.dtype, device=y.device).expand(batch, 1, 1, 1)
        if colors == 1:
            level = level.repeat_interleave(channels, 0)
        rows, columns = (padded(n, multiple, x.device) for n in (height, width))

        def residual(z: Tensor) -> Tensor:
            flat = z.reshape(-1, colors, height, width)[:, :, rows][..., columns]
            return net.residual(flat, level)[..., :height, :width].reshape(x.shape)

        return y, residual


def _gradients(x: Tensor) -> torch.set_grad_enabled:
    """Context that records gradients only if they are enabled and ``x`` requires them."""
    return torch.set_grad_enabled(torch.is_grad_enabled() and x.requires_grad)
