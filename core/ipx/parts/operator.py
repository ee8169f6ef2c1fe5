"""Forward operators: what happens to a picture before the noise.

``y = noise(A x)``. An operator states the shape of the images it takes, ``image_shape`` =
``(C, H, W)``, and of the data it gives, ``data_shape``, both without the batch.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from torch import Tensor

from ipx.declare.capabilities import Shape
from ipx.declare.options import Options
from ipx.errors import ShapeError
from ipx.parts.component import Component, O


class Operator(Component[O], ABC):
    """A forward operator, linear or not.

    Args:
        image_shape: ``(C, H, W)`` of the images it takes.
        options: an instance of the class's options, or give single values by name.
    """

    kind = "operator"

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
