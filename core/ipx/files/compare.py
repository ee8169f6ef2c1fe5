"""PSNR of images of any type."""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ipx.files.arrays import check_channels, to_tensor
from ipx.numerics import metrics


def psnr(x: Any, ref: Any, clip: bool = True, axes: str | None = None) -> Tensor:
    """Peak signal-to-noise ratio in dB of images of any type, see `ipx.numerics.metrics.psnr`.

    >>> import ipx
    >>> float(ipx.psnr([[0.0, 1.0]], [[0.0, 0.9]]))  # doctest: +ELLIPSIS
    23.01...

    Args:
        x: tensors ``(B, C, H, W)`` or ``(B, C, D, H, W)``, or one image as for `ipx.solve`: array,
            list, Pillow image; integers in their range.
        ref: the truth, of the same size.
        clip: clip both to [0, 1] first.
        axes: of both, see `ipx.solve`.

    Returns:
        ``(B,)`` float64; infinite for equal images, NaN where a tensor has NaN.

    Raises:
        InputError: not an image, or a stack without ``axes``.
        ShapeError: the shapes differ.
    """
    return metrics.psnr(_batch(x, axes), _batch(ref, axes), clip)


def _batch(image: Any, axes: str | None) -> Tensor:
    if isinstance(image, Tensor) and image.ndim > 3 and image.is_floating_point() and axes is None:
        return image
    batch = to_tensor(image, axes=axes)[0]
    if axes is None:
        check_channels(image, batch.shape[1])
    return batch
