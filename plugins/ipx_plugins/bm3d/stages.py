"""The two filters of BM3D on 3-D transforms of groups: hard thresholding and Wiener filtering.

Each block is transformed once, however many groups it belongs to. Filtered coefficients are summed
per position in the transform domain. The inverse transform, the window and the aggregation of
overlapping blocks are then applied once to these sums.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn import functional

from ipx_plugins.bm3d.matching import Groups
from ipx_plugins.bm3d.profiles import Stage
from ipx_plugins.bm3d.transforms import block_transform, haar_matrix, kaiser

_STRIP = {"cpu": 1 << 17, "cuda": 1 << 21}  # positions transformed at a time
_CHUNK = {"cpu": 1 << 18, "cuda": 1 << 26}  # coefficients filtered at a time


def filter_groups(
    noisy: Tensor, groups: Groups, stage: Stage, sigma: Tensor, basic: Tensor | None = None
) -> Tensor:
    """Filter the channels of a padded image, which share their groups.

    Args:
        noisy: ``(C, h, w)``.
        groups: groups of similar blocks, the same for all channels.
        stage: the parameters.
        sigma: ``(C, 1 or groups)`` standard deviation of the noise in each channel and group, > 0.
        basic: ``(C, h, w)`` pilot estimate for Wiener filtering; None for hard thresholding.

    Returns:
        The aggregated estimate, ``(C, h, w)``.
    """
    like, grid, b, q = noisy, groups.grid, stage.block, stage.stride
    forward = block_transform(stage.transform, b)
    window = kaiser(b)
    back = (torch.outer(window, window).view(-1, 1) * torch.linalg.inv(forward)).to(like)
    forward_t, window = forward.T.contiguous().to(like), window.to(like)
    total, weights = torch.zeros_like(noisy), torch.zeros_like(noisy)
    for rows, first, last in _strips(groups, stage, like.device.type):
        index = groups.index[rows] - first * grid.width
        size = groups.size[rows]
        lines = slice(first * q, (last - 1) * q + b)
        buckets = _buckets(size, index, b, like.device.type)
        for c in range(noisy.shape[0]):
            level = sigma[c, rows] if sigma.shape[1] > 1 else sigma[c]
            x = _transform(noisy[c, lines], forward_t, stage)
            truth = None if basic is None else _transform(basic[c, lines], forward_t, stage)
            out, weight = torch.zeros_like(x), x.new_zeros(x.shape[0])
            for members, at in buckets:
                s = level[members] if level.numel() > 1 else level
                _filter(x, truth, at, s.view(1, -1, 1), stage.threshold, out, weight)
            shape = (lines.stop - lines.start, noisy.shape[2])
            total[c, lines] += functional.fold((back @ out.T)[None], shape, b, stride=q)[0, 0]
            weights[c, lines] += _spread(weight.view(1, last - first, grid.width), window, q)
    return total / weights


def _strips(groups: Groups, stage: Stage, device: str) -> Iterator[tuple[slice, int, int]]:
    """Slices of groups, each with the first and last + 1 row of positions of its blocks."""
    grid, reach, hop = groups.grid, stage.radius // stage.stride, stage.step // stage.stride
    positions = _STRIP.get(device, 1 << 21)
    count = max(1, (positions // grid.width - 2 * reach) // hop)
    count = max(count, 2 * reach // hop)  # at least the height of the overlap
    for top in range(0, grid.rows, count):
        end = min(top + count, grid.rows)
        first = max(0, top * hop - reach)
        last = min(grid.height, (end - 1) * hop + reach + 1)
        yield slice(top * grid.cols, end * grid.cols), first, last


def _buckets(size: Tensor, index: Tensor, block: int, device: str) -> list[tuple[Tensor, Tensor]]:
    """Batches of groups of equal size: indices ``(g,)`` and block positions ``(size, g)``."""
    out = []
    n = 1
    while n <= index.shape[1]:
        members = (size == n).nonzero()[:, 0]
        count = max(1, _CHUNK.get(device, 1 << 26) // (n * block**2))
        for start in range(0, members.numel(), count):
            part = members[start : start + count]
            out.append((part, index[part, :n].T.contiguous()))
        n *= 2
    return out


def _transform(image: Tensor, forward_t: Tensor, stage: Stage) -> Tensor:
    """Coefficients of all blocks of ``(h, w)``, ``(positions, block^2)``."""
    blocks = functional.unfold(image[None, None], stage.block, stride=stage.stride)[0]
    return blocks.T @ forward_t


def _spread(weight: Tensor, window: Tensor, stride: int) -> Tensor:
    """Sum of the windows at all positions, with weights ``(1, h, w)``; ``(h', w')``."""
    spread = functional.conv_transpose2d
    down = spread(weight[None], window.view(1, 1, -1, 1), stride=(stride, 1))
    return spread(down, window.view(1, 1, 1, -1), stride=(1, stride))[0, 0]


def _filter(
    x: Tensor,
    truth: Tensor | None,
    at: Tensor,
    sigma: Tensor,
    threshold: float,
    out: Tensor,
    weight: Tensor,
) -> None:
    """Filter the groups ``at`` ``(n, g)`` of rows of ``x`` and add to ``out`` and ``weight``.

    The mean of a group is kept unchanged, so that a constant image stays constant.
    """
    n, g = at.shape
    variance = sigma * sigma
    flat = at.reshape(-1)
    haar = haar_matrix(n).to(x)
    z = (haar @ x.index_select(0, flat).view(n, -1)).view(n, g, -1)
    if truth is None:
        keep = z.abs() > threshold * sigma
        keep[0, :, 0] = True
        z *= keep
        energy = keep.sum((0, 2)).to(x)
    else:
        gain = (haar @ truth.index_select(0, flat).view(n, -1)).view(n, g, -1).square_()
        gain /= gain + variance
        gain[0, :, 0] = 1.0
        z *= gain
        energy = gain.square_().sum((0, 2))
    share = 1.0 / (energy * variance.view(-1))
    z = (haar.T @ z.view(n, -1)).view(n, g, -1) * share[:, None]
    out.index_add_(0, flat, z.view(n * g, -1))
    weight.index_add_(0, flat, share.expand(n, g).reshape(-1))
