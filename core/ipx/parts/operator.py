"""Forward operators A in ``y = noise(A x)``."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, ClassVar

from torch import Tensor

from ipx.declare.capabilities import Shape
from ipx.declare.capability import Returns
from ipx.errors import ShapeError
from ipx.parts.component import Component, O


@dataclass(frozen=True)
class Estimate:
    """What an operator found out about itself from the data.

    Attributes:
        options: values of options, in place of those that were ``auto``, and of any others. An
            option should tell how wrong they are, for `Operator.error`.
        remarks: what was found and how sure it is, one line each.
        outputs: images by name, ``(1, C, H, W)``, to be handed out with the restored one.
    """

    options: Mapping[str, Any]
    remarks: tuple[str, ...] = ()
    outputs: Mapping[str, Tensor] = field(default_factory=dict)


class Operator(Component[O], ABC):
    """A forward operator, linear or not, from ``image_shape`` to ``data_shape`` (without batch).

    Args:
        image_shape: ``(C, H, W)`` of the images.
        options: an instance of the options class; or give single values by name.
    """

    kind = "operator"
    returns: ClassVar[Mapping[str, Returns]] = {"forward": "data"}
    error: float = 0.0
    """Standard deviation of (A - A_true) x, in the unit of the data; 0 for an exact operator.

    It counts as noise, see `ipx.Noise.widened`; operators composed of others are taken for exact.
    """

    def __init__(self, image_shape: Shape, options: O | None = None, **values: Any) -> None:
        super().__init__(options, **values)
        self.image_shape: Shape = tuple(int(n) for n in image_shape)
        if not self.image_shape or min(self.image_shape) < 1:
            raise ShapeError(f"an image shape needs sizes of at least 1, not {self.image_shape}")
        self.data_shape: Shape = self.image_shape

    @classmethod
    def image_shape_of(cls, data_shape: Shape, options: Any) -> Shape:
        """The shape of images with data of ``data_shape``; the same shape by default."""
        return data_shape

    @abstractmethod
    def forward(self, x: Tensor) -> Tensor:
        """A x: ``(B, *image_shape)`` to ``(B, *data_shape)``, same dtype and device."""

    def preview(self, y: Tensor) -> Tensor:
        """The data shown as an image, ``(B, *image_shape)``; by default the data themselves.

        It is the "before" of comparisons and the default start of iterative solvers.

        Raises:
            ShapeError: the data have another shape, and the operator defines no preview.
        """
        if self.data_shape != self.image_shape:
            raise ShapeError(f"{type(self).__name__} gives no preview of its data")
        return y

    def quiet(self, y: Tensor) -> Tensor | None:
        """Measured values that hold hardly any signal, ``(B, M)``; None, the default, without such.

        For example the frequencies that a blur removes. Scaled to the standard deviation of the
        noise they bound an estimate of its level.
        """
        return None

    def view(self, x: Tensor) -> Tensor:
        """The part of an image ``(B, *image_shape)`` that is handed out; all of it by default.

        An operator may restore more than the data show, such as the scene beyond the border.
        """
        return x

    def doubts(self) -> tuple[str, ...]:
        """Sentences for the user about options that may be wrong, such as a PSF off its centre.

        By default none.
        """
        return ()

    def known(self, like: Tensor) -> Tensor | None:
        """Boolean mask of the data, true where a value was measured; None for all."""
        return None

    def __call__(self, x: Tensor) -> Tensor:
        """`forward`, after a check of the shape."""
        if tuple(x.shape[1:]) != self.image_shape:
            raise ShapeError(
                f"{type(self).__name__} takes images of shape {self.image_shape}, "
                f"not {tuple(x.shape[1:])}"
            )
        return self.forward(x)
