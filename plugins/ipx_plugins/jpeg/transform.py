"""The transform of JPEG: colours, blocks of 8 x 8 pixels, cosine transform, tables of steps."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from ipx.toolkit import dct_matrix

SIDE = 8
_LUMA = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_CHROMA = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    *((99,) * 8,) * 4,
)
_YCC = ((0.299, 0.587, 0.114), (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312))


def steps(quality: int, chroma: bool) -> Tensor:
    """The steps of quantisation ``(8, 8)``, for values in [0, 1] (ITU-T T.81, annex K.1)."""
    scale = 5000 // quality if quality < 50 else 200 - 2 * quality
    base = torch.tensor(_CHROMA if chroma else _LUMA, dtype=torch.float64)
    return torch.floor((base * scale + 50) / 100).clamp(1, 255) / 255


def to_planes(x: Tensor, black: float = 0.0) -> Tensor:
    """Luma, minus ``black``, and two chromas of RGB; grey minus ``black``, ``(B, C, H, W)``."""
    shifted = x - black  # chroma of grey is 0
    if x.shape[1] != 3:
        return shifted
    return torch.einsum("ij,bjhw->bihw", torch.tensor(_YCC).to(x), shifted)


def from_planes(p: Tensor, black: float = 0.0) -> Tensor:
    """The inverse of `to_planes`."""
    if p.shape[1] != 3:
        return p + black
    inverse = torch.linalg.inv(torch.tensor(_YCC, dtype=torch.float64))
    return torch.einsum("ij,bjhw->bihw", inverse.to(p), p) + black


def blocks(x: Tensor) -> Tensor:
    """Coefficients of blocks ``(..., h, w, 8, 8)`` of ``(..., H, W)``; edges are repeated.

    The transform is orthonormal.
    """
    height, width = x.shape[-2:]
    pad = (0, -width % SIDE, 0, -height % SIDE)
    x = functional.pad(x.flatten(0, -3)[:, None], pad, mode="replicate").reshape(
        *x.shape[:-2], height + pad[3], width + pad[1]
    )
    rows, columns = (n // SIDE for n in x.shape[-2:])
    cut = x.reshape(*x.shape[:-2], rows, SIDE, columns, SIDE).transpose(-2, -3)
    matrix = dct_matrix(SIDE, x.dtype, x.device)
    made: Tensor = matrix @ cut @ matrix.mT
    return made


def joined(c: Tensor, height: int, width: int) -> Tensor:
    """The inverse of `blocks`, cut to ``(..., height, width)``."""
    matrix = dct_matrix(SIDE, c.dtype, c.device)
    cut = (matrix.mT @ c @ matrix).transpose(-2, -3)
    return cut.flatten(-4, -3).flatten(-2)[..., :height, :width]
