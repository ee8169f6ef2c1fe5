"""What a restored image leaves of the data: y - A x, y without the offset of the noise."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ipx.errors import ShapeError
from ipx.files.format import Array
from ipx.parts.noise import Noise
from ipx.parts.operator import Operator
from ipx.planning.tree import Description
from ipx.solving.build import build, image_shape_of, operator_from

SHARES = (0.001, 0.01, 0.05, 0.2)
"""Shares of a measured value that may come from pixels that are not in the image.

The first is taken for which `ENOUGH` of the residual is known: within a volume of few planes every
value depends on planes beyond its ends.
"""

ENOUGH = 0.1
"""Share of the residual that is to be known."""


@dataclass(frozen=True, eq=False)
class Residual:
    """y - A x, and how far it is known.

    Attributes:
        values: in the shape of the data, NaN where it is unknown.
        share: known values depend up to this share on pixels that the image does not have; 0 if it
            has all of them.
    """

    values: Array
    share: float = 0.0


@torch.no_grad()
def residual(op: Description, y: Array, x: Array, noise: Description = "gaussian") -> Residual:
    """y - A x, NaN where it is unknown.

    It is unknown where nothing was measured, and where the value depends on pixels that the image
    does not have: an operator with the boundary ``unknown`` restores more than `ipx.Operator.view`
    shows. The pixels beyond the border count as those at the border, see `SHARES`.

    Args:
        op: the operator.
        y: the data, ``(C, H, W)``.
        x: the restored image, ``(C, H, W)``.
        noise: its model, which tells what the noise adds to y on the average.

    Raises:
        IpxError: operator, data and image do not fit together.
    """
    data, image = (torch.from_numpy(np.ascontiguousarray(a))[None].float() for a in (y, x))
    operator = operator_from(op, image_shape_of(op, tuple(y.shape)))
    data = data.reshape(1, *operator.data_shape)
    known = operator.known(data)
    model: Noise[Any] = build("noise", noise)
    data = model.centred(data)
    seen = torch.ones_like(data, dtype=torch.bool) if known is None else known.expand_as(data)
    share = 0.0
    if tuple(image.shape[1:]) != operator.image_shape:
        image, beyond = _extended(operator, image)
        depends = operator.forward(beyond).abs()
        shown = ((share, seen & (depends <= share)) for share in SHARES)
        share, seen = next(
            (pair for pair in shown if float(pair[1].float().mean()) >= ENOUGH),
            (0.0, torch.zeros_like(seen)),
        )
    left = torch.where(seen, data - operator.forward(image), torch.nan)
    return Residual(left[0].numpy(), share)


def _extended(operator: Operator[Any], image: Tensor) -> tuple[Tensor, Tensor]:
    """The image with its border pixels repeated beyond it, and 1 where a pixel is beyond.

    Raises:
        ShapeError: what the operator shows is no rectangular part of the image.
    """
    shape, size = operator.image_shape, tuple(image.shape[1:])
    numbers = torch.arange(math.prod(shape), dtype=torch.float64).reshape(1, *shape)
    seen = operator.view(numbers).long().flatten()
    first = np.unravel_index(int(seen[0]), shape)
    part = tuple(slice(a, a + n) for a, n in zip(first, size, strict=True))
    if not torch.equal(numbers[0][part].long().flatten(), seen):
        raise ShapeError(f"images of shape {shape} are not shown as {size}")
    beyond = torch.ones(1, *shape)
    beyond[0][part] = 0.0
    for axis, (a, n, whole) in enumerate(zip(first, size, shape, strict=True), 1):
        image = image.index_select(axis, (torch.arange(whole) - int(a)).clamp(0, n - 1))
    return image, beyond
