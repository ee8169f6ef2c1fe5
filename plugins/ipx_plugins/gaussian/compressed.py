"""Traces of JPEG compression in an image that is stored without loss, as in a crop or a screenshot.

Its coefficients of the 8 x 8 cosine transform are multiples of the steps of quantisation, up to the
rounding of pixels, where the blocks are those of the compression (Fan, de Queiroz, IEEE TIP 12(2),
2003). Most of the high ones are zero there, and at no other position of the blocks.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

from ipx import squares
from ipx.toolkit import dct_matrix

SIDE = 8
"""Of a block."""

NEAR = 1.0
"""Size of a coefficient that is zero but for rounding, whose deviation is 0.29, in its steps."""

ODDS = 1.4
"""How much the odds of zero are larger than at the second best position of the blocks.

Of crops of 128 x 128 pixels of eight images, sharp, noisy or blurred, 124 of 128 are found after
JPEG of quality 30 to 95 (not at 95 after a strong blur), and none of 30 without compression.
"""

CHANCE = 5.0
"""Standard deviations of a share of zeros by which it has to be larger."""

FEW, SOME = 3, 6
"""Coefficients that tell a step, and steps above 1 that tell of compression."""

MULTIPLES, WITHIN = 0.9, 0.3
"""Share of the coefficients that are multiples of their step, and how nearly, in steps."""

LARGEST = 255
"""The largest step."""

BANDS = (range(4, 8), range(2, 4), range(1, 2))
"""Frequencies in each octave, the finest first."""

PART = 128
"""Side in pixels of the four parts of a large image that are looked at."""


def past_errors(y: Tensor, rounding: float) -> tuple[float, ...] | None:
    """Standard deviation of the errors of an earlier compression in octave 1 (the finest), 2, 3.

    None if there is no trace of one. Where all coefficients of a frequency are zero, its step is
    at least that of the lower frequencies, which is taken.

    Args:
        y: an image ``(1, C, H, W)``, grey or RGB.
        rounding: standard deviation of the rounding of its values to 8 bits.
    """
    unit = rounding * math.sqrt(12)
    if unit <= 0 or y.shape[1] not in (1, 3):
        return None
    pixels = squares(y, PART, 2, SIDE)[0] / unit
    if float((pixels - pixels.round()).abs().amax()) > 0.01 or not 0.1 < pixels.amax() < 255.5:
        return None
    weights = pixels.new_tensor((0.299, 0.587, 0.114) if len(pixels) == 3 else (1.0,))
    luma = torch.einsum("c,chw->hw", weights, pixels)
    inner = ((pixels > 0.5) & (pixels < 254.5)).all(0)  # decoders cut off what is outside
    found = _aligned(luma, inner)
    if found is None:
        return None
    steps = _steps(found)
    if int((steps > 1).sum()) < SOME:
        return None
    highest = torch.maximum(*torch.meshgrid(torch.arange(SIDE), torch.arange(SIDE), indexing="ij"))
    filled = steps.cummax(0).values.cummax(1).values
    steps = torch.where(steps > 0, steps, filled).clamp_min(1.0)
    bands = [torch.isin(highest, torch.tensor(list(band))) for band in BANDS]
    return tuple(float(steps[band].square().mean().sqrt()) * rounding for band in bands)


def _aligned(luma: Tensor, inner: Tensor) -> Tensor | None:
    """Coefficients ``(blocks, 8, 8)`` of the blocks of the compression; None without."""
    places = [(i, j) for i in range(SIDE) for j in range(SIDE)]
    every = [_coefficients(luma, inner, *place) for place in places]
    high = torch.arange(SIDE)[:, None] + torch.arange(SIDE) >= SIDE // 2
    count = min(len(c) for c in every)
    if count < 1:
        return None
    zeros = torch.stack([(c[:, high].abs() < NEAR).double().mean() for c in every])
    (first, second), order = zeros.topk(2)
    deviation = math.sqrt(max(float(second * (1 - second)), 1e-9) / (count * int(high.sum())))
    tiny = 1e-9
    odds = first / (1 - first).clamp_min(tiny) / (second / (1 - second).clamp_min(tiny))
    if float(first - second) < CHANCE * deviation or float(odds) < ODDS:
        return None
    return every[int(order[0])]


def _coefficients(luma: Tensor, inner: Tensor, top: int, left: int) -> Tensor:
    """The orthonormal transform of the blocks from a row and a column on, without cut values."""
    height, width = ((n - at) // SIDE * SIDE for n, at in zip(luma.shape, (top, left), strict=True))
    if min(height, width) < SIDE:
        return luma.new_empty(0, SIDE, SIDE)
    here = (slice(top, top + height), slice(left, left + width))
    cut = (height // SIDE, SIDE, width // SIDE, SIDE)
    blocks = luma[here].reshape(cut).transpose(1, 2).reshape(-1, SIDE, SIDE)
    whole = inner[here].reshape(cut).transpose(1, 2).flatten(2).all(-1).flatten()
    matrix = dct_matrix(SIDE, luma.dtype, luma.device)
    return matrix @ blocks[whole] @ matrix.T


def _steps(coefficients: Tensor) -> Tensor:
    """The largest step of which each frequency has multiples, ``(8, 8)``; 0 if it is unknown."""
    found = coefficients.new_zeros(SIDE, SIDE)
    candidates = torch.arange(2, LARGEST + 1).to(coefficients)[:, None]
    margin = (WITHIN * candidates).clamp_max(NEAR)
    for i in range(SIDE):
        for j in range(SIDE):
            values = coefficients[:, i, j]
            values = values[values.abs() > NEAR]
            if len(values) < FEW:
                continue
            rest = values - candidates * (values / candidates).round()
            fits = (rest.abs() < margin).double().mean(1) >= MULTIPLES
            found[i, j] = candidates[fits].amax() if bool(fits.any()) else 1.0
    return found
