"""Texture synthesis by quilting (Efros, Freeman, SIGGRAPH 2001).

Square patches of the example are laid row by row. A patch is drawn among those that agree best
with what it overlaps, and is cut along the path where the two differ least. Distances to all
places of the example are computed by Fourier transforms.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ipx import ShapeError, irfft2

_FLOOR = 1e-6  # squared distances below it are rounding


@dataclass(frozen=True)
class Guide:
    """What a patch shall agree with besides what it overlaps (section 4, texture transfer).

    Attributes:
        example: map of the example, ``(1, h, w)``.
        wanted: map of the result, ``(1, H, W)``.
        weight: share of the overlap in the distance, the paper's alpha.
        before: result of an earlier pass, ``(C, H, W)``; None in the first.
    """

    example: Tensor
    wanted: Tensor
    weight: float
    before: Tensor | None = None


class _Search:
    """Squared distances of a patch to every place of a picture ``(C, h, w)``."""

    def __init__(self, picture: Tensor, side: int) -> None:
        self.side, self.size = side, (picture.shape[1], picture.shape[2])
        self.spectrum = torch.fft.rfft2(picture.double())
        self.squares = torch.fft.rfft2(picture.double().square())

    def distances(self, patch: Tensor, mask: Tensor) -> Tensor:
        """sum mask (s - patch)^2, ``(h - side + 1, w - side + 1)``."""
        patch, mask = patch.double(), mask.double()
        shape = self.size
        known = torch.fft.rfft2(mask, s=shape).conj() * self.squares
        cross = torch.fft.rfft2(mask * patch, s=shape).conj() * self.spectrum
        found = irfft2((known - 2 * cross).sum(0), shape)
        valid = found[: shape[0] - self.side + 1, : shape[1] - self.side + 1]
        return (valid + (mask * patch.square()).sum()).clamp_min(0)


def quilted(
    example: Tensor,
    size: tuple[int, int],
    side: int,
    tolerance: float,
    rng: torch.Generator,
    guide: Guide | None = None,
) -> Tensor:
    """A texture like the example.

    Args:
        example: ``(C, h, w)``.
        size: height and width of the result.
        side: of the patches; they overlap by a sixth, two pixels at least.
        tolerance: how much worse than the best a patch may be, as a share.
        rng: source of the random numbers.
        guide: see `Guide`.

    Returns:
        ``(C, *size)``.

    Raises:
        ShapeError: the example is smaller than a patch.
    """
    if min(example.shape[1:]) < side:
        raise ShapeError(
            f"the example has {example.shape[1]} x {example.shape[2]} pixels; take patches smaller "
            f"than {side} x {side}"
        )
    overlap = max(2, side // 6)
    step = side - overlap
    whole = [step * max(1, -(-(n - overlap) // step)) + overlap for n in size]
    x = example.new_zeros(len(example), *whole)
    wanted = None if guide is None else _extended(guide, whole)
    search = _Search(example, side)
    by_map = None if guide is None else _Search(guide.example, side)
    for top in range(0, whole[0] - overlap, step):
        for left in range(0, whole[1] - overlap, step):
            spot = (slice(top, top + side), slice(left, left + side))
            mask = torch.zeros(side, side)
            mask[: overlap if top else 0] = 1
            mask[:, : overlap if left else 0] = 1
            here = x[:, spot[0], spot[1]]
            score = search.distances(here, mask[None])
            if wanted is not None and by_map is not None:
                score = _guided(score, search, by_map, wanted, spot)
            patch = _drawn(example, score, side, tolerance, rng)
            error = (patch - here).square().sum(0)
            kept = _seam(error, overlap, bool(top), bool(left))
            x[:, spot[0], spot[1]] = torch.where(kept, here, patch)
    return x[:, : size[0], : size[1]]


def _extended(guide: Guide, whole: list[int]) -> Guide:
    """The guide for the size of whole patches, its border repeated."""

    def wide(x: Tensor) -> Tensor:
        rows = torch.arange(whole[0]).clamp_max(x.shape[1] - 1)
        columns = torch.arange(whole[1]).clamp_max(x.shape[2] - 1)
        return x[:, rows][:, :, columns]

    before = None if guide.before is None else wide(guide.before)
    return Guide(guide.example, wide(guide.wanted), guide.weight, before)


def _guided(
    score: Tensor, search: _Search, by_map: _Search, guide: Guide, spot: tuple[slice, slice]
) -> Tensor:
    """The distances with those of the maps, and those to an earlier pass."""
    ones = torch.ones(1, search.side, search.side)
    if guide.before is not None:
        score = score + search.distances(guide.before[:, spot[0], spot[1]], ones)
    maps = by_map.distances(guide.wanted[:, spot[0], spot[1]], ones)
    return guide.weight * score + (1 - guide.weight) * maps


def _drawn(
    example: Tensor, score: Tensor, side: int, tolerance: float, rng: torch.Generator
) -> Tensor:
    """A patch among those at most a share ``tolerance`` worse than the best."""
    good = (score <= (1 + tolerance) * score.min().clamp_min(_FLOOR)).nonzero()
    row, column = good[int(torch.randint(len(good), (), generator=rng))].tolist()
    return example[:, row : row + side, column : column + side]


def _seam(error: Tensor, overlap: int, above: bool, left: bool) -> Tensor:
    """True where what is there stays: up to the cut of least error, ``(side, side)``."""
    kept = torch.zeros(error.shape, dtype=torch.bool)
    if left:
        cut = _path(error[:, :overlap])
        kept[:, :overlap] |= torch.arange(overlap) < cut[:, None]
    if above:
        cut = _path(error[:overlap].T)
        kept[:overlap] |= (torch.arange(overlap) < cut[:, None]).T
    return kept


def _path(error: Tensor) -> Tensor:
    """Column of the cheapest path from the first row to the last, for each row."""
    cost = [error[0]]
    infinite = error.new_full((1,), torch.inf)
    for row in error[1:]:
        before = cost[-1]
        left, right = torch.cat([infinite, before[:-1]]), torch.cat([before[1:], infinite])
        cost.append(row + torch.minimum(before, torch.minimum(left, right)))
    at = int(cost[-1].argmin())
    path = [at]
    for row in reversed(cost[:-1]):
        low = max(0, at - 1)
        at = low + int(row[low : at + 2].argmin())
        path.append(at)
    return torch.tensor(path[::-1])
