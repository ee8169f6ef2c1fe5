"""Clean pictures: tiles of mosaics, folders, and crops of scikit-image's pictures."""

from __future__ import annotations

from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from ipx import InputError
from ipx.files.images import pictures_in, read

Array: TypeAlias = npt.NDArray[Any]

SIDE = 64
VALIDATION = 128
"""First picture of a mosaic that is used to tune lam; earlier ones are for tables."""

SHRINK = {
    "chelsea": 2,
    "coffee": 2,
    "rocket": 2,
    "immunohistochemistry": 2,
    "hubble_deep_field": 2,
    "astronaut": 2,
    "retina": 4,
}
"""Colour pictures of scikit-image, and their downscaling factors."""


def tiles(path: Path, leave_out: Path | None = None) -> Tensor:
    """All tiles ``(N, 3, 64, 64)`` in [0, 1] of a mosaic, or of a folder of mosaics.

    A file is cut into tiles row by row. Black tiles, which pad mosaics, are dropped.

    Args:
        path: file or folder.
        leave_out: a file, or a folder whose files are skipped.

    Raises:
        InputError: there is no picture, or one is unreadable or has sides not divisible by 64.
    """
    if path.is_dir():
        files = pictures_in(path)
    else:
        files = [path]
    if leave_out is not None:
        held = leave_out.resolve()
        files = [p for p in files if held not in (p.resolve(), p.resolve().parent)]
    if not files:
        raise InputError(f"{path}: has no pictures")
    found = []
    for file in files:
        x = _read(file)
        h, w = x.shape[1:]
        if h % SIDE or w % SIDE:
            raise InputError(f"{file}: is {h} x {w}, no mosaic of tiles of {SIDE} x {SIDE}")
        cut = x.unfold(1, SIDE, SIDE).unfold(2, SIDE, SIDE).permute(1, 2, 0, 3, 4)
        found.append(cut.reshape(-1, 3, SIDE, SIDE))
    every = torch.cat(found)
    return every[every.flatten(1).any(1)].contiguous()


def crops(count: int) -> Tensor:
    """``(count, 3, 64, 64)`` crops of scikit-image's colour pictures, always the same."""
    import skimage.data

    rng = np.random.default_rng(0)
    names = list(SHRINK)[:count]
    small = {name: _shrunk(getattr(skimage.data, name)(), SHRINK[name]) for name in names}
    found = []
    for i in range(count):
        x = small[names[i % len(names)]]
        top, left = (int(rng.integers(n - SIDE + 1)) for n in x.shape[1:])
        found.append(x[:, top : top + SIDE, left : left + SIDE])
    return torch.from_numpy(np.stack(found)).float()


def _shrunk(pixels: Array, k: int) -> Array:
    """Block means of ``(H, W, 3)`` bytes, ``(3, H/k, W/k)`` in [0, 1]."""
    h, w = (n // k for n in pixels.shape[:2])
    blocks = pixels[: h * k, : w * k, :3].reshape(h, k, w, k, 3)
    mean: Array = blocks.mean((1, 3), dtype=np.float32).transpose(2, 0, 1) / 255
    return mean


def _read(path: Path) -> Tensor:
    """``(3, H, W)`` float32."""
    pixels = read(path).pixels.astype(np.float32)
    x = torch.from_numpy(np.ascontiguousarray(pixels))
    return x.expand(3, -1, -1)
