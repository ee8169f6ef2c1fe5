"""A x: each pixel measures one colour, through a filter of Bayer's pattern."""

from __future__ import annotations

from copy import copy

import torch
from torch import Tensor
from torch.nn.functional import conv2d

from ipx import LinearOperator, Shape, ShapeError, Spectral
from ipx_plugins.bands import MosaicOptions

TENT = (0.5, 1.0, 0.5)


class Mosaic(LinearOperator[MosaicOptions]):
    """A colour image seen by a sensor with Bayer's filters, ``(3, H, W)`` to ``(1, H, W)``.

    A A^T = I, and A^T A is a mask of zeros and ones.

    Args:
        image_shape: ``(3, H, W)``.
        options: see `MosaicOptions`.

    Raises:
        ShapeError: the image is not in colour, or has fewer than 2 x 2 pixels.
    """

    def __init__(
        self, image_shape: Shape, options: MosaicOptions | None = None, **values: object
    ) -> None:
        super().__init__(image_shape, options, **values)
        if len(self.image_shape) != 3 or self.image_shape[0] != 3 or min(self.image_shape) < 2:
            raise ShapeError(
                f"mosaic takes colour images (3, H, W) of at least 2 x 2 pixels, not of shape "
                f"{self.image_shape}"
            )
        self.data_shape = (1, *self.image_shape[1:])
        self._origin = (0, 0)  # of this window in the pattern

    @classmethod
    def image_shape_of(cls, data_shape: Shape, options: MosaicOptions) -> Shape:
        """Three colours."""
        return (3, *data_shape[1:])

    def _filters(self) -> Tensor:
        """1 where a pixel measures the colour, ``(3, H, W)``."""
        height, width = self.image_shape[1:]
        rows = (torch.arange(height) + self._origin[0]) % 2
        columns = (torch.arange(width) + self._origin[1]) % 2
        colour = torch.tensor(["RGB".index(c) for c in self.options.pattern])
        seen = colour[2 * rows[:, None] + columns]
        return (seen == torch.arange(3)[:, None, None]).double()

    def filters(self, like: Tensor) -> Tensor:
        """`_filters`, with the type and device of ``like``."""
        return self.buffer("filters", like, self._filters)

    def forward(self, x: Tensor) -> Tensor:
        """The measured colour of each pixel, ``(B, 3, H, W)`` to ``(B, 1, H, W)``."""
        return (self.filters(x) * x).sum(1, keepdim=True)

    def adjoint(self, y: Tensor) -> Tensor:
        """The data at their colours, zeros elsewhere."""
        return self.filters(y) * y

    def norm(self) -> float:
        """1."""
        return 1.0

    def solve_normal(self, b: Tensor, weight: Spectral) -> Tensor:
        """x with (A^T A + rho I) x = b."""
        return b / (self.filters(b) + weight.gram)

    def preview(self, y: Tensor) -> Tensor:
        """Bilinear interpolation of each colour; measured values are kept."""
        seen = self.filters(y)
        tent = torch.tensor(TENT, dtype=y.dtype, device=y.device)
        kernel = (tent[:, None] * tent)[None, None]
        found = conv2d((seen * y).flatten(0, 1)[:, None], kernel, padding=1)
        weight = conv2d(seen[:, None], kernel, padding=1)[:, 0]
        mean = found.reshape(-1, *self.image_shape) / weight.clamp_min(TENT[0] ** 2)
        return torch.where(seen > 0, y, mean)

    def part(self, top: int, left: int, height: int, width: int) -> Mosaic:
        """The filters of a window."""
        cut = copy(self)
        cut.image_shape, cut.data_shape = (3, height, width), (1, height, width)
        cut._origin = ((self._origin[0] + top) % 2, (self._origin[1] + left) % 2)
        cut._buffers = {}
        return cut
