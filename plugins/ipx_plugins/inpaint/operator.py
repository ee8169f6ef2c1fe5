"""A x = m * x with a mask m of zeros and ones."""

from __future__ import annotations

from copy import copy

import numpy as np
import torch
from torch import Tensor

from ipx import InputError, LinearOperator, Shape, ShapeError
from ipx_plugins.inpaint import InpaintOptions
from ipx_plugins.inpaint.masks import mask_for


class Inpaint(LinearOperator[InpaintOptions]):
    """A x = m * x: known pixels are unchanged, missing ones are zero.

    Args:
        image_shape: ``(C, H, W)``.
        options: see `InpaintOptions`.

    Raises:
        ShapeError: the mask or the box does not fit the picture.
        InputError: the mask file cannot be used, or no pixel is known.
    """

    def __init__(
        self, image_shape: Shape, options: InpaintOptions | None = None, **values: object
    ) -> None:
        super().__init__(image_shape, options, **values)
        if len(self.image_shape) != 3:
            raise ShapeError(f"inpaint takes images (C, H, W), not of shape {self.image_shape}")
        known = mask_for(self.options, self.image_shape)
        if not known.any():
            raise InputError(
                "the inpainting mask leaves nothing known; make it nonzero where pixels are known"
            )
        self._known = torch.from_numpy(np.ascontiguousarray(known))  # (1 or C, H, W)

    def forward(self, x: Tensor) -> Tensor:
        """m * x, ``(B, C, H, W)``; a NaN at a missing pixel becomes 0."""
        return torch.where(self.known(x), x, torch.zeros((), dtype=x.dtype, device=x.device))

    def adjoint(self, y: Tensor) -> Tensor:
        """m * y."""
        return self.forward(y)

    def diagonal(self, like: Tensor) -> Tensor:
        """m, shape ``(1 or C, H, W)``."""
        return self.buffer("diagonal", like, self._known.double)

    def known(self, like: Tensor) -> Tensor:
        """m as booleans, shape ``(1 or C, H, W)``."""
        return self.buffer("known", like, lambda: self._known)

    def norm(self) -> float:
        """1, since at least one pixel is known."""
        return 1.0

    def part(self, top: int, left: int, height: int, width: int) -> Inpaint:
        """The operator with this window of the mask."""
        cut = copy(self)
        cut.image_shape = cut.data_shape = (*self.image_shape[:-2], height, width)
        cut._known = self._known[..., top : top + height, left : left + width]
        cut._buffers = {}
        return cut

    def preview(self, y: Tensor) -> Tensor:
        """The degraded picture, with zeros at missing pixels."""
        return self.forward(y)
