"""Block matching: for each reference block the most similar blocks around it.

|a - b|^2 = |a|^2 + |b|^2 - 2 <a, b>. The reference blocks of a tile share one search window, so
that all inner products of the tile are one matrix product. Each reference block then uses the part
in its own window. Box sums, shift by shift, need fewer multiplications but more time.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ipx import mirrored
from ipx_plugins.bm3d.profiles import Stage


@dataclass(frozen=True)
class Grid:
    """Positions of the blocks in a padded image.

    Attributes:
        rows, cols: number of reference blocks, down and across.
        height, width: number of block positions, down and across.
    """

    rows: int
    cols: int
    height: int
    width: int

    @staticmethod
    def of(height: int, width: int, stage: Stage) -> Grid:
        """Grid of an image of this size, extended by mirroring to fit the last reference block."""
        rows, cols = (-(-max(n - stage.block, 0) // stage.step) + 1 for n in (height, width))
        hop = stage.step // stage.stride
        return Grid(rows, cols, (rows - 1) * hop + 1, (cols - 1) * hop + 1)


@dataclass(frozen=True)
class Groups:
    """Groups of similar blocks; reference blocks and positions are numbered row by row.

    Attributes:
        grid: the positions.
        index: ``(rows * cols, group)`` positions, most similar first, the reference block at 0.
        size: ``(rows * cols,)`` number of blocks used, a power of two.
    """

    grid: Grid
    index: Tensor
    size: Tensor


def mirror(x: Tensor, grid: Grid, stage: Stage) -> Tensor:
    """``x`` ``(C, h, w)``, extended by mirroring below and to the right until the grid fits."""
    for axis, positions in ((-2, grid.height), (-1, grid.width)):
        n, length = x.shape[axis], (positions - 1) * stage.stride + stage.block
        if length > n:
            x = x.index_select(axis, mirrored(n, length, x.device))
    return x


def match(image: Tensor, grid: Grid, stage: Stage, sigma: Tensor) -> Groups:
    """Groups in a padded image ``(h, w)`` with noise level ``sigma``, ``(1 or groups,)``."""
    b, q = stage.block, stage.stride
    s, r = stage.step // q, stage.radius // q  # in positions, which are q pixels apart
    tile = max(1, 24 // s)  # reference blocks along the side of a tile
    hop, side = tile * s, 2 * r + 1
    down, across = -(-grid.rows // tile), -(-grid.cols // tile)
    window = hop - s + side  # positions along the side of the window of a tile
    area = window * window
    tall, wide = (n * hop - hop + window for n in (down, across))
    edge = (r, wide - r - grid.width, r, tall - r - grid.height)
    # distances do not depend on the mean, but the three terms lose precision by it
    image = image - image.mean()
    square = functional.avg_pool2d((image * image)[None], b, q)[0] * b**2
    norms = functional.pad(square, edge, value=float("inf"))  # no match outside
    image = functional.pad(image, [q * n for n in edge])
    w = image.shape[1]
    qw = q * w
    own_strides = (tile * tile * area, tile * area + s * window, area + s, window, 1)
    around = image.new_empty(b * b + 1, tall * window)  # windows of tiles are contiguous
    windows = around.as_strided((down, b * b + 1, area), (hop * window, tall * window, 1))
    refs = image.new_ones(down, tile * tile, b * b + 1)
    values, offsets = [], []
    for column in range(across):
        start = column * hop
        # blocks are compared by (-2 a, 1) . (b, |b|^2) = |a - b|^2 - |a|^2
        blocks = image.as_strided((b, b, tall, window), (w, 1, qw, q), start * q)
        around[:-1].view(b, b, tall, window).copy_(blocks)
        around[-1].view(tall, window).copy_(norms[:, start : start + window])
        refs[:, :, :-1].view(down, tile, tile, b, b).copy_(
            image.as_strided(
                (down, tile, tile, b, b),
                (hop * qw, s * qw, s * q, w, 1),
                start * q + r * qw + r * q,
            )
        )
        refs[:, :, :-1] *= -2.0
        apart = torch.bmm(refs, windows)
        own = apart.as_strided((down, tile, tile, side, side), own_strides)
        own = own.reshape(down * tile, tile, side * side)[: grid.rows]
        own = own[:, : grid.cols - column * tile]
        own[..., side * side // 2] = -float("inf")  # the reference block is first
        value, offset = _nearest(own.reshape(-1, side * side), side, stage.group)
        values.append(value.view(grid.rows, -1, stage.group))
        offsets.append(offset.view(grid.rows, -1, stage.group))
    value, offset = (torch.cat(v, 1).flatten(0, 1) for v in (values, offsets))
    length = square[::s, ::s].reshape(-1, 1)
    found = (value + length < stage.limit(sigma).view(-1, 1)).sum(1)
    i, j = (torch.arange(n, device=image.device) * s for n in (grid.rows, grid.cols))
    home = (i[:, None] * grid.width + j).reshape(-1, 1)
    shift = (offset // side - r) * grid.width + offset % side - r
    powers = torch.tensor([2**p for p in range(1, 12)], device=image.device)
    return Groups(grid, home + shift, 2 ** torch.bucketize(found, powers, right=True))


def _nearest(own: Tensor, side: int, count: int) -> tuple[Tensor, Tensor]:
    """The ``count`` smallest values of each row ``(side^2,)``, ascending, and their indices."""
    if 64 * count <= own.shape[1]:
        return own.topk(count, largest=False)
    # they lie in the ``count`` runs with the smallest minima; a search there is faster
    run = next(n for n in range(2, side + 1) if side % n == 0)
    least = own.view(-1, side // run, run, side).amin(2).flatten(1)
    best = least.topk(min(count, least.shape[1]), largest=False, sorted=False).indices
    first = best // side * (run * side) + best % side
    at = (first[:, :, None] + side * torch.arange(run, device=own.device)).flatten(1)
    value, j = own.gather(1, at).topk(count, largest=False)
    return value, at.gather(1, j)
