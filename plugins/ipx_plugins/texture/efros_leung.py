"""Texture synthesis pixel by pixel (Efros, Leung, ICCV 1999).

The picture grows from a small seed. A pixel at its border is copied from a place of the example
whose neighbourhood is like what is known around the pixel: one of those at most a share
``tolerance`` worse than the best, drawn at random. Pixels of a layer that are no neighbours are
matched together, as one product of matrices.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ipx import ShapeError

SEED = 3
"""Side of the patch that the picture grows from."""

TOGETHER = 256
"""Pixels that are matched at once; bounds the memory."""

_FLOOR = 1e-5  # squared distances below it are rounding


class _Places:
    """The neighbourhoods of the example, as rows of matrices."""

    def __init__(self, example: Tensor, side: int, most: int, rng: torch.Generator) -> None:
        rows = functional.unfold(example[None], side)[0].T  # (N, C side^2)
        if len(rows) > most:
            rows = rows[torch.randperm(len(rows), generator=rng)[:most]]
        self.rows = rows.contiguous()
        self.squares = (rows**2).view(len(rows), -1, side**2).sum(1)  # (N, side^2)
        self.middle = rows.view(len(rows), -1, side**2)[:, :, side**2 // 2]  # (N, C)

    def distances(self, near: Tensor, weights: Tensor) -> Tensor:
        """sum w (s - t)^2, ``(P, N)``, for t = ``near`` ``(P, C, side^2)``, w ``(P, side^2)``."""
        weighted = near * weights[:, None]
        cross = weighted.flatten(1) @ self.rows.T
        own = (weighted * near).sum((1, 2))
        return weights @ self.squares.T - 2 * cross + own[:, None]


def grown(
    example: Tensor,
    size: tuple[int, int],
    side: int,
    tolerance: float,
    candidates: int,
    rng: torch.Generator,
) -> Tensor:
    """A texture like the example.

    Args:
        example: ``(C, h, w)``.
        size: height and width of the result.
        side: of the neighbourhoods, odd.
        tolerance: how much worse than the best a match may be, as a share.
        candidates: so many places of the example are compared, drawn at random.
        rng: source of the random numbers.

    Returns:
        ``(C, *size)``.

    Raises:
        ShapeError: the example is smaller than a neighbourhood.
    """
    half = side // 2
    side = 2 * half + 1
    if min(example.shape[1:]) < side:
        raise ShapeError(f"the example is smaller than a neighbourhood of {side} x {side} pixels")
    mean = example.mean((1, 2), keepdim=True)
    places = _Places(example - mean, side, candidates, rng)
    x = example.new_zeros(len(example), size[0] + 2 * half, size[1] + 2 * half)
    known = torch.zeros(x.shape[1:], dtype=torch.bool)
    inside = functional.pad(torch.ones(size, dtype=torch.bool), (half,) * 4)
    _plant(x, known, inside, example - mean, rng)
    window = _window(side).to(x)
    while bool((inside & ~known).any()):
        wide = functional.max_pool2d(known[None].to(x), 3, 1, 1)[0] > 0
        layer = (inside & ~known & wide).nonzero()
        for parity in range(4):  # pixels of one parity are no neighbours
            chosen = layer[(layer[:, 0] % 2 * 2 + layer[:, 1] % 2) == parity]
            for some in torch.split(chosen, TOGETHER):
                _fill(x, known, some, places, window, tolerance, rng)
    return x[:, half : half + size[0], half : half + size[1]] + mean


def _plant(x: Tensor, known: Tensor, inside: Tensor, example: Tensor, rng: torch.Generator) -> None:
    """Copy a patch of the example, drawn at random, to the middle."""
    h, w = (min(SEED, n) for n in inside.nonzero().amax(0).sub(inside.nonzero().amin(0)).add(1))
    h, w = int(h), int(w)
    at = [int(torch.randint(n - s + 1, (), generator=rng)) for n, s in
          zip(example.shape[1:], (h, w), strict=True)]  # fmt: skip
    top, left = ((n - s) // 2 for n, s in zip(x.shape[1:], (h, w), strict=True))
    spot = (slice(top, top + h), slice(left, left + w))
    x[:, spot[0], spot[1]] = example[:, at[0] : at[0] + h, at[1] : at[1] + w]
    known[spot] = True


def _fill(
    x: Tensor,
    known: Tensor,
    pixels: Tensor,
    places: _Places,
    window: Tensor,
    tolerance: float,
    rng: torch.Generator,
) -> None:
    """Fill pixels ``(P, 2)`` that do not depend on each other."""
    side = int(window.numel() ** 0.5)
    offsets = torch.arange(side) - side // 2
    rows = pixels[:, 0, None, None] + offsets[:, None]
    columns = pixels[:, 1, None, None] + offsets
    near = x[:, rows, columns].flatten(2).transpose(0, 1)  # (P, C, side^2)
    weights = known[rows, columns].flatten(1) * window
    distances = places.distances(near, weights / weights.sum(1, keepdim=True))
    best = distances.amin(1, keepdim=True).clamp_min(_FLOOR)
    good = (distances <= (1 + tolerance) * best).nonzero()
    counts = torch.bincount(good[:, 0], minlength=len(pixels))
    first = counts.cumsum(0) - counts
    drawn = (torch.rand(len(pixels), generator=rng) * counts).long().minimum(counts - 1)
    found = places.middle[good[first + drawn, 1]]
    x[:, pixels[:, 0], pixels[:, 1]] = found.T
    known[pixels[:, 0], pixels[:, 1]] = True


def _window(side: int) -> Tensor:
    """Gaussian weights of standard deviation side / 6.4, ``(side^2,)``."""
    line = torch.exp(-0.5 * ((torch.arange(side) - side // 2) / (side / 6.4)) ** 2)
    return torch.outer(line, line).flatten()
