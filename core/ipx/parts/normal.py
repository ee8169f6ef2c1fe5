"""The normal equations (A^T A + rho K^T K) x = b, in closed form if there is one, else by CG.

CG is preconditioned by a fast transform where that nearly diagonalises the system, such as one with
another border (T. Chan, SIAM J. Sci. Stat. Comput. 9(4), 1988).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor

from ipx.declare.adapters import CG_TOL
from ipx.declare.capabilities import Diagonal, NormalSolve, Scalar, Spectrum, has, using
from ipx.numerics.cg import conjugate_gradient
from ipx.numerics.spectral import Spectral
from ipx.numerics.tensors import per_image
from ipx.parts.linear import AnyLinear

FLAT = 1e-7
"""Smallest eigenvalue of a preconditioner, relative to its largest."""


class NormalSystem:
    """(A^T A + rho K^T K) x = b for one A, any K and rho.

    Args:
        linear: A.
        like: a tensor of the type and device of the images.
    """

    iterations = 50
    tol = CG_TOL

    def __init__(self, linear: AnyLinear, like: Tensor) -> None:
        self.linear, self._like = linear, like[:0]

    def closed(self, part: AnyLinear | None) -> bool:
        """True if the system with this K (None: K = I) has a closed form."""
        if self._pixelwise(part):
            return True
        weight = self._weight(part)
        if weight is None:
            return False
        if has(self.linear, Spectrum):
            return self.linear.spectrum(self._like).fits(weight)
        basis = self.linear.traits.basis
        if not has(self.linear, NormalSolve):
            return False
        if not basis:  # without a transform of its own it solves with W = rho I only
            return part is None or has(part, Diagonal)
        return basis == "any" or weight.basis in ("any", basis)

    def _pixelwise(self, part: AnyLinear | None) -> bool:
        return has(self.linear, Diagonal) and (part is None or has(part, Diagonal))

    def _weight(self, part: AnyLinear | None) -> Spectral | None:
        """K^T K, if a transform diagonalises it."""
        if part is None:
            one = torch.ones((), dtype=self._like.dtype, device=self._like.device)
            return Spectral("any", one)
        return part.spectrum(self._like) if has(part, Spectrum) else None

    def _inverse(self, part: AnyLinear | None, rho: Scalar) -> Callable[[Tensor], Tensor] | None:
        """A map near the inverse of the system, by a transform that diagonalises A^T A; or None."""
        if part is None or not has(self.linear, Spectrum):
            return None
        own = self.linear.spectrum(self._like)
        weight = part.near(self._like, own.basis)
        if weight is None:
            return None
        both = own + weight.scaled(rho)
        return replace(both, gram=both.gram.clamp_min(FLAT * float(both.gram.amax()))).solve

    def prox(self, v: Tensor, y: Tensor, back: Tensor, rho: Scalar, guess: Tensor | None) -> Tensor:
        """argmin_x |A x - y|^2 + rho |x - v|^2, ``rho`` > 0 per image ``(B, 1, 1, 1)``.

        Args:
            v: centre, ``(B, C, H, W)``.
            y: data.
            back: A^T y.
            rho: weight.
            guess: start of CG; v when None.
        """
        near = None if self.closed(None) else self.linear.near_dual(y)
        if near is None:
            return self.solve(back + rho * v, rho, guess=v if guess is None else guess)

        def system(q: Tensor) -> Tensor:
            return self.linear.forward(self.linear.adjoint(q)) + rho * q

        rest = y - self.linear.forward(v)
        inverse = replace(near, gram=near.gram + rho).solve
        q = conjugate_gradient(system, rest, None, self.iterations, self.tol, inverse)
        return v + self.linear.adjoint(q)

    def matrix(self, rho: Scalar, part: AnyLinear | None = None) -> Callable[[Tensor], Tensor]:
        """The map x -> (A^T A + rho K^T K) x; ``rho`` one or per image."""

        def apply(x: Tensor) -> Tensor:
            penalty = x if part is None else part.adjoint(part.forward(x))
            return self.linear.adjoint(self.linear.forward(x)) + per_image(rho, x) * penalty

        return apply

    def solve(
        self,
        b: Tensor,
        rho: Scalar,
        part: AnyLinear | None = None,
        guess: Tensor | None = None,
        iterations: int | None = None,
        tol: float | None = None,
    ) -> Tensor:
        """x with (A^T A + rho K^T K) x = b, shape ``(B, C, H, W)``.

        Args:
            b: right-hand side.
            rho: > 0, one or per image.
            part: K; the identity when None.
            guess: start of CG; zero when None.
            iterations: largest number of CG iterations; 50 by default.
            tol: relative residual at which CG stops; 1e-5 by default.
        """
        scale = per_image(rho, b)
        if not self.closed(part):
            most = self.iterations if iterations is None else iterations
            system, tol = self.matrix(rho, part), self.tol if tol is None else tol
            return conjugate_gradient(system, b, guess, most, tol, self._inverse(part, scale))
        if self._pixelwise(part):
            d = using(self.linear, Diagonal).diagonal(b)
            k = 1.0 if part is None else using(part, Diagonal).diagonal(b)
            return b / (d * d + scale * k * k)
        weight = self._weight(part)
        assert weight is not None  # as the system is closed
        weight = weight.scaled(scale)
        if has(self.linear, Spectrum):
            return (self.linear.spectrum(b) + weight).solve(b)
        return using(self.linear, NormalSolve).solve_normal(b, weight)
