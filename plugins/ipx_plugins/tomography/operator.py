"""A x: integrals of the picture along rays, as a sparse matrix, or ray by ray where it is large."""

from __future__ import annotations

import math
import warnings
from functools import cached_property
from typing import Any

import torch
from scipy.sparse import csr_array, vstack
from torch import Tensor

from ipx import LinearOperator, Shape, ShapeError
from ipx.toolkit import linear_map
from ipx_plugins.tomography import TomographyOptions, Window
from ipx_plugins.tomography.inversion import backprojected
from ipx_plugins.tomography.rays import Rays, Row

LARGEST = 420e6
"""Bytes of A and A^T up to which they are stored."""


class Tomography(LinearOperator[TomographyOptions]):
    """The sinogram of each channel, ``(C, N, N)`` to ``(C, angles, bins)``.

    A value is the integral along a ray, with the side of the picture as unit of length: a ray
    across a picture of ones gives 1. Pixels are weighted by Joseph's method. A and A^T are stored
    as sparse matrices where both together take at most `LARGEST` bytes, else their weights are
    computed in each product.

    Args:
        image_shape: ``(C, N, N)``.
        options: see `TomographyOptions`.

    Raises:
        ShapeError: the picture is not square, or the options fix another side.
    """

    def __init__(
        self, image_shape: Shape, options: TomographyOptions | None = None, **values: object
    ) -> None:
        super().__init__(image_shape, options, **values)
        if len(self.image_shape) != 3 or self.image_shape[1] != self.image_shape[2]:
            size = " x ".join(map(str, self.image_shape[1:]))
            raise ShapeError(f"tomography takes square pictures (C, N, N), not {size}; crop them")
        channels, side, _ = self.image_shape
        wanted = self.options.size
        if wanted is not None and wanted != side:
            raise ShapeError(f"option size of tomography is {wanted}, the picture has side {side}")
        if wanted is None and self.options.bins not in (None, side):
            raise ShapeError(
                f"the detector has {self.options.bins} bins, the picture side {side}; give "
                f"tomography the option size {side}"
            )
        self.rays = Rays.of(self.options, side)
        self.data_shape = (channels, len(self.rays.angles), len(self.rays.bins))
        self._stored: dict[Any, Tensor] = {}

    @classmethod
    def image_shape_of(cls, data_shape: Shape, options: TomographyOptions) -> Shape:
        """A square with the side of option ``size``, or as many pixels as bins.

        Raises:
            ShapeError: the data have another number of angles or bins than the options.
        """
        if len(data_shape) != 3:
            raise ShapeError(f"sinograms are (C, angles, bins), not of shape {data_shape}")
        channels, angles, bins = data_shape
        if angles != len(options.degrees):
            raise ShapeError(
                f"the sinogram has {angles} rows, one for each angle; the options have "
                f"{len(options.degrees)} angles"
            )
        if options.bins not in (None, bins):
            raise ShapeError(f"the sinogram has {bins} columns, the options {options.bins} bins")
        side = options.size or bins
        return (channels, side, side)

    def forward(self, x: Tensor) -> Tensor:
        """The sinogram, ``(B, C, N, N)`` to ``(B, C, angles, bins)``."""
        return linear_map(x, self._project, self._smear)

    def adjoint(self, y: Tensor) -> Tensor:
        """The back-projection, ``(B, C, angles, bins)`` to ``(B, C, N, N)``."""
        return linear_map(y, self._smear, self._project)

    def _project(self, x: Tensor) -> Tensor:
        return self._product(x, "forward", self.data_shape)

    def _smear(self, y: Tensor) -> Tensor:
        return self._product(y, "adjoint", self.image_shape)

    def _product(self, x: Tensor, way: str, shape: Shape) -> Tensor:
        flat = x.reshape(x.shape[0] * x.shape[1], -1)
        if self.stored_bytes(x.element_size()) <= LARGEST:
            matrix = self._matrix(way, x)
            # all columns at once, which reads the matrix once; a vector where there is one only
            done = (matrix @ flat.T.contiguous()).T if len(flat) > 1 else (matrix @ flat[0])[None]
        else:
            done = torch.cat([_gathered(flat, *self._row(way, i)) for i in self._rows(way)], 1)
        return done.reshape(x.shape[0], *shape)

    def stored_bytes(self, element: int) -> int:
        """A bound on the size of A and A^T: weights of this many bytes, and indices of 4."""
        rays = self.rays
        entries = len(rays.angles) * len(rays.bins) * 2 * rays.wide * rays.side
        return 2 * entries * (element + 4)

    def memory(self, image_shape: Shape, itemsize: int = 4) -> float:
        """That of the default, and of what is stored."""
        stored = self.stored_bytes(itemsize)
        return super().memory(image_shape, itemsize) + (stored if stored <= LARGEST else 0)

    def _rows(self, way: str) -> range:
        return range(len(self.rays.angles) if way == "forward" else self.rays.side)

    def _row(self, way: str, index: int) -> Row:
        """Columns and weights of the rows of A of an angle, or of A^T of a row of pixels."""
        rays = self.rays
        make = rays.forward_rows(index) if way == "forward" else rays.adjoint_rows(index, rays.most)
        return make[0], make[1] / rays.side

    def _matrix(self, way: str, like: Tensor) -> Tensor:
        """A or A^T in the type and on the device of ``like``; made once."""
        key = (way, like.dtype, like.device)
        if key not in self._stored:
            matrix = self._assembled(like.dtype)
            if way == "adjoint":
                matrix = matrix.T.tocsr()
            starts, columns, weights = map(
                torch.from_numpy, (matrix.indptr, matrix.indices, matrix.data)
            )
            with warnings.catch_warnings():
                warnings.filterwarnings("ignore", "Sparse")  # "support is in beta state"
                made = torch.sparse_csr_tensor(
                    starts, columns, weights, matrix.shape, check_invariants=False
                )
            self._stored[key] = made.to(like.device)
        return self._stored[key]

    def _assembled(self, dtype: torch.dtype) -> csr_array:
        """A without the weights that are 0; made of what is stored, if it is."""
        shape = math.prod(self.data_shape[1:]), math.prod(self.image_shape[1:])
        held = self._stored.get(("forward", dtype, torch.device("cpu")))
        if held is not None:
            parts = (held.values(), held.col_indices(), held.crow_indices())
            return csr_array(tuple(part.numpy() for part in parts), shape=shape)
        made = []
        for i in self._rows("forward"):
            columns, weights = self._row("forward", i)
            width = columns.shape[1]
            starts = torch.arange(0, columns.numel() + 1, width, dtype=torch.int32)
            parts = (weights.to(dtype).reshape(-1), columns.reshape(-1), starts)
            some = csr_array(tuple(part.numpy() for part in parts), shape=(len(columns), shape[1]))
            some.eliminate_zeros()
            made.append(some.copy())  # without the room of the zeros
        return vstack(made, format="csr")

    @cached_property
    def _norm(self) -> float:
        """|A| by power iteration from a constant, which is near its first singular vector."""
        single = torch.float32
        dtype = single if self.stored_bytes(8) > LARGEST / 8 else torch.float64
        x, last, square = torch.ones(1, 1, *self.image_shape[1:], dtype=dtype), 0.0, 1.0
        for _ in range(60):
            x = self._smear_one(self._project_one(x / x.norm()))
            square = float(x.norm())
            if abs(square - last) <= 1e-5 * square:
                break
            last = square
        return 1.003 * math.sqrt(square)

    def _project_one(self, x: Tensor) -> Tensor:
        return self._product(x, "forward", (1, *self.data_shape[1:]))

    def _smear_one(self, y: Tensor) -> Tensor:
        return self._product(y, "adjoint", (1, *self.image_shape[1:]))

    def norm(self) -> float:
        """|A|, to 0.3 %."""
        return self._norm

    def backproject(self, y: Tensor, window: Window) -> Tensor:
        """Filtered back-projection."""
        return backprojected(self.rays, y, window)

    def preview(self, y: Tensor) -> Tensor:
        """Filtered back-projection with the ramp filter alone."""
        return self.backproject(y, "ram-lak")


def _gathered(flat: Tensor, columns: Tensor, weights: Tensor) -> Tensor:
    """The sums of weighted values of ``flat`` ``(M, n)``: ``(M, rows)``."""
    columns, weights = columns.to(flat.device), weights.to(flat)
    return torch.stack([(one[columns] * weights).sum(1) for one in flat])
