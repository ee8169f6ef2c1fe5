"""Functions of one line, for those who know scikit-image: an array in, such an array out."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch

from ipx.declare.capabilities import Shape
from ipx.errors import InputError
from ipx.files.arrays import to_tensor
from ipx.parts.functions import Known
from ipx.planning.tree import Description
from ipx.solving.degrade import Image
from ipx.solving.restore import restore


def _gaussian(sigma: float | None) -> Description:
    """Gaussian noise of this level; estimated if None."""
    return "gaussian" if sigma is None else {"name": "gaussian", "sigma": sigma}


def denoise_bm3d(image: Image, sigma: float | None = None, **how: Any) -> Image:
    """Remove Gaussian noise by block matching and 3-D filtering.

    Args:
        image: an image as in `ipx.solve`: NumPy ``(H, W)`` or ``(H, W, C)``, or a tensor.
        sigma: standard deviation of the noise for images in [0, 1]; estimated if None.
        **how: further arguments of `ipx.solve`.

    Returns:
        The image without noise, of the type and layout of ``image``.
    """
    return restore(image, noise=_gaussian(sigma), prior="bm3d", **how)


def denoise_tv(
    image: Image, sigma: float | None = None, lam: float | str = "auto", **how: Any
) -> Image:
    """Remove Gaussian noise by total variation: argmin 1/2 |x - y|^2 + lam |Dx|.

    Args:
        image: see `denoise_bm3d`.
        sigma: standard deviation of the noise for images in [0, 1]; estimated if None.
        lam: weight of the total variation; found from the noise by default.
        **how: further arguments of `ipx.solve`.
    """
    return restore(image, noise=_gaussian(sigma), prior="tv", lam=lam, **how)


def deconvolve(
    image: Image,
    psf: Any,
    sigma: float | None = None,
    prior: Description = "tv",
    boundary: str = "unknown",
    **how: Any,
) -> Image:
    """Remove a blur of known PSF.

    Args:
        image: see `denoise_bm3d`.
        psf: the point-spread function, an array ``(h, w)`` around its middle pixel
            ``(h // 2, w // 2)``; it is divided by its sum.
        sigma: standard deviation of the noise for images in [0, 1]; estimated if None.
        prior: a prior, see `ipx.solve`.
        boundary: what is beyond the border, an option of the operator ``blur``.
        **how: further arguments of `ipx.solve`.

    Raises:
        InputError: the PSF is no array of two axes with finite values.
    """
    taps = np.asarray(psf, dtype=np.float64)
    if taps.ndim != 2 or not taps.size or not np.isfinite(taps).all():
        raise InputError(f"psf must be an array (h, w) of finite values, not of {taps.shape}")
    side = max(taps.shape)
    side += 1 - side % 2
    square = np.zeros((side, side))
    top, left = (side // 2 - n // 2 for n in taps.shape)
    square[top : top + taps.shape[0], left : left + taps.shape[1]] = taps
    blur = {"name": "blur", "taps": tuple(square.ravel().tolist()), "boundary": boundary}
    return restore(image, op=blur, noise=_gaussian(sigma), prior=prior, **how)


def inpaint(
    image: Image, mask: Any, sigma: float = 0.0, prior: Description = "tv", **how: Any
) -> Image:
    """Fill in missing pixels.

    Args:
        image: see `denoise_bm3d`; the values of missing pixels have no effect.
        mask: array ``(H, W)``, true or nonzero where pixels are missing, as in scikit-image.
        sigma: standard deviation of the noise of the other pixels, for images in [0, 1].
        prior: a prior, see `ipx.solve`.
        **how: further arguments of `ipx.solve`.

    Raises:
        ShapeError: the mask does not fit the image, or leaves nothing known.
    """
    missing = torch.as_tensor(np.asarray(mask) != 0)
    data = image
    if isinstance(image, np.ndarray) and image.ndim >= 2 and image.shape[:2] == missing.shape:
        data = np.where(missing.numpy()[(..., *[None] * (image.ndim - 2))], 0, image)
        data = data.astype(image.dtype)  # a NaN is how some mark missing pixels
    shape: Shape = tuple(to_tensor(data, axes=how.get("axes"))[0].shape[1:])
    known = Known(~missing, shape)
    return restore(data, op=known, noise=_gaussian(sigma), prior=prior, **how)
