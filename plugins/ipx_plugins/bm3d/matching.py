"""Block matching: for each reference block the most similar ones around it.

|a - b|^2 = |a|^2 + |b|^2 - 2 <a, b>. The reference blocks of a tile look into one common window, so
that all inner products of the tile are one matrix product; each reference then keeps the part of
it that is its own window. Fewer multiplications (shift by shift, with box sums) take longer.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ipx_plugins.bm3d.profiles import Stage

_BUDGET = {"cpu": 1 << 22, "cuda": 1 << 28}  # distances held at a time: caches against launches


@dataclass(frozen=True)
class Grid:
    """Where the blocks of a padded image lie.

    Attributes:
        rows, cols: how many reference blocks there are, down and across.
        height, width: how many positions a block can have, down and across.
    """

    rows: int
    cols: int
    height: int
    width: int

    @staticmethod
    def of(height: int, width: int, stage: Stage) -> Grid:
        """For an image of this size, mirrored until its last reference block fits."""
        rows, cols = (-(-max(n - stage.block, 0) // stage.step) + 1 for n in (height, width))
        return Grid(rows, cols, (rows - 1) * stage.step + 1, (cols - 1) * stage.step + 1)


@dataclass(frozen=True)
class Groups:
    """What belongs together: reference blocks are numbered row by row, as are positions.

    Attributes:
        grid: which positions.
        index: ``(rows * cols, group)`` positions, nearest first, the reference block itself at 0.
        size: ``(rows * cols,)`` how many of them count, a power of two.
    """

    grid: Grid
    index: Tensor
    size: Tensor


def mirror(x: Tensor, grid: Grid, block: int) -> Tensor:
    """``(C, h, w)`` continued by mirror images below and to the right until the grid fits."""
    for axis, length in ((-2, grid.height + block - 1), (-1, grid.width + block - 1)):
        n = x.shape[axis]
        if length > n:
            k = torch.arange(length, device=x.device) % (2 * n)
            x = x.index_select(axis, torch.minimum(k, 2 * n - 1 - k))
    return x


def match(image: Tensor, grid: Grid, stage: Stage, sigma: Tensor) -> Groups:
    """Match the blocks of a padded image ``(h, w)``; ``sigma`` of its noise, ``(1 or groups,)``."""
    b, s, r = stage.block, stage.step, stage.radius
    tile = max(1, 24 // s)  # reference blocks along the side of a tile
    down, across = -(-grid.rows // tile), -(-grid.cols // tile)
    window = (tile - 1) * s + 2 * r + 1  # positions along the side of its window
    hop = tile * s
    # the mean costs digits: distances do not depend on it, the three terms do
    image = image - image.mean()
    tall, wide = (n * hop - hop + window for n in (down, across))
    edge = (r, wide - r - grid.width, r, tall - r - grid.height)
    square = functional.avg_pool2d((image * image)[None], b, 1)[0] * b**2
    image = functional.pad(image, edge)
    wide_image = image.shape[1]
    square = functional.pad(square, edge, value=float("inf"))  # nothing outside is near
    limit = stage.limit(sigma).view(-1, 1).expand(grid.rows * grid.cols, 1)
    count = max(1, _BUDGET.get(image.device.type, 1 << 28) // (across * (tile * window) ** 2))
    near, sizes = [], []
    for top in range(0, down, count):
        n = min(count, down - top)
        start = top * hop * wide_image
        hops = (hop * wide_image, hop)
        around = image.as_strided(
            (n, across, b, b, window, window), (*hops, wide_image, 1, wide_image, 1), start
        ).reshape(n * across, b * b, window**2)
        middle = start + r * wide_image + r
        refs = image.as_strided(
            (n, across, tile, tile, b, b),
            (*hops, s * wide_image, s, wide_image, 1),
            middle,
        ).reshape(n * across, tile * tile, b * b)
        norms = square.as_strided(
            (n, across, window, window), (hop * wide, hop, wide, 1), top * hop * wide
        ).reshape(n * across, 1, window**2)
        apart = torch.baddbmm(norms, refs, around, alpha=-2.0)
        k = 2 * r + 1
        own = apart.as_strided(
            (n, across, tile, tile, k, k),
            (
                across * (tile * window) ** 2,
                (tile * window) ** 2,
                tile * window**2 + s * window,
                window**2 + s,
                window,
                1,
            ),
        )
        # rows of reference blocks, not tiles
        own = own.transpose(1, 2).reshape(n * tile, across * tile, k * k)
        own = own[: grid.rows - top * tile, : grid.cols].reshape(-1, k * k)
        own[:, k * k // 2] = -float("inf")
        value, offset = own.topk(min(stage.group, k * k), largest=False)
        length = square[r : r + grid.height : s, r : r + grid.width : s]
        length = length[top * tile : (top + n) * tile].reshape(-1, 1)
        near.append(offset)
        own_limit = limit[top * tile * grid.cols : (top + n) * tile * grid.cols]
        sizes.append((value + length < own_limit).sum(1))
    offset, found = torch.cat(near), torch.cat(sizes)
    i, j = (torch.arange(n, device=image.device) * s for n in (grid.rows, grid.cols))
    home = (i[:, None] * grid.width + j).reshape(-1, 1)
    shift = (offset // (2 * r + 1) - r) * grid.width + offset % (2 * r + 1) - r
    powers = torch.tensor([2**p for p in range(1, 12)], device=image.device)
    return Groups(grid, home + shift, 2 ** torch.bucketize(found, powers, right=True))
