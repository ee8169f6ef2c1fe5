"""What a restored image leaves of the data: y - A x, y without the offset of the noise."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch

from ipx.errors import ShapeError
from ipx.files.format import Array
from ipx.parts.noise import Noise
from ipx.planning.tree import Description
from ipx.solving.build import build, image_shape_of, operator_from

SEEN = 1e-3
"""Share of a measured value that may come from pixels that are not in the image."""


@torch.no_grad()
def residual(op: Description, y: Array, x: Array, noise: Description = "gaussian") -> Array:
    """y - A x in the shape of the data, NaN where it is unknown.

    It is unknown where nothing was measured, and where the value depends on pixels that the image
    does not have: an operator with the boundary ``unknown`` restores more than `ipx.Operator.view`
    shows.

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
    shape, known = operator.image_shape, operator.known(data)
    model: Noise[Any] = build("noise", noise)
    data = model.centred(data)
    hidden = None
    if tuple(image.shape[1:]) != shape:
        numbers = torch.arange(math.prod(shape), dtype=torch.float64).reshape(1, *shape)
        seen = operator.view(numbers).long().flatten()
        if len(seen) != image.numel() or len(set(seen.tolist())) != len(seen):
            raise ShapeError(f"images of shape {shape} are not shown as {tuple(image.shape[1:])}")
        whole, outside = torch.zeros(math.prod(shape)), torch.ones(math.prod(shape))
        whole[seen], outside[seen] = image.flatten(), 0.0
        image = whole.reshape(1, *shape)
        hidden = operator.forward(outside.reshape(1, *shape)).abs() > SEEN
    left: torch.Tensor = data - operator.forward(image)
    if known is not None:
        left = torch.where(known, left, torch.nan)
    if hidden is not None:
        left = torch.where(hidden, torch.nan, left)
    found: Array = left[0].numpy()
    return found
