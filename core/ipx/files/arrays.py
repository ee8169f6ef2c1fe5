"""Images as arrays or tensors, converted to the tensors of solvers and back."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ipx.errors import InputError, OptionError
from ipx.files.format import Array
from ipx.numerics.devices import open_device

Back = Callable[[Tensor], Any]


AXES = "BCDHW"
"""Batch, channels, depth, rows, columns; only volumes have a depth."""

NAMED = str.maketrans("TSZYX", "BCDHW")
"""The letters of microscopes (time, samples, z, y, x) to those of `AXES`."""

MOST_CHANNELS = 4
"""More channels than this in three axes need a word: they may be a stack of images."""

_USUAL = {True: {2: "HW", 3: "HWC"}, False: {2: "HW", 3: "CHW", 4: "BCHW", 5: "BCDHW"}}
"""The axes of arrays (True) and tensors by their number."""


def to_tensor(
    image: Any,
    device: torch.device | str | None = None,
    dtype: torch.dtype | None = None,
    axes: str | None = None,
    samples: str | None = None,
) -> tuple[Tensor, Back]:
    """An image as ``(B, C, H, W)`` in floating point, and the inverse conversion.

    Args:
        image: NumPy ``(H, W)`` or ``(H, W, C)``, or tensor ``(H, W)``, ``(C, H, W)``,
            ``(B, C, H, W)`` or ``(B, C, D, H, W)``; nested lists and Pillow images count as
            arrays, a list of images as a batch. Integers are divided by the largest value of their
            type; on the way back they are rounded and clipped.
        device: where to compute; by default that of a tensor, the CPU for an array.
        dtype: float32 or float64; by default float64 for float64 and for integers of 32 bits or
            more, else float32.
        axes: the meaning of the axes in other cases, such as ``"BHW"`` for a stack of grey
            images, ``"DHW"`` for a volume: letters of ``BCDHW`` in any order, or of ``TCZYX``.
        samples: another type of the image on the way back, such as ``"uint8"``.

    Returns:
        The tensor, ``(B, C, D, H, W)`` if there is a depth; and a function that converts such a
        tensor to the type and layout of ``image``
        (several channels from a grey array ``(H, W)`` become ``(H, W, C)``).

    Raises:
        InputError: not an image, empty, or not finite.
        OptionError: another ``dtype``, or ``axes`` that do not fit.
        UsageError: there is no such device.
    """
    image, meant = plain(image)
    order = _order(image, axes or meant)
    array = isinstance(image, np.ndarray)
    if dtype not in (None, torch.float32, torch.float64):
        raise OptionError(f"dtype must be torch.float32 or torch.float64, not {dtype!r}")
    t, largest = _from_array(image) if array else _from_tensor(image)
    if t.numel() == 0:
        raise InputError(f"the image is empty: its shape is {tuple(image.shape)}")
    t = t.permute([order.index(a) for a in AXES if a in order])
    for position in (i for i, a in enumerate("BC") if a not in order):
        t = t.unsqueeze(position)
    work = dtype or (torch.float64 if t.dtype == torch.float64 else torch.float32)
    place = t.device if device is None else open_device(str(device))
    top = 1.0 if largest is None else float(largest)
    t = t.to(device=place, dtype=work).contiguous() / top
    if not bool(torch.isfinite(t).all()):
        raise InputError("the image has values that are not finite (NaN or infinity)")

    def back(x: Tensor) -> Any:
        most = largest if samples is None else int(np.iinfo(samples).max)
        out = _arranged(x if most is None else _whole(x, most), order, channels_last=array)
        if not array:
            kind = image.dtype if samples is None else getattr(torch, samples)
            return out.to(dtype=kind, device=image.device)
        return out.detach().cpu().numpy().astype(samples or image.dtype)

    return t, back


def rounding(image: Any) -> tuple[float, ...]:
    """Standard deviation of the rounding error of an image of integers, for [0, 1]; else empty."""
    dtype = plain(image)[0].dtype
    if isinstance(dtype, torch.dtype):
        whole = not (dtype.is_floating_point or dtype.is_complex or dtype == torch.bool)
        largest = torch.iinfo(dtype).max if whole else None
    else:
        largest = int(np.iinfo(dtype).max) if dtype.kind in "ui" else None
    return () if largest is None else (1 / (math.sqrt(12) * largest),)


def _whole(x: Tensor, largest: int) -> Tensor:
    """Whole numbers up to the largest value of an integer type, which stands for 1."""
    top = float(largest)
    # the largest 64-bit integer rounds up as a float: take the float below it
    most = top if int(top) <= largest else math.nextafter(top, 0.0)
    return ((x if largest < 1 << 16 else x.double()) * top).round().clamp(0, most)


def batch_of(value: Any, shape: tuple[int, ...]) -> Tensor:
    """Data as a tensor ``(B, *shape)``: tensors as they are, arrays and images converted.

    Args:
        value: a tensor; an array ``(B, *shape)`` or ``shape``; or an image, see `to_tensor`.
        shape: ``(C, H, W)``, or another of flat data.

    Raises:
        InputError: it is no image.
    """
    if isinstance(value, Tensor):
        return value
    array, axes = plain(value)
    if axes is None and isinstance(array, np.ndarray):
        whole, one = array.shape[1:] == shape, array.shape == shape
        if len(shape) == 4 and (whole or one):
            axes = "BCDHW" if whole else "CDHW"
        elif len(shape) == 3 and (whole or (one and array.shape[:2] != shape[1:])):
            axes = "BCHW" if whole else "CHW"
        elif whole or one:
            t = _from_array(array)[0]
            return t if whole else t[None]
    return to_tensor(array, axes=axes)[0]


def plain(image: Any) -> tuple[Any, str | None]:
    """An image as array or tensor, and the axes of a list of images; see `to_tensor`.

    Raises:
        InputError: it is neither an image nor a list of images of one shape.
    """
    if isinstance(image, np.ndarray | Tensor):
        return image, None
    if hasattr(image, "getbands") and hasattr(image, "mode"):
        return _from_pillow(image), None
    if not isinstance(image, list | tuple):
        raise InputError(
            "an image is an array or a tensor, a Pillow image or a list, not "
            f"{type(image).__name__}"
        )
    several = bool(image) and all(hasattr(i, "ndim") or hasattr(i, "getbands") for i in image)
    try:
        array = np.asarray([_array(i) for i in image] if several else image)
    except ValueError:  # rows or images of different shapes
        array = np.asarray(None)
    if array.dtype == object:
        raise InputError("a list of numbers, or of images, has rows, or images, of one shape")
    if not several or array.ndim not in (3, 4):
        return array, None
    return array, "B" + _USUAL[not isinstance(image[0], Tensor)][array.ndim - 1]


def _array(image: Any) -> Array:
    found = plain(image)[0]
    return found.detach().cpu().numpy() if isinstance(found, Tensor) else found


def _from_pillow(image: Any) -> Array:
    if image.mode == "P" or image.mode == "1":
        image = image.convert("RGB" if image.mode == "P" else "L")
    if image.mode not in ("L", "RGB", "F", "I", "I;16"):
        raise InputError(f"a Pillow image of mode {image.mode}: convert it to RGB or L first")
    return np.asarray(image, dtype=np.uint16 if image.mode.startswith("I;") else None)


def _order(image: Any, axes: str | None) -> str:
    """The axes of an image, as given or usual."""
    array = isinstance(image, np.ndarray)
    shape = tuple(image.shape)
    if axes is None:
        if image.ndim not in _USUAL[array]:
            shapes = "(H, W) or (H, W, C)" if array else "(H, W), (C, H, W) or (B, C, H, W)"
            raise InputError(f"an image has shape {shapes}, not {shape}; else say axes='BCHW'")
        return _USUAL[array][image.ndim]
    axes = axes.translate(NAMED)
    if not set("HW") <= set(axes) <= set(AXES) or len(set(axes)) != len(axes):
        raise OptionError(
            f"axes are H, W and perhaps B, C and D, or Y, X and perhaps T, C and Z, in any order, "
            f"not {axes!r}"
        )
    if len(axes) != len(shape):
        raise OptionError(f"axes {axes} name {len(axes)} axes, the image has shape {shape}")
    return axes


def _arranged(x: Tensor, order: str, channels_last: bool) -> Tensor:
    """``(B, C, H, W)`` in the axes of an image; several channels of a grey one get an axis."""
    names = AXES if x.ndim == 5 else AXES.replace("D", "")
    if "B" not in order:
        x, names = x[0], names.replace("B", "")
    if "C" not in order and x.shape[names.index("C")] == 1:
        x, names = x.squeeze(names.index("C")), names.replace("C", "")
    elif "C" not in order:
        order = f"{order}C" if channels_last else order.replace("H", "CH")
    return x.permute([names.index(a) for a in order])


def check_channels(image: Any, channels: int) -> None:
    """Refuse an image of three axes that may as well be a stack of images.

    Args:
        image: as given, without a word on its axes.
        channels: that images of this shape have.

    Raises:
        InputError: these are more than `MOST_CHANNELS`.
    """
    if getattr(image, "ndim", 0) == 3 and channels > MOST_CHANNELS:
        usual = _USUAL[isinstance(image, np.ndarray)][3]
        raise InputError(
            f"an image of shape {tuple(image.shape)} has {channels} channels, or is a stack of "
            f"images: say axes='{usual}' for channels, axes='BHW' for a stack of grey images, "
            "axes='DHW' for a volume"
        )


def _from_array(image: Any) -> tuple[Tensor, int | None]:
    """The tensor, and the largest value of an integer type."""
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
    return t, largest


def _from_tensor(image: Tensor) -> tuple[Tensor, int | None]:
    """The tensor in floating point, and the largest value of an integer type."""
    if image.is_floating_point():
        return image, None
    if image.is_complex() or image.dtype == torch.bool:
        raise InputError(f"an image of type {image.dtype} cannot be restored; use reals")
    wide = torch.float64 if image.element_size() > 2 else torch.float32
    return image.to(wide), torch.iinfo(image.dtype).max
