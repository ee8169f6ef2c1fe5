"""Patches of other pictures: those that are most like the picture as a whole are searched.

Scene completion with many photographs (Hays, Efros, SIGGRAPH 2007), made small: pictures are
compared by thumbnails (Torralba, Fergus, Freeman, IEEE TPAMI 30, 2008) instead of gist descriptors.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ipx import InputError
from ipx.files.images import pictures_in, read

THUMBNAIL = 16
"""Side of the thumbnails in pixels."""

LUMA = (0.299, 0.587, 0.114)


def patches_of(
    folder: Path, picture: Tensor, seen: Tensor, side: int, nearest: int, most: int, seed: int
) -> Tensor:
    """Patches of the pictures of a folder, drawn from those that are most like a picture.

    Args:
        folder: the pictures; those of another number of channels are converted.
        picture: ``(C, H, W)`` in [0, 1].
        seen: its known pixels, ``(H, W)``.
        side: of the patches.
        nearest: so many pictures are searched.
        most: number of patches in all.
        seed: of the places that are drawn.

    Returns:
        ``(N, C side^2)``, N at most ``most``.

    Raises:
        InputError: the folder has no picture as large as a patch, or a picture cannot be read.
    """
    files = pictures_in(folder) if folder.is_dir() else []
    if not files:
        raise InputError(f"{folder}: is no folder with pictures; option pictures names one")
    wanted, weight = _thumbnail(picture, seen)
    ranked = []
    for file in files:
        other = _read(file, len(picture))
        if min(other.shape[1:]) >= side:
            thumb, _ = _thumbnail(other, torch.ones(other.shape[1:], dtype=torch.bool))
            ranked.append((float((weight * (thumb - wanted) ** 2).sum()), file))
    if not ranked:
        raise InputError(f"{folder}: has no picture of at least {side} x {side} pixels")
    chosen = [file for _, file in sorted(ranked)[:nearest]]
    rng = torch.Generator().manual_seed(seed)
    share = -(-most // len(chosen))
    rows = [_drawn(_read(file, len(picture)), side, share, rng) for file in chosen]
    return torch.cat(rows)[:most].to(picture)


def _read(file: Path, channels: int) -> Tensor:
    """A picture with this number of channels, ``(C, H, W)`` float32."""
    pixels = torch.from_numpy(np.ascontiguousarray(read(file).pixels, np.float32))
    if len(pixels) == channels:
        return pixels
    if len(pixels) == 1:
        return pixels.expand(channels, -1, -1)
    if channels == 1 and len(pixels) == 3:
        return (pixels * pixels.new_tensor(LUMA)[:, None, None]).sum(0, keepdim=True)
    raise InputError(f"{file}: has {len(pixels)} channels, the picture has {channels}")


def _thumbnail(x: Tensor, seen: Tensor) -> tuple[Tensor, Tensor]:
    """Means of the known pixels on a coarse grid, and the shares that are known."""
    known = seen[None].float()
    share = functional.adaptive_avg_pool2d(known, THUMBNAIL)
    mean = functional.adaptive_avg_pool2d(x.float() * known, THUMBNAIL) / share.clamp_min(1e-6)
    return mean, share


def _drawn(x: Tensor, side: int, count: int, rng: torch.Generator) -> Tensor:
    """Patches at random places, ``(count, C side^2)``; no place twice."""
    rows, columns = (n - side + 1 for n in x.shape[1:])
    places = torch.randperm(rows * columns, generator=rng)[:count]
    offsets = torch.arange(side)
    row = (places // columns)[:, None, None] + offsets[:, None]
    column = (places % columns)[:, None, None] + offsets
    return x[:, row, column].transpose(0, 1).flatten(1)
