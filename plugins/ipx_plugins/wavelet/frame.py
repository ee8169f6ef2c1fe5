"""The wavelet transform as the linear part of a prior."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, TypeVar

from torch import Tensor

from ipx import LinearOperator, OuterProx, Shape
from ipx_plugins.wavelet import WaveletOptions
from ipx_plugins.wavelet.decimated import Decimated
from ipx_plugins.wavelet.invariant import Invariant

W = TypeVar("W", bound=WaveletOptions)


class WaveletFrame(OuterProx[W]):
    """Base of priors R(x) = g(Wx); transforms are made once for each shape."""

    def __init__(self, options: W | None = None, **values: object) -> None:
        super().__init__(options, **values)
        self._transform = lru_cache(maxsize=8)(self._make)

    def _make(self, image_shape: Shape) -> Decimated | Invariant:
        kind = Invariant if self.options.invariant else Decimated
        return kind(image_shape, self.options)

    def linear_part(self, image_shape: Shape) -> LinearOperator[Any]:
        """K: the transform."""
        return self._transform(tuple(image_shape))

    def _of_data(self, c: Tensor) -> Decimated | Invariant:
        """The transform whose coefficients have this shape."""
        shape = tuple(c.shape[1:])
        if not self.options.invariant:
            return self._transform(shape)
        for channels in range(1, shape[0] + 1):
            made = self._transform((channels, *shape[1:]))
            if made.data_shape == shape:
                return made
        raise ValueError(f"no image has wavelet coefficients of shape {shape}")
