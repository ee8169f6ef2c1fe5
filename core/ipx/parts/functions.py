"""Components out of plain functions: a denoiser, a linear operator, a mask."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ipx.declare.capabilities import Adjoint, Denoise, Diagonal, Norm, Scalar, Shape
from ipx.declare.options import NoOptions
from ipx.declare.traits import DENOISER_SHARE, Traits
from ipx.errors import InputError, ShapeError
from ipx.numerics.tensors import column, image_dot, image_norm, vector
from ipx.numerics.transpose import linear_map
from ipx.parts.linear import LinearOperator, signed_data
from ipx.parts.prior import Prior

Function = Callable[..., Any]

TOLERANCE = 1e-5
"""Relative error at which a function counts as linear, and another as its adjoint."""


class FunctionDenoiser(Prior[NoOptions]):
    """A function D(x, sigma) as a prior, see `denoiser`."""

    provides = (Denoise,)

    def __init__(self, function: Function, max_sigma: float, arrays: bool) -> None:
        super().__init__()
        self.traits = Traits(lam_per_variance=DENOISER_SHARE, max_sigma=max_sigma)
        self._function, self._arrays = function, arrays

    def denoise(self, x: Tensor, sigma: Scalar) -> Tensor:
        """D(x, sigma), and x itself where sigma is 0; ``(B, C, H, W)``.

        Raises:
            ShapeError: the function gives another shape.
        """
        level = vector(sigma, x)
        if self._arrays:
            rows = zip(x.detach(), level.tolist(), strict=True)
            images = [self._image(row, s) if s > 0 else row for row, s in rows]
            out = torch.stack(images)
        else:
            out = self._function(x, level)
            _same_shape(out, x)
        return torch.where(column(level, x) > 0, out.to(x), x)

    def _image(self, x: Tensor, sigma: float) -> Tensor:
        """D of one image ``(C, H, W)``, for a function of arrays."""
        made = torch.as_tensor(np.ascontiguousarray(self._function(_array(x), sigma)))
        made = made.to(x)
        return _same_shape(made[None] if made.ndim == x.ndim - 1 else made.movedim(-1, 0), x)


def denoiser(
    function: Function, *, max_sigma: float = math.inf, arrays: bool = False
) -> FunctionDenoiser:
    """A plain function as a prior for plug-and-play.

    >>> import ipx, torch
    >>> prior = ipx.denoiser(lambda x, sigma: x / (1 + sigma.view(-1, 1, 1, 1)))
    >>> float(prior.denoise(torch.ones(1, 1, 4, 4), 1.0).mean())
    0.5

    Args:
        function: ``f(x, sigma)``: the image without noise of standard deviation sigma. By default
            x is a tensor ``(B, C, H, W)`` and sigma ``(B,)``. With ``arrays`` it is called image by
            image, with a NumPy array ``(H, W)`` or ``(H, W, C)`` and a number, as functions of
            scikit-image are; no gradients pass through it then.
        max_sigma: the largest sigma that it handles.
        arrays: see ``function``.
    """
    return FunctionDenoiser(function, max_sigma, arrays)


class FunctionOperator(LinearOperator[NoOptions]):
    """Functions as a linear operator, see `linear`."""

    provides = (Adjoint,)

    def __init__(
        self, forward: Function, adjoint: Function | None, image_shape: Shape, arrays: bool
    ) -> None:
        super().__init__(image_shape)
        self._forward, self._adjoint, self._arrays = forward, adjoint, arrays
        if arrays and adjoint is None:
            raise InputError("functions of arrays cannot be differentiated; give the adjoint too")
        self.data_shape = tuple(self.forward(torch.zeros(1, *self.image_shape)).shape[1:])
        self.traits = Traits(signed=signed_data(self))

    def forward(self, x: Tensor) -> Tensor:
        """A x, ``(B, *data_shape)``."""
        if self._arrays:
            return linear_map(x, self._by_arrays(self._forward), self._by_arrays(self._adjoint))
        return _tensor(self._forward(x), x)

    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y, ``(B, *image_shape)``; by automatic differentiation without a function.

        Raises:
            InputError: the function gives another shape.
        """
        if self._arrays:
            made = linear_map(y, self._by_arrays(self._adjoint), self._by_arrays(self._forward))
        elif self._adjoint is not None:
            made = _tensor(self._adjoint(y), y)
        else:
            made = linear_map(y, self._transposed, self._forward)
        if tuple(made.shape[1:]) != self.image_shape:
            raise InputError(
                f"adjoint gives {tuple(made.shape[1:])}, not images {self.image_shape}"
            )
        return made

    def _transposed(self, y: Tensor) -> Tensor:
        with torch.enable_grad():
            x = torch.zeros(len(y), *self.image_shape, dtype=y.dtype, device=y.device)
            made = self._forward(x.requires_grad_())
            (back,) = torch.autograd.grad(made, x, y.detach(), allow_unused=True)
        return torch.zeros_like(x).detach() if back is None else back

    def _by_arrays(self, function: Function | None) -> Callable[[Tensor], Tensor]:
        """The function for a batch of tensors; images are ``(H, W)`` or ``(H, W, C)`` to it."""
        assert function is not None

        def apply(x: Tensor) -> Tensor:
            rows = [np.ascontiguousarray(function(_array(row))) for row in x.detach()]
            made = torch.as_tensor(np.stack(rows)).to(x)
            if made.ndim == 3:
                return made[:, None]
            return made.movedim(-1, 1) if made.ndim == 4 else made

        return apply


def linear(
    forward: Function,
    adjoint: Function | None = None,
    *,
    image_shape: Shape,
    arrays: bool = False,
    check: bool = False,
) -> FunctionOperator:
    """Plain functions as a linear operator.

    >>> import ipx
    >>> halves = ipx.linear(lambda x: x[..., ::2, :], image_shape=(1, 8, 8), check=True)
    >>> halves.data_shape
    (1, 4, 8)

    Args:
        forward: A: tensors ``(B, C, H, W)`` to data ``(B, ...)``.
        adjoint: A^T, data to images; found by automatic differentiation if None.
        image_shape: ``(C, H, W)`` of the images.
        arrays: the functions take and return one NumPy array, ``(H, W)`` or ``(H, W, C)``, each;
            ``adjoint`` is then required.
        check: check that A is linear, and that A^T is its adjoint, on random images.

    Raises:
        InputError: a check fails, or ``adjoint`` is missing.
    """
    made = FunctionOperator(forward, adjoint, image_shape, arrays)
    if check:
        _check(made)
    return made


def _check(a: FunctionOperator) -> None:
    """Raise `InputError` unless A (2 x - 3 u) = 2 A x - 3 A u and <A x, y> = <x, A^T y>."""
    generator = torch.Generator().manual_seed(0)
    sizes = (a.image_shape, a.image_shape, a.data_shape)
    x, u, y = (torch.randn(2, *s, generator=generator, dtype=torch.float64) for s in sizes)
    ax = a.forward(x)
    gap = image_norm(a.forward(2 * x - 3 * u) - 2 * ax + 3 * a.forward(u)).amax()
    if not gap <= TOLERANCE * image_norm(ax).amax():
        raise InputError("forward is not linear: A (2 x - 3 u) is not 2 A x - 3 A u")
    back = a.adjoint(y)
    left, right = image_dot(ax, y), image_dot(x, back)
    if not ((left - right).abs() <= TOLERANCE * image_norm(ax) * image_norm(y)).all():
        raise InputError(
            f"adjoint is not that of forward: <A x, y> = {float(left[0]):.6g}, "
            f"<x, A^T y> = {float(right[0]):.6g}"
        )


class Known(LinearOperator[NoOptions]):
    """A x = m x with a mask m: some pixels are measured.

    Args:
        mask: boolean, true where measured, ``(H, W)`` or ``(1 or C, H, W)``.
        image_shape: ``(C, H, W)``.
    """

    provides = (Adjoint, Diagonal, Norm)

    def __init__(self, mask: Tensor, image_shape: Shape) -> None:
        super().__init__(image_shape)
        if not mask.any() or tuple(mask.shape[-2:]) != self.image_shape[-2:]:
            raise ShapeError(
                f"the mask is {tuple(mask.shape)}, the image {self.image_shape}; they must fit, "
                "and a pixel must be known"
            )
        self._mask = mask.bool().expand(self.image_shape)

    def forward(self, x: Tensor) -> Tensor:
        """m x."""
        return x * self.diagonal(x)

    def adjoint(self, y: Tensor) -> Tensor:
        """m y."""
        return self.forward(y)

    def diagonal(self, like: Tensor) -> Tensor:
        """m, ``(C, H, W)``."""
        return self.buffer("diagonal", like, self._mask.double)

    def known(self, like: Tensor) -> Tensor:
        """m as booleans."""
        return self.buffer("known", like, lambda: self._mask)

    def norm(self) -> float:
        """1, since a pixel is known."""
        return 1.0


def _array(x: Tensor) -> Any:
    """``(C, H, W)`` as NumPy ``(H, W)`` or ``(H, W, C)``; other tensors as they are."""
    made = x.detach().cpu().numpy()
    if made.ndim != 3:
        return made
    return made[0] if len(made) == 1 else np.moveaxis(made, 0, -1)


def _tensor(made: Any, like: Tensor) -> Tensor:
    if not isinstance(made, Tensor):
        raise InputError(
            f"a function of tensors gave {type(made).__name__}; arrays=True is for functions of "
            "NumPy arrays"
        )
    return made.to(like)


def _same_shape(made: Any, x: Tensor) -> Tensor:
    tensor = _tensor(made, x)
    if tensor.shape != x.shape:
        raise ShapeError(f"the function gives {tuple(tensor.shape)} for {tuple(x.shape)}")
    return tensor
