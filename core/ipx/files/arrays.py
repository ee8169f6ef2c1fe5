"""Images as arrays or tensors, converted to the tensors of solvers and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ipx.errors import InputError, OptionError
from ipx.numerics.devices import open_device

Back = Callable[[Tensor], Any]


def to_tensor(
    image: Any, device: torch.device | str | None = None, dtype: torch.dtype | None = None
) -> tuple[Tensor, Back]:
    """An image as ``(B, C, H, W)`` in floating point, and the inverse conversion.

    Args:
        image: NumPy ``(H, W)`` or ``(H, W, C)``, or tensor ``(H, W)``, ``(C, H, W)`` or
            ``(B, C, H, W)``. Integers are divided by the largest value of their type; on the
            way back they are rounded and clipped.
        device: where to compute; by default that of a tensor, the CPU for an array.
        dtype: float32 or float64; by default float64 for float64 and for integers of 32 bits or
            more, else float32.

    Returns:
        The tensor; and a function that converts such a tensor to the type and layout of ``image``
        (several channels from a grey array ``(H, W)`` become ``(H, W, C)``).

    Raises:
        InputError: not an image, empty, or not finite.
        OptionError: another ``dtype``.
        UsageError: there is no such device.
    """
    array = isinstance(image, np.ndarray)
    if not array and not isinstance(image, Tensor):
        raise InputError(f"an image is a NumPy array or a tensor, not {type(image).__name__}")
    ndim = image.ndim
    if ndim not in ((2, 3) if array else (2, 3, 4)):
        shapes = "(H, W) or (H, W, C)" if array else "(H, W), (C, H, W) or (B, C, H, W)"
        raise InputError(f"an image has shape {shapes}, not {tuple(image.shape)}")
    if dtype not in (None, torch.float32, torch.float64):
        raise OptionError(f"dtype must be torch.float32 or torch.float64, not {dtype!r}")
    t, largest = _from_array(image) if array else _from_tensor(image)
    t = t.reshape(*([1] * (4 - ndim)), *t.shape)
    if t.numel() == 0:
        raise InputError(f"the image is empty: its shape is {tuple(image.shape)}")
    work = dtype or (torch.float64 if t.dtype == torch.float64 else torch.float32)
    place = t.device if device is None else open_device(str(device))
    top = 1.0 if largest is None else float(largest)
    t = t.to(device=place, dtype=work).contiguous() / top
    if not bool(torch.isfinite(t).all()):
        raise InputError("the image has values that are not finite (NaN or infinity)")

    def back(x: Tensor) -> Any:
        out = x
        if largest is not None:
            # the largest 64-bit integer rounds up as a float: take the float below it
            most = top if int(top) <= largest else math.nextafter(top, 0.0)
            out = ((x if largest < 1 << 16 else x.double()) * top).round().clamp(0, most)
        out = out[0] if ndim < 4 else out
        out = out[0] if ndim == 2 and out.shape[0] == 1 else out
        if not array:
            return out.to(dtype=image.dtype, device=image.device)
        out = out.permute(1, 2, 0) if out.ndim == 3 else out
        return out.detach().cpu().numpy().astype(image.dtype)

    return t, back


def rounding(image: Any) -> tuple[float, ...]:
    """Standard deviation of the rounding error of an image of integers, for [0, 1]; else empty."""
    largest = (_from_array(image) if isinstance(image, np.ndarray) else _from_tensor(image))[1]
    return () if largest is None else (1 / (math.sqrt(12) * largest),)


def _from_array(image: Any) -> tuple[Tensor, int | None]:
    """The tensor with channels first, and the largest value of an integer type."""
    if image.dtype.kind not in "uif":
        raise InputError(f"an image of type {image.dtype} cannot be restored; use numbers")
    if image.dtype.kind == "f":
        largest, type_ = None, image.dtype if image.dtype.itemsize in (4, 8) else np.float32
    else:
        largest = int(np.iinfo(image.dtype).max)
        type_ = np.float32 if image.dtype.itemsize < 4 else np.float64
    # torch needs native byte order
    native = np.dtype(type_).newbyteorder("=")
    t = torch.from_numpy(np.array(image, dtype=native, order="C"))
    return (t.permute(2, 0, 1) if image.ndim == 3 else t), largest


def _from_tensor(image: Tensor) -> tuple[Tensor, int | None]:
    """The tensor in floating point, and the largest value of an integer type."""
    if image.is_floating_point():
        return image, None
    if image.is_complex() or image.dtype == torch.bool:
        raise InputError(f"an image of type {image.dtype} cannot be restored; use reals")
    wide = torch.float64 if image.element_size() > 2 else torch.float32
    return image.to(wide), torch.iinfo(image.dtype).max
