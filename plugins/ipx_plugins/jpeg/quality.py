"""The quality of a picture that was compressed, from its pixels, and of a table."""

from __future__ import annotations

import torch
from torch import Tensor

from ipx import InputError
from ipx_plugins.jpeg.transform import blocks, steps

_GRID = (
    0.1  # median distance from multiples of the steps, in steps, of a picture that was compressed
)
_WIDE, _FEW = 2.5 / 255, 4  # steps and number of coefficients that tell the quality
_NEAR = 1.5  # times the least distance from a grid: finer grids fit as well


def quality_of(luma: Tensor) -> int:
    """The lowest quality whose steps fit ``(1, 1, H, W)``, grey at 0.

    Raises:
        InputError: there is none.
    """
    rows, columns = (n - n % 8 for n in luma.shape[-2:])
    coefficients = blocks(luma.detach()[..., :rows, :columns])
    if float(coefficients.abs().max()) < 0.5 / 255:
        return 100  # grey all over, which is on every grid
    fits: list[tuple[int, float]] = []
    for quality in range(1, 97):
        step = steps(quality, False).to(luma).expand_as(coefficients)
        levels = coefficients / step
        off = (levels - levels.round()).abs()
        told = (levels.abs() > 0.5) & (step > _WIDE)  # zeros are multiples of everything
        if int(told.sum()) >= _FEW and float(off[told].median()) < _GRID:
            fits.append((quality, float((off * step)[told].median())))
    if fits:
        least = min(away for _, away in fits)
        return next(quality for quality, away in fits if away <= _NEAR * least)
    raise InputError(
        "the JPEG quality cannot be estimated: the coefficients of 8 x 8 pixels are on no grid, as "
        "of a picture that was cut or resized; give the JPEG file, or noise jpeg the quality"
    )


def nearest(table: tuple[tuple[float, ...], ...]) -> int:
    """The quality whose steps of luma are nearest to the table ``(8, 8)``, for [0, 1]."""
    told = torch.tensor(table, dtype=torch.float64)
    away = [float((steps(q, False) / told).log().abs().mean()) for q in range(1, 101)]
    return 1 + min(range(100), key=away.__getitem__)
