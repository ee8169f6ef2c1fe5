"""Noise that is cut off at an end of the range, told from regions that are at that end."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

END_SHARES = (0.1, 0.75)
"""Share of the values at an end of the range if noise is cut off there; half in a flat image."""

MIXED = 0.6
"""Least share of neighbours of which one is at the end, relative to independent values."""


def cut_off(end: Tensor, seen: Tensor, total: Callable[[Tensor], Tensor]) -> tuple[Tensor, Tensor]:
    """The share of values at an end of the range, and where noise is cut off there.

    Cut noise is as scattered as independent values; in a clean image whole regions are at the end.

    Args:
        end: 1 for values at the end, otherwise 0, ``(B, C, H, W)``.
        seen: 1 for known values, likewise.
        total: the sum, or the mean, over each of the parts that are looked at, such as images; of
            values ``(B, C, H, W)``, or of pairs of neighbours ``(B, C, H, W - 1)``.

    Returns:
        Two tensors of the shape that ``total`` gives, the second of booleans.
    """
    share = total(end * seen) / total(seen).clamp_min(1e-6)
    pairs = seen[..., 1:] * seen[..., :-1]
    jumps = (end[..., 1:] - end[..., :-1]).abs() * pairs
    mixed = total(jumps) / total(pairs).clamp_min(1e-6)
    scattered = mixed > MIXED * 2 * share * (1 - share)
    return share, (share > END_SHARES[0]) & (share < END_SHARES[1]) & scattered
