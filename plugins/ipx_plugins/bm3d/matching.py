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

from ipx import mirrored
from ipx_plugins.bm3d.profiles import Stage


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
        hop = stage.step // stage.stride
        return Grid(rows, cols, (rows - 1) * hop + 1, (cols - 1) * hop + 1)


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


def mirror(x: Tensor, grid: Grid, stage: Stage) -> Tensor:
    """``(C, h, w)`` continued by mirror images below and to the right until the grid fits."""
    for axis, positions in ((-2, grid.height), (-1, grid.width)):
        n, length = x.shape[axis], (positions - 1) * stage.stride + stage.block
        if length > n:
            x = x.index_select(axis, mirrored(n, length, x.device))
    return x


def match(image: Tensor, grid: Grid, stage: Stage, sigma: Tensor) -> Groups:
    """Match the blocks of a padded image ``(h, w)``; ``sigma`` of its noise, ``(1 or groups,)``."""
    b, q = stage.block, stage.stride
    s, r = stage.step // q, stage.radius // q  # in positions, which are q pixels apart
    tile = max(1, 24 // s)  # reference blocks along the side of a tile
    hop, side = tile * s, 2 * r + 1
    down, across = -(-grid.rows // tile), -(-grid.cols // tile)
    window = hop - s + side  # positions along the side of the window of a tile
    area = window * window
    tall, wide = (n * hop - hop + window for n in (down, across))
    edge = (r, wide - r - grid.width, r, tall - r - grid.height)
    # the mean costs digits: distances do not depend on it, the three terms do
    image = image - image.mean()
    square = functional.avg_pool2d((image * image)[None], b, q)[0] * b**2
    norms = functional.pad(square, edge, value=float("inf"))  # nothing outside is near
    image = functional.pad(image, [q * n for n in edge])
    w = image.shape[1]
    qw = q * w
    own_strides = (tile * tile * area, tile * area + s * window, area + s, window, 1)
    around = image.new_empty(b * b + 1, tall * window)  # a tile's window is one run of its rows
    windows = around.as_strided((down, b * b + 1, area), (hop * window, tall * window, 1))
    refs = image.new_ones(down, tile * tile, b * b + 1)
    values, offsets = [], []
    for column in range(across):
        start = column * hop
        # what is matched is (-2 a, 1) . (b, |b|^2) = |a - b|^2 - |a|^2
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
        own[..., side * side // 2] = -float("inf")  # a block is its own nearest
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
    """The ``count`` smallest of each row, in order, and where they are; rows are ``side^2``."""
    if 64 * count <= own.shape[1]:
        return own.topk(count, largest=False)
    # they lie in the ``count`` runs whose smallest is smallest; this way is faster
    run = next(n for n in range(2, side + 1) if side % n == 0)
    least = own.view(-1, side // run, run, side).amin(2).flatten(1)
    best = least.topk(min(count, least.shape[1]), largest=False, sorted=False).indices
    first = best // side * (run * side) + best % side
    at = (first[:, :, None] + side * torch.arange(run, device=own.device)).flatten(1)
    value, j = own.gather(1, at).topk(count, largest=False)
    return value, at.gather(1, j)
