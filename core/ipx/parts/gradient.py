"""The discrete gradient, for priors on differences of neighbouring pixels."""

from __future__ import annotations

import math
from typing import Literal

import torch
from torch import Tensor

from ipx.declare.capabilities import Shape
from ipx.declare.options import Options, opt
from ipx.declare.traits import Traits
from ipx.errors import ShapeError
from ipx.numerics.spectral import BasisName, Spectral
from ipx.parts.linear import LinearOperator


class GradientOptions(Options):
    """The boundary condition."""

    boundary: Literal["reflect", "circular"] = opt(
        default="reflect", help="Difference across the border: zero (reflect), or periodic."
    )


class Gradient(LinearOperator[GradientOptions]):
    """Forward differences, (D x) = (x[i+1, j] - x[i, j], x[i, j+1] - x[i, j]).

    ``(B, C, H, W)`` to ``(B, 2C, H, W)``: the vertical differences of all channels, then the
    horizontal ones. Boundary reflect (Neumann): the last difference is 0 and D^T D is diagonal in
    the DCT-II. Circular: the last difference is periodic and D^T D is diagonal in the DFT.
    """

    def __init__(
        self, image_shape: Shape, options: GradientOptions | None = None, **values: object
    ) -> None:
        super().__init__(image_shape, options, **values)
        if len(self.image_shape) != 3:
            raise ShapeError(f"the gradient takes images (C, H, W), not {self.image_shape}")
        channels, height, width = self.image_shape
        self.data_shape = (2 * channels, height, width)
        circular = self.options.boundary == "circular"
        self.traits = Traits(basis="fft" if circular else "dct")

    def forward(self, x: Tensor) -> Tensor:
        """D x."""
        c = x.shape[1]
        if x.requires_grad and torch.is_grad_enabled():
            return torch.cat([self._ahead(x, -2), self._ahead(x, -1)], 1)
        out = x.new_empty(x.shape[0], 2 * c, *x.shape[2:])
        down, right = out[:, :c], out[:, c:]
        torch.sub(x[..., 1:, :], x[..., :-1, :], out=down[..., :-1, :])
        torch.sub(x[..., 1:], x[..., :-1], out=right[..., :-1])
        if self.options.boundary == "circular":
            torch.sub(x[..., 0, :], x[..., -1, :], out=down[..., -1, :])
            torch.sub(x[..., 0], x[..., -1], out=right[..., -1])
        else:
            down[..., -1, :] = 0
            right[..., -1] = 0
        return out

    def _ahead(self, x: Tensor, axis: int) -> Tensor:
        d = x.roll(-1, axis) - x
        if self.options.boundary == "circular":
            return d
        inner = d.narrow(axis, 0, x.shape[axis] - 1)
        return torch.cat([inner, torch.zeros_like(d.narrow(axis, 0, 1))], axis)

    def adjoint(self, y: Tensor) -> Tensor:
        """D^T y: minus the divergence."""
        c = y.shape[1] // 2
        down, right = y[:, :c], y[:, c:]
        if self.options.boundary == "circular":
            return down.roll(1, -2) - down + right.roll(1, -1) - right
        out = torch.zeros_like(down)
        out[..., :-1, :] -= down[..., :-1, :]
        out[..., 1:, :] += down[..., :-1, :]
        out[..., :-1] -= right[..., :-1]
        out[..., 1:] += right[..., :-1]
        return out

    def spectrum(self, like: Tensor) -> Spectral:
        """Eigenvalues of D^T D, ``(H, W)`` (cosine) or ``(H, W//2+1)`` (Fourier)."""
        return self.near(like, "fft" if self.options.boundary == "circular" else "dct")

    def near(self, like: Tensor, basis: BasisName) -> Spectral:
        """D^T D with the border of the basis: periodic (Fourier) or mirrored (cosine)."""
        _, height, width = self.image_shape
        circular = basis == "fft"

        def gram() -> Tensor:
            turn = (2 if circular else 1) * math.pi
            k = torch.arange(height, dtype=torch.float64) * (turn / height)
            m = torch.arange(width // 2 + 1 if circular else width, dtype=torch.float64)
            return (2 - 2 * torch.cos(k))[:, None] + (2 - 2 * torch.cos(m * (turn / width)))

        return Spectral(basis, self.buffer(f"gram-{basis}", like, gram))

    def norm(self) -> float:
        """The largest singular value; at most sqrt(8)."""
        return math.sqrt(float(self.spectrum(torch.zeros((), dtype=torch.float64)).gram.max()))
