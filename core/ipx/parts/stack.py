"""Stacked operators, ``vstack([A, B])``, and operators from SciPy."""

from __future__ import annotations

from collections.abc import Sequence
from functools import reduce
from operator import add
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ipx.declare.capabilities import Adjoint, Shape, Spectrum, using
from ipx.declare.options import NoOptions
from ipx.declare.traits import Traits
from ipx.errors import ShapeError
from ipx.numerics.spectral import BasisName, Spectral
from ipx.numerics.tensors import count
from ipx.parts.linear import AnyLinear, LinearOperator, Made, signed_data


class Stacked(Made):
    """[A; B; ...] x: data of equal height and width joined along the channels, others flattened."""

    rule = "stack"

    def __init__(self, operators: Sequence[AnyLinear]) -> None:
        if not operators:
            raise ShapeError("cannot stack no operators")
        shapes = {op.image_shape for op in operators}
        if len(shapes) > 1:
            raise ShapeError(f"cannot stack operators on images of different shapes: {shapes}")
        self._flat = len({op.data_shape[1:] for op in operators}) > 1
        self._sizes = [count(p.data_shape) if self._flat else p.data_shape[0] for p in operators]
        tail = () if self._flat else operators[0].data_shape[1:]
        super().__init__(operators[0].image_shape, (sum(self._sizes), *tail), operators)

    def joined(self, data: Sequence[Tensor]) -> Tensor:
        """The data of the stack from those of each part."""
        return torch.cat([d.flatten(1) for d in data] if self._flat else list(data), dim=1)

    def forward(self, x: Tensor) -> Tensor:
        return self.joined([p.forward(x) for p in self.parts])

    def split(self, y: Tensor) -> list[Tensor]:
        """The data of each part."""
        pieces = torch.split(y, self._sizes, dim=1)
        return [s.reshape(-1, *p.data_shape) for s, p in zip(pieces, self.parts, strict=True)]

    def adjoint(self, y: Tensor) -> Tensor:
        back = [p.adjoint(s) for p, s in zip(self.parts, self.split(y), strict=True)]
        return torch.stack(back).sum(0)

    def spectrum(self, like: Tensor) -> Spectral:
        first, *rest = (using(p, Spectrum).spectrum(like) for p in self.parts)
        for s in rest:
            first = first + s
        return first

    def near(self, like: Tensor, basis: BasisName) -> Spectral | None:
        """The sum of those of the parts, if all have one."""
        found = [p.near(like, basis) for p in self.parts]
        known = [s for s in found if s is not None]
        return reduce(add, known) if len(known) == len(found) else None

    def preview(self, y: Tensor) -> Tensor:
        views = [p.preview(s) for p, s in zip(self.parts, self.split(y), strict=True)]
        return torch.stack(views).mean(0)

    def view(self, x: Tensor) -> Tensor:
        return self.parts[0].view(x)

    def known(self, like: Tensor) -> Tensor | None:
        masks = [p.known(s) for p, s in zip(self.parts, self.split(like[:1]), strict=True)]
        if all(m is None for m in masks):
            return None
        full = [
            torch.ones(1, *p.data_shape, dtype=torch.bool, device=like.device)
            if m is None
            else m.expand(1, *p.data_shape)
            for m, p in zip(masks, self.parts, strict=True)
        ]
        return self.joined(full)[0]


def vstack(operators: Sequence[AnyLinear]) -> AnyLinear:
    """The operator [A; B; ...]: several measurements of one image."""
    return operators[0] if len(operators) == 1 else Stacked(operators)


class FromSciPy(LinearOperator[NoOptions]):
    """A SciPy linear operator, or a sparse or dense matrix, on flattened images.

    Args:
        matrix: ``(m, n)`` with n = C H W.
        image_shape: ``(C, H, W)``.
        data_shape: shape of the data; ``(m,)`` when None.
    """

    provides = (Adjoint,)

    def __init__(self, matrix: Any, image_shape: Shape, data_shape: Shape | None = None) -> None:
        from scipy.sparse.linalg import aslinearoperator

        super().__init__(image_shape)
        self._matrix = aslinearoperator(matrix)
        rows, columns = self._matrix.shape
        self.data_shape = tuple(data_shape) if data_shape is not None else (rows,)
        if (count(self.data_shape), count(self.image_shape)) != (rows, columns):
            raise ShapeError(
                f"a {rows} x {columns} matrix does not map {self.image_shape} to {self.data_shape}"
            )
        self.traits = Traits(signed=signed_data(self))

    def _apply(self, function: Any, x: Tensor, shape: Shape) -> Tensor:
        flat = x.detach().flatten(1).to("cpu", torch.float64).numpy()
        out = np.stack([function(row) for row in flat])
        return torch.from_numpy(out).to(x).reshape(-1, *shape)

    def forward(self, x: Tensor) -> Tensor:
        return self._apply(self._matrix.matvec, x, self.data_shape)

    def adjoint(self, y: Tensor) -> Tensor:
        return self._apply(self._matrix.rmatvec, y, self.image_shape)


def from_scipy(matrix: Any, image_shape: Shape, data_shape: Shape | None = None) -> FromSciPy:
    """`FromSciPy` as a function."""
    return FromSciPy(matrix, image_shape, data_shape)
