"""Corruptions of the encoder's input (Vincent et al., JMLR 11, 2010, section 3.4)."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ipx import column, normal_like


def gaussian(x: Tensor, level: Tensor, rng: torch.Generator) -> Tensor:
    """x plus noise of standard deviation ``level``, ``(B,)``."""
    return x + column(level, x) * normal_like(x, rng)


def masking(x: Tensor, level: Tensor, rng: torch.Generator) -> Tensor:
    """x with the share ``level`` ``(B,)`` of its pixels set to 0, in all channels at once."""
    return torch.where(_pixels(x, rng) < column(level, x), torch.zeros_like(x), x)


def salt_and_pepper(x: Tensor, level: Tensor, rng: torch.Generator) -> Tensor:
    """x with the share ``level`` ``(B,)`` of its pixels set to 0 or 1, as often the one."""
    place, limit = _pixels(x, rng), column(level, x)
    salted = torch.where(place < limit / 2, torch.ones_like(x), x)
    return torch.where((place >= limit / 2) & (place < limit), torch.zeros_like(x), salted)


CORRUPTIONS: dict[str, Callable[[Tensor, Tensor, torch.Generator], Tensor]] = {
    "gaussian": gaussian,
    "masking": masking,
    "salt-and-pepper": salt_and_pepper,
}


def corrupted(x: Tensor, kind: str, most: float, rng: torch.Generator) -> Tensor:
    """x ``(B, C, H, W)`` with a corruption whose level is uniform in [0, most] for each picture."""
    if kind == "none":
        return x
    level = most * torch.rand(len(x), generator=rng, device=x.device, dtype=x.dtype)
    return CORRUPTIONS[kind](x, level, rng)


def _pixels(x: Tensor, rng: torch.Generator) -> Tensor:
    """A uniform number for each pixel, ``(B, 1, H, W)``."""
    shape = (x.shape[0], 1, *x.shape[2:])
    return torch.rand(shape, generator=rng, device=x.device, dtype=x.dtype)
