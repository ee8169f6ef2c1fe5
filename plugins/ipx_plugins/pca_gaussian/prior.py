"""R(x) = 1/2 (x - m)^T C^-1 (x - m), m and C learned."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ipx import Prior, Scalar, Shape, ShapeError, find_weights, image_sum, load_weights, per_image
from ipx_plugins.pca_gaussian import PCAPriorOptions
from ipx_plugins.pca_gaussian.covariance import Covariance, restored, transformed
from ipx_plugins.pca_gaussian.model import Gaussian


@dataclass(frozen=True)
class _Learned:
    mean: Tensor
    covariance: Covariance


class PCAPrior(Prior[PCAPriorOptions]):
    """-log p(x) of a Gaussian up to a constant, C of low rank plus a smooth rest.

    With Gaussian noise of variance lam the minimiser of f + lam R is the mean of the posterior,
    m + C A^T (A C A^T + lam I)^-1 (y - A m), which is the estimate of least mean square error.
    """

    def __init__(self, options: PCAPriorOptions | None = None, **values: object) -> None:
        super().__init__(options, **values)
        self._made: dict[tuple[object, ...], _Learned] = {}

    def check(self, image_shape: Shape) -> None:
        """Raise the errors of `load_weights`, and `ShapeError` for images of another size."""
        find_weights(self.options.weights, "pca-gaussian", image_shape[0])
        self._learned(torch.empty(1, *image_shape))

    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        known = self._learned(x)
        c = transformed(x - known.mean)
        return 0.5 * image_sum(c * known.covariance.solve(c))

    def grad(self, x: Tensor) -> Tensor:
        """C^-1 (x - m)."""
        known = self._learned(x)
        return restored(known.covariance.solve(transformed(x - known.mean)))

    def prox(self, x: Tensor, t: Scalar) -> Tensor:
        """m + (I + t C^-1)^-1 (x - m) = x - t (C + t I)^-1 (x - m)."""
        known = self._learned(x)
        pulled = known.covariance.solve(transformed(x - known.mean), t)
        return x - per_image(t, x) * restored(pulled)

    def _learned(self, like: Tensor) -> _Learned:
        """Mean and covariance, made once for each device and dtype."""
        key = (like.device, like.dtype)
        if key not in self._made:
            loaded = load_weights(self.options.weights, "pca-gaussian", like.shape[1])
            net = loaded.network()
            assert isinstance(net, Gaussian)
            net = net.to(device=like.device, dtype=like.dtype)
            self._made[key] = _Learned(net.mean, net.covariance())
        made = self._made[key]
        if tuple(like.shape[1:]) != tuple(made.mean.shape):
            raise ShapeError(
                f"these weights of pca-gaussian are for images of shape {tuple(made.mean.shape)}, "
                f"not {tuple(like.shape[1:])}; scale or crop the image, or learn others with "
                "ipx train pca-gaussian --model.size"
            )
        return made
