"""A covariance of low rank plus one that is diagonal in the cosine transform."""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor

from ipx import Scalar, Spectral, column, opponent, vector


def transformed(x: Tensor) -> Tensor:
    """T x, ``(B, C, H, W)``: the colour transform, and the DCT-II of each plane; orthonormal."""
    mixed = torch.einsum("ij,bjhw->bihw", opponent(x.shape[1], x), x)
    return _cosine(x).forward(mixed)


def restored(c: Tensor) -> Tensor:
    """T^T c, the inverse of `transformed`."""
    planes = _cosine(c).inverse(c, (c.shape[-2], c.shape[-1]))
    return torch.einsum("ij,bihw->bjhw", opponent(c.shape[1], c), planes)


def _cosine(x: Tensor) -> Spectral:
    return Spectral("dct", x.new_ones(x.shape[-2:]))


@dataclass(frozen=True)
class Covariance:
    """C = T^T (F^T F + diag p) T.

    Attributes:
        factor: F, principal components times their standard deviations, in the transform,
            ``(r, C, H, W)``.
        spectrum: p > 0, the mean square of what they leave, ``(C, H, W)``.
    """

    factor: Tensor
    spectrum: Tensor

    def solve(self, c: Tensor, t: Scalar = 0.0) -> Tensor:
        """(F^T F + diag p + t)^-1 c by Woodbury's identity; c ``(B, C, H, W)``, t per image."""
        step = vector(t, c)
        if bool((step == step[:1]).all()):  # one matrix for all images
            step = step[:1]
        inverse = 1 / (self.spectrum + column(step, c)).flatten(1)
        rows, flat = self.factor.flatten(1), c.flatten(1)
        weighted = rows * inverse[:, None]  # (1 or B, r, n)
        eye = torch.eye(len(rows), dtype=c.dtype, device=c.device)
        right = weighted @ flat.unsqueeze(-1)  # (B, r, 1)
        along = torch.linalg.solve(eye + weighted @ rows.mT, right)
        out: Tensor = inverse * flat - (along.mT @ weighted).squeeze(1)
        return out.view_as(c)

    def nats(self, c: Tensor) -> Tensor:
        """-log N(c; 0, F^T F + diag p) per value, ``(B,)``."""
        rows = self.factor.flatten(1)
        eye = torch.eye(len(rows), dtype=rows.dtype, device=rows.device)
        inner = eye + (rows / self.spectrum.flatten()) @ rows.mT
        volume = self.spectrum.log().sum() + torch.linalg.slogdet(inner)[1]
        square = (c * self.solve(c)).flatten(1).sum(1)
        told: Tensor = 0.5 * (square + volume) / c[0].numel() + 0.5 * math.log(2 * math.pi)
        return told
