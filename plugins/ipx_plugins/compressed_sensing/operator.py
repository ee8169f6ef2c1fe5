"""A x = Phi applied to the picture, or to each of its blocks."""

from __future__ import annotations

import math

from torch import Tensor

from ipx import LinearOperator, Shape, ShapeError, Spectral
from ipx_plugins.compressed_sensing import CompressedSensingOptions
from ipx_plugins.compressed_sensing.matrices import Matrix, Random, Rows


class CompressedSensing(LinearOperator[CompressedSensingOptions]):
    """m random measurements of n pixels, the same for each channel and block.

    The data are ``(C, H/b, m W/b)``: the m measurements of a block of side b side by side, blocks
    in their order. A picture measured as a whole gives ``(C, 1, m)``.

    Args:
        image_shape: ``(C, H, W)``, H and W multiples of the block.
        options: see `CompressedSensingOptions`.

    Raises:
        ShapeError: another shape, or one that the options do not fit.
    """

    def __init__(
        self,
        image_shape: Shape,
        options: CompressedSensingOptions | None = None,
        **values: object,
    ) -> None:
        super().__init__(image_shape, options, **values)
        o = self.options
        if len(self.image_shape) != 3:
            raise ShapeError(
                f"compressed-sensing takes images (C, H, W), not of shape {self.image_shape}"
            )
        channels, height, width = self.image_shape
        told = f"{height} x {width}"
        if o.block is not None and (height % o.block or width % o.block):
            near = f"{height - height % o.block} x {width - width % o.block}"
            raise ShapeError(
                f"compressed-sensing in blocks of {o.block} needs a height and a width that are "
                f"multiples of it, not {told}; crop to {near}, or give another block"
            )
        if o.block is None and (height, width) != (o.size or (height, height)):
            raise ShapeError(
                f"compressed-sensing of a whole picture of {told} needs size {height},{width}"
            )
        self.size = (height, width) if o.block is None else (o.block, o.block)
        self.grid = (height // self.size[0], width // self.size[1])
        pixels = math.prod(self.size)
        self.count = o.count(pixels)
        self.data_shape = (channels, self.grid[0], self.grid[1] * self.count)
        fast = o.matrix in ("hadamard", "dct")
        self.matrix: Matrix = (
            Rows(o, self.count, self.size) if fast else Random(o, self.count, pixels)
        )

    @classmethod
    def image_shape_of(cls, data_shape: Shape, options: CompressedSensingOptions) -> Shape:
        """From the number of blocks, or option ``size``.

        Raises:
            ShapeError: no picture has such data.
        """
        o = options
        if len(data_shape) != 3:
            raise ShapeError(f"data of compressed-sensing are (C, rows, columns), not {data_shape}")
        channels, rows, columns = data_shape
        if o.block is not None:
            count = o.count(o.block**2)
            if columns % count:
                raise ShapeError(
                    f"a row of {columns} data is no multiple of the {count} measurements of a "
                    "block; check share and block"
                )
            return (channels, rows * o.block, columns // count * o.block)
        side = max(1, round(math.sqrt(columns / o.share)))
        size = o.size or (side, side)
        if rows != 1 or o.count(math.prod(size)) != columns:
            raise ShapeError(
                f"{rows} x {columns} are no data of a whole picture of {size[0]} x {size[1]} at "
                f"share {o.share:g}; give size and share"
            )
        return (channels, *size)

    def forward(self, x: Tensor) -> Tensor:
        """The measurements, ``(B, C, H, W)`` to ``(B, *data_shape)``."""
        (rows, columns), (h, w) = self.grid, self.size
        parts = x.reshape(*x.shape[:2], rows, h, columns, w).transpose(3, 4)
        y = self.matrix.forward(parts.reshape(-1, h * w))
        return y.reshape(x.shape[0], *self.data_shape)

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y, ``(B, *data_shape)`` to ``(B, C, H, W)``."""
        (rows, columns), (h, w) = self.grid, self.size
        parts = self.matrix.adjoint(y.reshape(-1, self.count))
        parts = parts.reshape(*y.shape[:2], rows, columns, h, w).transpose(3, 4)
        return parts.reshape(y.shape[0], *self.image_shape)

    def norm(self) -> float:
        """That of the matrix of a block."""
        return self.matrix.norm()

    def solve_normal(self, b: Tensor, weight: Spectral) -> Tensor:
        """x with (A^T A + rho I) x = b, for orthogonal rows, A A^T = c I.

        x = (b - A^T A b / (rho + c)) / rho.
        """
        rho = weight.gram
        return (b - self.adjoint(self.forward(b) / (rho + self.norm() ** 2))) / rho

    def preview(self, y: Tensor) -> Tensor:
        """A^T y m/n: with orthogonal rows the picture of least norm with these data."""
        return self.adjoint(y) * (self.count / math.prod(self.size))
