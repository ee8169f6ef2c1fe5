"""Detection of impulses: values that say nothing about the clean data.

A detected value is left out of the data term. The prior fills it in from the others, as it fills
missing pixels (Chan, Ho, Nikolova, IEEE Trans. Image Process. 14(10), 2005).
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

_REACH = 7  # side of the window in which a region is recognised as saturated
_SATURATED = 0.6  # share of such a window that is equal to the value
_THRESHOLDS = (
    40 / 255,
    25 / 255,
    10 / 255,
    5 / 255,
)  # for centre weights 1, 3, 5, 7
_HIDDEN = 3.0  # multiple of the spread within which impulses are not detected
_SPREAD = 0.6  # multiple of the median absolute deviation that is added to them


def credible(y: Tensor, kind: str, holes: bool = False) -> Tensor:
    """True for values that are no impulses, shape of y.

    Salt and pepper are values at 0 or 1, dead ones at 0, except where most of the neighbourhood
    has the same value: there the picture is saturated. For random values see `distances`.

    Args:
        y: data ``(B, ...)``.
        kind: ``salt-pepper``, ``dead`` or ``random``.
        holes: some values are unknown, and 0 in y.
    """
    if kind == "random":
        away, allowed = distances(y, holes)
        return ~(away > allowed).any(-1)
    low = y <= 0
    high = y >= 1 if kind == "salt-pepper" else torch.zeros_like(low)
    same = torch.where(low, _share(low, y), _share(high, y))
    return ~(low | high) | (same > _SATURATED)


def distances(y: Tensor, holes: bool = False) -> tuple[Tensor, Tensor]:
    """Distances from centre-weighted medians, and what is allowed for each, ``(*y.shape, 4)``.

    The median of the neighbourhood in which the value itself counts 1, 3, 5 or 7 times; allowed is
    a constant plus 0.6 times the median absolute deviation of the neighbourhood, so that texture
    is spared (Chen and Wu, IEEE Signal Process. Lett. 8(1), 2001). With ``holes`` zeros are no
    neighbours: they may be unknown.
    """
    near = neighbours(y, (y != 0) if holes else None)
    middle = near.shape[-1] // 2
    value = y.reshape(near.shape[:-1])[..., None]
    others = torch.cat([near[..., :middle], near[..., middle + 1 :]], -1)
    others = torch.where(others.isnan(), value, others)
    every = torch.cat([others, value], -1)
    centre = every.median(-1, keepdim=True).values
    spread = (every - centre).abs().median(-1, keepdim=True).values
    away, allowed = [], []
    for k, threshold in enumerate(_THRESHOLDS):
        weighted = torch.cat([others, value.expand(*value.shape[:-1], 2 * k + 1)], -1)
        away.append((weighted.median(-1, keepdim=True).values - value).abs())
        allowed.append(threshold + _SPREAD * spread)
    shape = (*y.shape, len(_THRESHOLDS))
    return torch.cat(away, -1).reshape(shape), torch.cat(allowed, -1).reshape(shape)


def hidden(y: Tensor, holes: bool = False) -> Tensor:
    """How far from the truth a random impulse may be without being detected, shape of y.

    That is the smallest threshold and 3 times the spread of the neighbourhood, which is what
    impulses in photographs show.
    """
    least = distances(y, holes)[1].amin(-1)
    return least + (_HIDDEN - _SPREAD) * (least - _THRESHOLDS[-1]) / _SPREAD


def neighbours(y: Tensor, known: Tensor | None) -> Tensor:
    """The neighbourhood of each value, itself included, on a new last axis; NaN where unknown.

    Neighbourhoods are 3 x 3 for pictures, and 5 values in a row for other data.
    """
    picture = _picture(y)
    if known is not None:
        nan = torch.full((), torch.nan, dtype=y.dtype, device=y.device)
        picture = torch.where(known.expand_as(y).reshape(picture.shape), picture, nan)
    rows, columns = (3, 3) if picture.shape[-2] > 1 else (1, 5)
    border = (columns // 2, columns // 2, rows // 2, rows // 2)
    padded = functional.pad(picture, border, value=torch.nan)
    return padded.unfold(-2, rows, 1).unfold(-2, columns, 1).flatten(-2)


def _picture(y: Tensor) -> Tensor:
    """y as pictures ``(B, C, H, W)``; other data are one row."""
    return y if y.ndim == 4 else y.reshape(y.shape[0], 1, 1, -1)


def _share(mask: Tensor, y: Tensor) -> Tensor:
    """The share of the neighbourhood of each value where the mask is true, shape of y."""
    picture = _picture(mask.to(y.dtype))
    size = [min(_REACH, n if n % 2 else n - 1) for n in picture.shape[-2:]]
    pad = [n // 2 for n in size]
    found = functional.avg_pool2d(picture, size, 1, pad, count_include_pad=False)
    return found.reshape(y.shape)
