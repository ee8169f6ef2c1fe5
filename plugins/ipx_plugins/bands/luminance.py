"""A x = sum over bands of w_c x_c."""

from __future__ import annotations

import torch
from torch import Tensor

from ipx import LinearOperator, Shape, ShapeError, Spectral
from ipx_plugins.bands import LuminanceOptions

TINY = 1e-12
"""Eigenvalues of W up to this, relative to its largest, count as zero."""


class Luminance(LinearOperator[LuminanceOptions]):
    """A x = w^T x in each pixel, ``(C, H, W)`` to ``(1, H, W)``.

    With the weights of a standard it is Y' of gamma-encoded colours, the linear surrogate of the
    lightness L* (which is no linear function of them).

    Args:
        image_shape: ``(C, H, W)``, C the number of weights.
        options: see `LuminanceOptions`.

    Raises:
        ShapeError: the image has another number of bands.
    """

    def __init__(
        self, image_shape: Shape, options: LuminanceOptions | None = None, **values: object
    ) -> None:
        super().__init__(image_shape, options, **values)
        weights = self.options.values
        if len(self.image_shape) != 3 or self.image_shape[0] != len(weights):
            raise ShapeError(
                f"luminance with {len(weights)} weights takes images of {len(weights)} bands, "
                f"({len(weights)}, H, W), not of shape {self.image_shape}"
            )
        self.data_shape = (1, *self.image_shape[1:])
        self.square = sum(w * w for w in weights)  # |w|^2

    @classmethod
    def image_shape_of(cls, data_shape: Shape, options: LuminanceOptions) -> Shape:
        """As many bands as weights."""
        return (len(options.values), *data_shape[1:])

    def _weights(self, like: Tensor) -> Tensor:
        """w, ``(C, 1, 1)``."""
        return self.buffer(
            "weights",
            like,
            lambda: torch.tensor(self.options.values, dtype=torch.float64)[:, None, None],
        )

    def forward(self, x: Tensor) -> Tensor:
        """w^T x, ``(B, C, H, W)`` to ``(B, 1, H, W)``."""
        return (self._weights(x) * x).sum(1, keepdim=True)

    def adjoint(self, y: Tensor) -> Tensor:
        """w y."""
        return self._weights(y) * y

    def norm(self) -> float:
        """|w|."""
        return float(self.square**0.5)

    def solve_normal(self, b: Tensor, weight: Spectral) -> Tensor:
        """x with (A^T A + W) x = b, ``(B, C, H, W)``; of least norm where W is 0.

        A^T A is |w|^2 along w and 0 across it, in any transform of the pixels.

        Args:
            b: right-hand side.
            weight: W, the same for each band, diagonal in any transform.
        """
        along = self.adjoint(self.forward(b)) / self.square
        seen = Spectral(weight.basis, weight.gram + self.square).solve(along)
        return seen + weight.solve(b - along, TINY)

    def preview(self, y: Tensor) -> Tensor:
        """The grey image: all bands equal, with the measured luminance."""
        return (y / sum(self.options.values)).expand(-1, *self.image_shape)

    def part(self, top: int, left: int, height: int, width: int) -> Luminance:
        """The same weights on a window."""
        return Luminance((self.image_shape[0], height, width), self.options)
