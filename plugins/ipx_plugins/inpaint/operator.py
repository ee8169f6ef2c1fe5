"""A x = m * x with a mask m of zeros and ones."""

from __future__ import annotations

from abc import abstractmethod
from copy import copy
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from ipx import InputError, LinearOperator, Options, Shape, ShapeError
from ipx_plugins.inpaint import InpaintOptions, SpectralInpaintOptions
from ipx_plugins.inpaint.masks import Mask, mask_for, visited

O = TypeVar("O", bound=Options)  # noqa: E741  # the options, as in Operator[O]


class Masked(LinearOperator[O]):
    """A x = m * x: known pixels are unchanged, missing ones are zero.

    Args:
        image_shape: ``(C, H, W)``.
        options: those of a subclass.

    Raises:
        ShapeError: the mask does not fit the picture.
        InputError: the mask file cannot be used, or no pixel is known.
    """

    def __init__(self, image_shape: Shape, options: O | None = None, **values: object) -> None:
        super().__init__(image_shape, options, **values)
        if len(self.image_shape) != 3:
            raise ShapeError(f"a mask takes images (C, H, W), not of shape {self.image_shape}")
        known = self.mask()
        if not known.any():
            raise InputError("the mask leaves nothing known; it is nonzero where pixels are known")
        self._known = torch.from_numpy(np.ascontiguousarray(known))  # (1 or C, H, W)

    @abstractmethod
    def mask(self) -> Mask:
        """m, boolean, ``(1 or C, H, W)``."""

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

    def part(self, top: int, left: int, height: int, width: int) -> Masked[O]:
        """The operator with this window of the mask."""
        cut = copy(self)
        cut.image_shape = cut.data_shape = (*self.image_shape[:-2], height, width)
        cut._known = self._known[..., top : top + height, left : left + width]
        cut._buffers = {}
        return cut

    def preview(self, y: Tensor) -> Tensor:
        """The degraded picture, with zeros at missing pixels."""
        return self.forward(y)


class Inpaint(Masked[InpaintOptions]):
    """Random pixels, a box, scratches, text or the pixels of a file are missing."""

    def mask(self) -> Mask:
        """The mask that the options describe."""
        return mask_for(self.options, self.image_shape)


class SpectralInpaint(Masked[SpectralInpaintOptions]):
    """Some pixels are visited, and all bands measured there: Y = X P (Monier et al. 2018)."""

    def mask(self) -> Mask:
        """The visited pixels, ``(1, H, W)``."""
        return visited(self.options, self.image_shape)
