"""The discrete gradient, for priors on differences of neighbouring pixels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Literal

import torch
from torch import Tensor

from ipx.declare.capabilities import Shape
from ipx.declare.options import Options, opt
from ipx.declare.traits import Traits
from ipx.errors import ShapeError
from ipx.numerics.memory import trim
from ipx.numerics.spectral import BasisName, Spectral
from ipx.parts.linear import LinearOperator


class GradientOptions(Options):
    """The boundary condition, and the weight of the depth."""

    boundary: Literal["reflect", "circular"] = opt(
        default="reflect", help="Difference across the border: zero (reflect), or periodic."
    )
    depth: float = opt(
        default=1.0,
        min=0.0,
        max=1000.0,
        help="Factor of the differences along the depth of volumes.",
    )


class Gradient(LinearOperator[GradientOptions]):
    """Forward differences, (D x) = (x[i+1, j] - x[i, j], x[i, j+1] - x[i, j]).

    ``(B, C, H, W)`` to ``(B, 2C, H, W)``: the vertical differences of all channels, then the
    horizontal ones; ``(B, C, D, H, W)`` to ``(B, 3C, D, H, W)``, those along the depth before
    them. Boundary reflect (Neumann): the last difference is 0 and D^T D is diagonal in the DCT-II.
    Circular: the last difference is periodic and D^T D is diagonal in the DFT.
    """

    def __init__(
        self, image_shape: Shape, options: GradientOptions | None = None, **values: object
    ) -> None:
        super().__init__(image_shape, options, **values)
        if len(self.image_shape) not in (3, 4):
            raise ShapeError(
                f"the gradient takes images (C, H, W) or volumes (C, D, H, W), not "
                f"{self.image_shape}"
            )
        channels, *size = self.image_shape
        self.data_shape = (len(size) * channels, *size)
        circular = self.options.boundary == "circular"
        self.traits = Traits(basis="fft" if circular else "dct", dims=(2, 3))

    @property
    def _axes(self) -> list[tuple[int, float]]:
        """The axes from the end, and the factor of the differences along each."""
        count = len(self.image_shape) - 1
        return [(axis, self.options.depth if axis == -3 else 1.0) for axis in range(-count, 0)]

    def forward(self, x: Tensor) -> Tensor:
        """D x."""
        c, n = x.shape[1], len(self._axes)
        if x.requires_grad and torch.is_grad_enabled():
            return torch.cat([self._ahead(x, axis) * by for axis, by in self._axes], 1)
        trim(x.nbytes)
        out = x.new_empty(x.shape[0], n * c, *x.shape[2:])
        for d, (axis, by) in zip(
            torch.unflatten(out, 1, (n, c)).unbind(1), self._axes, strict=True
        ):
            last = x.shape[axis] - 1
            inner = d.narrow(axis, 0, last)
            torch.sub(x.narrow(axis, 1, last), x.narrow(axis, 0, last), out=inner)
            if self.options.boundary == "circular":
                end = d.narrow(axis, last, 1)
                torch.sub(x.narrow(axis, 0, 1), x.narrow(axis, last, 1), out=end)
            else:
                d.narrow(axis, last, 1).zero_()
            if by != 1:
                d.mul_(by)
        return out

    def _ahead(self, x: Tensor, axis: int) -> Tensor:
        d = x.roll(-1, axis) - x
        if self.options.boundary == "circular":
            return d
        inner = d.narrow(axis, 0, x.shape[axis] - 1)
        return torch.cat([inner, torch.zeros_like(d.narrow(axis, 0, 1))], axis)

    def adjoint(self, y: Tensor) -> Tensor:
        """D^T y: minus the divergence."""
        fields = torch.unflatten(y, 1, (len(self._axes), -1)).unbind(1)
        trim(fields[0].nbytes)
        out = torch.zeros_like(fields[0])
        for d, (axis, by) in zip(fields, self._axes, strict=True):
            if self.options.boundary == "circular":
                out.add_(d.roll(1, axis) - d, alpha=by)
                continue
            last = d.shape[axis] - 1
            inner = d.narrow(axis, 0, last)
            out.narrow(axis, 0, last).sub_(inner, alpha=by)
            out.narrow(axis, 1, last).add_(inner, alpha=by)
        return out

    def spectrum(self, like: Tensor) -> Spectral:
        """Eigenvalues of D^T D, ``(H, W)`` (cosine) or ``(H, W//2+1)`` (Fourier)."""
        return self.near(like, "fft" if self.options.boundary == "circular" else "dct")

    def near(self, like: Tensor, basis: BasisName) -> Spectral:
        """D^T D with the border of the basis: periodic (Fourier) or mirrored (cosine)."""
        circular = basis == "fft"

        def gram() -> Tensor:
            total = torch.zeros((), dtype=torch.float64)
            for axis, waves in self._waves(circular):
                half = len(waves) // 2 + 1 if circular and axis == -1 else len(waves)
                total = total + waves[:half].view(-1, *[1] * (-axis - 1))
            return total

        return Spectral(basis, self.buffer(f"gram-{basis}", like, gram))

    def norm(self) -> float:
        """The largest singular value; at most sqrt(8), sqrt(12) of volumes."""
        circular = self.options.boundary == "circular"
        return math.sqrt(sum(float(waves.max()) for _, waves in self._waves(circular)))

    def _waves(self, circular: bool) -> Iterator[tuple[int, Tensor]]:
        """Each axis, and the eigenvalues of D^T D of the differences along it, ``(n,)``."""
        for axis, by in self._axes:
            n = self.image_shape[axis]
            k = torch.arange(n, dtype=torch.float64) * ((2 if circular else 1) * math.pi / n)
            yield axis, by**2 * (2 - 2 * torch.cos(k))
