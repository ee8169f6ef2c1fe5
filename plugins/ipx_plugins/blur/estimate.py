"""An unknown PSF, found from the blurred picture: its width, or all of it."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from ipx import Estimate, InputError
from ipx_plugins.blur import BlurOptions
from ipx_plugins.blur.blind import Array, free_psf, likeness
from ipx_plugins.blur.refine import error, refined
from ipx_plugins.blur.width import width

UNSURE = 0.15
"""Relative standard deviation of a width beyond which the data do not decide it."""

ALIKE = 0.75
"""Correlation of the PSFs of two halves of a picture below which the data do not decide it."""

SIDE = 512
"""Side of the middle of a large picture in which a free PSF is sought."""


def estimate(y: Tensor, options: BlurOptions) -> Estimate:
    """The PSF of the data ``(1, C, H, W)``.

    Returns:
        The width for kinds gaussian, disk and airy; else ``taps`` and their ``error``, with the
        PSF as the output ``psf``, its maximum 1. A remark says what was found, and whether the data
        decide it.

    Raises:
        InputError: the data are constant, too small, or a volume.
    """
    if y.ndim == 5:
        raise InputError(
            "kernel auto takes pictures, not volumes; give the PSF (--op.kernel FILE), take "
            "operator microscope, or restore plane by plane (axes TYX)"
        )
    data = y[0].double().cpu().numpy()
    return _width(data, options) if options.width else _free(data, options)


def _width(data: Array, options: BlurOptions) -> Estimate:
    name = options.width
    found = width(data, options, name)
    value = float(f"{found.value:.3g}")
    remarks = [
        f"blur {name} {value:g} pixels found in the data, give or take {found.error:.2g}, if the "
        f"PSF is of kind {options.kind}: other kinds are not tried (--op.kind)"
    ]
    if found.at_end or found.error > UNSURE * found.value:
        remarks.append(
            f"the data do not decide the {name} of the blur: give --op.{name} if you know it"
        )
    return Estimate({"kernel": None, name: value}, tuple(remarks))


def _free(data: Array, options: BlurOptions) -> Estimate:
    grey, contrast = _normalised(data.mean(0))
    support = options.support + 1 - options.support % 2
    height, width_ = grey.shape
    if min(height, width_) < 3 * support:
        raise InputError(
            f"a PSF of {support} pixels cannot be found in data of {height} x {width_}; give "
            f"--op.support {max(5, min(height, width_) // 3)} or less, or --op.kernel FILE"
        )
    top, left = (max(0, (n - SIDE) // 2) for n in grey.shape)
    grey = grey[top : top + SIDE, left : left + SIDE]
    psf = refined(grey, free_psf(grey, support))
    taps = tuple(float(f"{v:.6g}") for v in psf.ravel())
    first, second = (refined(part, free_psf(part, support)) for part in _halves(grey))
    # were the errors of the halves independent, the whole would have half of their difference
    wrong = float(f"{0.5 * contrast * error(first, second, grey):.3g}")
    alike = likeness(first, second)
    share = float((psf > 0.05 * psf.max()).sum())
    remarks = [
        f"a PSF of {share:.0f} pixels found in the data, which it explains up to {wrong:.2g}; "
        f"those of its halves agree to {alike:.0%}"
    ]
    if alike < ALIKE:
        remarks.append(
            "the data do not decide the PSF: compare with the input, give --op.support, or a "
            "measured PSF with --op.kernel"
        )
    picture = torch.from_numpy(psf / psf.max())[None, None].float()
    options_found = {"kernel": None, "kind": "file", "taps": taps, "error": wrong}
    return Estimate(options_found, tuple(remarks), {"psf": picture})


def _halves(grey: Array) -> list[Array]:
    """The two halves, cut across the longer side."""
    return np.array_split(grey, 2, 0 if grey.shape[0] >= grey.shape[1] else 1)


def _normalised(grey: Array) -> tuple[Array, float]:
    """The data in [0, 1], and what they were divided by.

    Raises:
        InputError: they are constant.
    """
    low, high = np.percentile(grey, [0.5, 99.5])
    if not high > low:
        raise InputError("a PSF cannot be found in data without detail; give it")
    return np.asarray((grey - low) / (high - low)), float(high - low)
