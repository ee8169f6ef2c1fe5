"""Linear operators to and from PyLops, by way of SciPy."""

from __future__ import annotations

from typing import Any

import numpy as np

from ipx import (
    Adjoint,
    InputError,
    Library,
    LinearOperator,
    NoOptions,
    Shape,
    from_scipy,
)


class PyLops(Library[NoOptions]):
    """``dims`` are images ``(H, W)`` or ``(C, H, W)``, ``dimsd`` are data."""

    def adapt(self, thing: Any, image_shape: Shape | None) -> LinearOperator[NoOptions]:
        return from_pylops(thing, image_shape)

    def export(self, thing: Any, **how: Any) -> Any:
        return to_pylops(thing, **how)


def from_pylops(operator: Any, image_shape: Shape | None = None) -> LinearOperator[NoOptions]:
    """A `pylops.LinearOperator` as an operator of ipx.

    Args:
        operator: real; it computes in its own precision, on the CPU.
        image_shape: ``(C, H, W)``; by default ``dims``, with one channel for two axes.

    Raises:
        InputError: it is complex, or its ``dims`` are no image and ``image_shape`` is missing.
        ShapeError: ``image_shape`` has another number of values.
    """
    if np.issubdtype(operator.dtype, np.complexfloating):
        raise InputError("a complex operator of PyLops; ipx has real ones")
    shape = image_shape or _image(tuple(operator.dims))
    if shape is None:
        raise InputError(f"the operator is on {tuple(operator.dims)}; give image_shape=(C, H, W)")
    data = tuple(int(n) for n in operator.dimsd)
    return from_scipy(operator, shape, _image(data) or data)


def to_pylops(operator: LinearOperator[Any]) -> Any:
    """A linear operator as a `pylops.LinearOperator` in float64, with ``dims`` ``(C, H, W)``.

    Raises:
        InputError: it is not linear.
    """
    import pylops

    if not isinstance(operator, LinearOperator) or Adjoint not in operator.capabilities:
        raise InputError(f"{type(operator).__name__} is no linear operator")
    return pylops.LinearOperator(
        Op=operator.to_scipy(), dims=operator.image_shape, dimsd=operator.data_shape
    )


def _image(dims: tuple[int, ...]) -> Shape | None:
    """``(C, H, W)`` of an array of two or three axes."""
    if len(dims) == 2:
        return (1, *dims)
    return dims if len(dims) == 3 else None
