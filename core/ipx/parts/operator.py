"""Forward operators: what happens to a picture before the noise.

``y = noise(A x)``. An operator states the shape of the images it takes, ``image_shape`` =
``(C, H, W)``, and of the data it gives, ``data_shape``, both without the batch. Linear ones add
an adjoint and an algebra: ``A @ B``, ``A + B``, ``c * A``, ``A.T``, ``vstack([A, B])``.
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, cast

import torch
from torch import Tensor

from ipx.declare.capabilities import Norm, Shape
from ipx.declare.options import Options
from ipx.errors import ShapeError
from ipx.parts.component import Component, O, count, has, image_norm

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator as SciPyOperator


class Operator(Component[O], ABC):
    """A forward operator, linear or not.

    Args:
        image_shape: ``(C, H, W)`` of the images it takes.
        options: an instance of the class's options, or give single values by name.
    """

    signed: bool = False  # as in its `OperatorSpec`

    def __init__(self, image_shape: Shape, options: O | None = None, **values: Any) -> None:
        super().__init__(options, **values)
        self.image_shape: Shape = tuple(int(n) for n in image_shape)
        if not self.image_shape or min(self.image_shape) < 1:
            raise ShapeError(f"an image shape needs sizes of at least 1, not {self.image_shape}")
        self.data_shape: Shape = self.image_shape

    @classmethod
    def image_shape_of(cls, data_shape: Shape, options: Options) -> Shape:
        """The shape of the images that give data of ``data_shape``; the same by default."""
        return data_shape

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """A x: ``(B, *image_shape)`` to ``(B, *data_shape)``, same dtype and device."""

    def preview(self, y: Tensor) -> Tensor:
        """A picture of image shape made from the data alone, ``(B, *image_shape)``.

        What somebody without a restoration method would look at; the "before" of every
        before-and-after figure, and the default start of the iterative solvers. Here the
        data themselves when the shapes agree.
        """
        if self.data_shape != self.image_shape:
            raise ShapeError(f"{type(self).__name__} gives no preview of its data")
        return y

    @property
    def physical(self) -> Operator[Any]:
        """The operator on pictures; another one only where the unknown is a code."""
        return self

    def picture(self, unknown: Tensor) -> Tensor:
        """The picture that the unknown of a solver stands for: itself, or D(z) of a code."""
        return unknown

    def unknown(self, picture: Tensor) -> Tensor:
        """Where a solver begins that should begin at this picture: itself, or its code."""
        return picture

    def known(self, like: Tensor) -> Tensor | None:
        """Boolean data mask, true where a measurement exists; None when all do."""
        return None

    def __call__(self, x: Tensor) -> Tensor:
        """`forward` with the shape checked."""
        if tuple(x.shape[1:]) != self.image_shape:
            raise ShapeError(
                f"{type(self).__name__} takes images of shape {self.image_shape}, "
                f"not {tuple(x.shape[1:])}"
            )
        return self.forward(x)


class LinearOperator(Operator[O], ABC):
    """A linear forward operator; the algebra of `ipx.algebra` comes with it."""

    @abstractmethod
    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y: ``(B, *data_shape)`` to ``(B, *image_shape)``."""

    def preview(self, y: Tensor) -> Tensor:
        """Normalised back-projection, A^T y / A^T 1 (0 where no measurement arrives)."""
        if self.data_shape == self.image_shape and self.known(y) is None:
            return y
        weight = self.adjoint(torch.ones_like(y[:1]))
        seen = weight.abs() > 1e-6 * weight.abs().amax()
        return torch.where(seen, self.adjoint(y) / torch.where(seen, weight, 1.0), 0.0)

    @property
    def T(self) -> LinearOperator[Any]:  # noqa: N802  # the field's name
        """The adjoint as an operator."""
        from ipx.parts.algebra import Adjointed

        return Adjointed(self)

    def __matmul__(self, other: LinearOperator[Any]) -> LinearOperator[Any]:
        from ipx.parts.algebra import Composed

        return Composed(self, other)

    def __add__(self, other: LinearOperator[Any]) -> LinearOperator[Any]:
        from ipx.parts.algebra import Summed

        return Summed(self, other)

    def __sub__(self, other: LinearOperator[Any]) -> LinearOperator[Any]:
        return self + (-1.0) * other

    def __neg__(self) -> LinearOperator[Any]:
        return (-1.0) * self

    def __rmul__(self, factor: float) -> LinearOperator[Any]:
        from ipx.parts.algebra import Scaled

        return Scaled(float(factor), self)

    def to_scipy(self) -> SciPyOperator:
        """This operator as a `scipy.sparse.linalg.LinearOperator` in float64, on flat vectors."""
        from ipx.parts.algebra import to_scipy

        return to_scipy(self)


def operator_norm(
    operator: LinearOperator[Any],
    *,
    like: Tensor | None = None,
    iterations: int = 100,
    tol: float = 1e-4,
) -> float:
    """|A|, from the operator where it knows it, else by power iteration on A^T A (float64).

    Args:
        operator: the operator.
        like: a tensor whose device to use; the CPU when none is given.
        iterations: at most this many products with A^T A.
        tol: relative change of the estimate at which to stop.

    Returns:
        The norm; from power iteration an estimate from below, hence enlarged by 1 %.
    """
    if has(operator, Norm):
        return cast(Norm, operator).norm()
    device = like.device if like is not None else torch.device("cpu")
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(1, *operator.image_shape, generator=generator, dtype=torch.float64)
    x = (x / x.norm()).to(device)
    last = square = 0.0
    for _ in range(iterations):
        x = operator.adjoint(operator.forward(x))
        square = float(image_norm(x))
        if square == 0:
            return 0.0
        x = x / square
        if abs(square - last) <= tol * square:
            break
        last = square
    return 1.01 * math.sqrt(square)


__all__ = ["LinearOperator", "Operator", "count", "operator_norm"]
