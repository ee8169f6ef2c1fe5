"""A convex combination of data, network and a shrinkage of small blocks, by the least risk.

A network knows the pictures of its training. On others, such as text and line art, it may remove
more of the picture than of the noise. Stein's unbiased estimate of the risk tells so from the data
alone: for an estimate x = y + sum_i a_i (D_i(y) - y),

    E |x - clean|^2 = E [|x - y|^2 + 2 sum_i a_i sum sigma^2 (div D_i - 1)] + n sigma^2,

a quadratic form in the weights a (Stein 1981; Blu and Luisier, IEEE TIP 16, 2007: SURE-LET). The
divergence is measured with one random probe (Ramani, Blu, Unser, IEEE TIP 17, 2008).
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import cache

import torch
from torch import Tensor
from torch.nn import functional

from ipx import squares
from ipx.toolkit import dct_matrix

SIDE = 4  # of the blocks: small ones fit strokes and points, which the network knows least
THRESHOLD = 2.7  # in standard deviations, as in the first stage of BM3D
PRESENT = 0.5  # of the noise of sigma, below which y is no picture with white noise
SEED = 19_810_611  # unlikely for simulated noise, of which the probe must be independent
PROBE = 0.1  # length of the probe of the divergence, in standard deviations
SQUARE, SQUARES = 64, 8  # of a large image 8 x 8 squares of this side tell the weights
ALIKE = 1.1  # largest ratio of what the network changes there and in the whole, squared
VALUES = 1 << 18  # shrunk at once: the coefficients take 16 times the memory
LITTLE = 0.02  # a weight below is not worth the shrinkage of a large image


def shrunk(y: Tensor, sigma: Tensor) -> Tensor:
    """Hard thresholding of the DCT of all 4 x 4 blocks, averaged (Coifman, Donoho 1995).

    Args:
        y: ``(B, C, H, W)``.
        sigma: standard deviation of the noise, ``(B, 1 or C, 1 or H, 1 or W)``.

    Returns:
        The estimate, shape of ``y``. Blocks weigh as the inverse of the number of coefficients
        that they keep.
    """
    edges = (SIDE - 1,) * 4
    planes = functional.pad(y, edges, mode="replicate").flatten(0, 1)[:, None]
    bound = THRESHOLD * sigma.expand(*y.shape[:2], *sigma.shape[2:])
    if mapped := bound.shape[2:] != (1, 1):
        bound = functional.pad(bound, edges, mode="replicate")
    bound = bound.flatten(0, 1)[:, None]
    height, width = y.shape[-2:]
    each = max(1, VALUES // (height * width))  # planes at once
    rows = max(16, VALUES // (each * width))
    out = []
    for first in range(0, len(planes), each):
        some, least = (v[first : first + each] for v in (planes, bound))
        strips = []
        for top in range(0, height, rows):
            seen = slice(top, min(top + rows, height) + 2 * (SIDE - 1))
            strips.append(_strip(some[:, :, seen], least[:, :, seen] if mapped else least))
        out.append(torch.cat(strips, 2))
    return torch.cat(out).reshape(y.shape)


def _strip(y: Tensor, bound: Tensor) -> Tensor:
    """`shrunk` of strips ``(N, 1, h, w)`` with `SIDE` - 1 further pixels on all sides."""
    table = _cosines().to(y)[:, None]
    blocks = functional.conv2d(y, table)
    if bound.shape[2:] != (1, 1):
        bound = functional.avg_pool2d(bound, SIDE, stride=1)
    keep = (blocks.abs() > bound).to(y)
    keep[:, 0] = 1
    weight = 1 / keep.sum(1, keepdim=True)
    # the adjoint, as a convolution: twice as fast as conv_transpose2d
    total = functional.conv2d(blocks * keep * weight, table.flip(2, 3).transpose(0, 1))
    return total / (functional.avg_pool2d(weight, SIDE, stride=1) * SIDE**2)


@cache
def _cosines() -> Tensor:
    """The waves of the DCT of a block, ``(16, 4, 4)``, the mean first."""
    waves = dct_matrix(SIDE)
    return torch.einsum("ka,lb->klab", waves, waves).reshape(SIDE**2, SIDE, SIDE)


def mixed(y: Tensor, sigma: Tensor, network: Callable[[Tensor], Tensor]) -> Tensor:
    """The combination of ``y``, ``network(y)`` and `shrunk` of least estimated risk, per image.

    The estimate holds for a picture with white noise. Iterates of plug-and-play may have far less
    noise than sigma, in filled holes for example; for these it is the network alone.

    Args:
        y: ``(B, C, H, W)``.
        sigma: standard deviation of the noise, ``(B, 1 or C, 1 or H, 1 or W)``.
        network: the denoiser at this sigma.
    """
    first = network(y) - y
    noisy = _noisy(y, sigma)
    if not bool(noisy.any()):
        return y + first
    a, b, told = _by_squares(y, sigma, network, first)
    second = torch.zeros_like(y)
    if bool((noisy & ((b > 0) | ~told)).any()):
        second = shrunk(y, sigma) - y
    if not bool((told | ~noisy).all()):
        whole = _least(y, sigma, network, (first, second))
        a, b = (torch.where(told, of, at) for of, at in zip((a, b), whole, strict=True))
    a, b = torch.where(noisy, a, torch.ones_like(a)), torch.where(noisy, b, torch.zeros_like(b))
    return y + a.view(-1, 1, 1, 1) * first + b.view(-1, 1, 1, 1) * second


def _by_squares(
    y: Tensor, sigma: Tensor, network: Callable[[Tensor], Tensor], first: Tensor
) -> tuple[Tensor, Tensor, Tensor]:
    """The weights that a part of large images tells, and where it tells of the whole, ``(B,)``.

    Not where the network changes the part more or less than the whole, and not in small images.
    """
    part = squares(y, SQUARE, SQUARES) if sigma.shape[2:] == (1, 1) else y
    with torch.no_grad():
        there = first.square().mean((1, 2, 3))
        if part is y:
            return there, there, torch.zeros_like(there, dtype=torch.bool)
        changes = network(part) - part, shrunk(part, sigma) - part
        here = changes[0].square().mean((1, 2, 3))
        a, b = _least(part, sigma, network, changes)
    a, b = torch.where(b < LITTLE, a + b, a), torch.where(b < LITTLE, 0.0, b)
    return a, b, torch.maximum(here, there) <= ALIKE * torch.minimum(here, there)


def _least(
    y: Tensor, sigma: Tensor, network: Callable[[Tensor], Tensor], changes: tuple[Tensor, Tensor]
) -> tuple[Tensor, Tensor]:
    """The weights of least estimated risk of what network and shrinkage change, each ``(B,)``."""
    with torch.no_grad():
        normal = torch.Generator().manual_seed(SEED)
        probe = torch.randn(1, *y.shape[1:], generator=normal).to(y)
        moved = y + PROBE * sigma * probe
        gains = []
        ways: tuple[Callable[[Tensor], Tensor], ...] = (network, lambda v: shrunk(v, sigma))
        for denoiser, change in zip(ways, changes, strict=True):
            slope = (denoiser(moved) - moved - change) * probe * sigma / PROBE
            gains.append(-slope.flatten(1).sum(1))
        return _weights(*changes, *gains)


def _noisy(y: Tensor, sigma: Tensor) -> Tensor:
    """True for images whose finest details have at least half the noise of sigma, ``(B,)``."""
    d = y[..., 1:, 1:] + y[..., :-1, :-1] - y[..., 1:, :-1] - y[..., :-1, 1:]
    if d.numel() == 0:
        return torch.zeros(y.shape[0], dtype=torch.bool, device=y.device)
    found = d.detach().abs().flatten(1).median(1).values / (2 * 0.6744897502)
    level = sigma.flatten(1).mean(1)
    return (found > PRESENT * level) & (level > 0)


def _weights(u: Tensor, v: Tensor, f: Tensor, g: Tensor) -> tuple[Tensor, Tensor]:
    """a, b >= 0 with a + b <= 1 of least |a u + b v|^2 - 2 (a f + b g), each ``(B,)``."""
    u, v = u.flatten(1).double(), v.flatten(1).double()
    uu, uv, vv = (u * u).sum(1), (u * v).sum(1), (v * v).sum(1)
    f, g = f.double(), g.double()
    tiny = 1e-9 * (uu + vv) + 1e-300
    zero, one = torch.zeros_like(uu), torch.ones_like(uu)
    free = uu * vv - uv**2 + tiny**2
    along = ((f - g - uv + vv) / (uu - 2 * uv + vv + tiny)).clamp(0, 1)
    found = [
        ((f * vv - g * uv) / free, (g * uu - f * uv) / free),
        ((f / (uu + tiny)).clamp(0, 1), zero),
        (zero, (g / (vv + tiny)).clamp(0, 1)),
        (along, one - along),
    ]
    a, b = (torch.stack(p) for p in zip(*found, strict=True))
    risk = a**2 * uu + 2 * a * b * uv + b**2 * vv - 2 * (a * f + b * g)
    outside = (a < 0) | (b < 0) | (a + b > 1 + 1e-12)
    best = risk.masked_fill(outside, math.inf).argmin(0, keepdim=True)
    return a.gather(0, best)[0].to(torch.float32), b.gather(0, best)[0].to(torch.float32)
