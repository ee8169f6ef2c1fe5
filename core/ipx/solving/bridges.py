"""The built-in bridges of `ipx.adapters`."""

from __future__ import annotations

from typing import Any, cast

import torch
from torch import Tensor

from ipx.declare import capabilities as cap
from ipx.declare.capabilities import Scalar, Shape
from ipx.declare.options import NoOptions
from ipx.numerics.spectral import Spectral
from ipx.parts.algebra import Composed
from ipx.parts.component import has, image_dot, image_norm, image_sum, per_image
from ipx.parts.noise import Noise
from ipx.parts.operator import LinearOperator, Operator
from ipx.parts.prior import OuterProx, Prior

AnyLinear = LinearOperator[Any]


class Identity(LinearOperator[NoOptions]):
    """A x = x, for images of any shape: denoising; the linear part of a prior that has none."""

    def forward(self, x: Tensor) -> Tensor:
        """x itself."""
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        """y itself."""
        return y

    def diagonal(self, like: Tensor) -> Tensor:
        """1."""
        return torch.ones((), dtype=like.dtype, device=like.device)

    def spectrum(self, like: Tensor) -> Spectral:
        """A^T A = I, diagonal in every transform."""
        return Spectral("any", self.diagonal(like))

    def norm(self) -> float:
        """1."""
        return 1.0


class _DataBridge:
    """What every data bridge is made from."""

    def __init__(self, operator: Operator[Any], noise: Noise[Any], y: Tensor) -> None:
        self.operator, self.noise, self.y = operator, noise, y


class ChainRule(_DataBridge):
    """grad f(x) = A^T grad nll(A x, y)."""

    def grad(self, x: Tensor) -> Tensor:
        """The gradient, shape of x."""
        operator = cast(AnyLinear, self.operator)
        noise = cast(cap.NoiseGrad, self.noise)
        return operator.adjoint(noise.grad(operator.forward(x), self.y))


class AutogradData(_DataBridge):
    """grad f(x) by reverse-mode differentiation of nll(A(x), y)."""

    def grad(self, x: Tensor) -> Tensor:
        """The gradient, shape of x; part of the graph when x itself asks for a gradient."""
        with torch.enable_grad():
            keep = x.requires_grad
            point = x if keep else x.detach().requires_grad_(True)
            pred = self.operator.forward(point)
            seed = cast(cap.NoiseGrad, self.noise).grad(pred, self.y)
            (gradient,) = torch.autograd.grad(pred, point, seed, create_graph=keep)
        return gradient


class Elementwise(_DataBridge):
    """prox of f(x) = sum nll(d x, y) for a diagonal d: the noise's prox at step t d^2, over d."""

    def prox(self, v: Tensor, t: Scalar, guess: Tensor | None = None) -> Tensor:
        """argmin_u f(u) + |u - v|^2 / (2 t); where d = 0 it is v itself."""
        d = cast(cap.Diagonal, self.operator).diagonal(v)
        step = per_image(t, v) * d * d
        seen = d != 0
        safe = torch.where(seen, d, torch.ones_like(d))
        tiny = torch.where(seen, step, torch.ones_like(v[:1]))
        moved = cast(cap.NoiseProx, self.noise).prox(safe * v, self.y, tiny) / safe
        return torch.where(seen, moved, v)


class Normal(_DataBridge):
    """Solves (A^T A + rho K^T K) x = b, in closed form where there is one, else by CG."""

    cg_iterations = 50
    cg_tol = 1e-5

    def __init__(self, operator: Operator[Any], noise: Noise[Any], y: Tensor) -> None:
        super().__init__(operator, noise, y)
        self.linear = cast(AnyLinear, operator)
        self.back = self.linear.adjoint(y)  # A^T y, needed at every step

    def exact_with(self, part: AnyLinear | None) -> bool:
        """True when the system with this K (None: K = I) has a closed form."""
        if self._pixelwise(part):
            return True
        weight = self._weight(part)
        if weight is None:
            return False
        if has(self.linear, cap.Spectrum):
            return cast(cap.Spectrum, self.linear).spectrum(self.y).fits(weight)
        return has(self.linear, cap.NormalSolve) and self._own_fits(weight)

    def _pixelwise(self, part: AnyLinear | None) -> bool:
        return has(self.linear, cap.Diagonal) and (part is None or has(part, cap.Diagonal))

    def _own_fits(self, weight: Spectral) -> bool:
        basis = getattr(self.linear, "normal_basis", "fft")
        return weight.basis in ("any", basis)

    def _weight(self, part: AnyLinear | None) -> Spectral | None:
        if part is None:
            return Spectral("any", torch.ones((), dtype=self.y.dtype, device=self.y.device))
        return cast(cap.Spectrum, part).spectrum(self.y) if has(part, cap.Spectrum) else None

    def solve(
        self, b: Tensor, rho: Scalar, part: AnyLinear | None = None, guess: Tensor | None = None
    ) -> Tensor:
        """x with (A^T A + rho K^T K) x = b, shape ``(B, C, H, W)``.

        Args:
            b: right-hand side.
            rho: > 0, one or per image.
            part: K; the identity when None.
            guess: where CG starts.
        """
        scale = per_image(rho, b)
        if self.exact_with(part):
            if self._pixelwise(part):
                d = cast(cap.Diagonal, self.linear).diagonal(b)
                k = cast(cap.Diagonal, part).diagonal(b) if part is not None else 1.0
                return b / (d * d + scale * k * k)
            weight = cast(Spectral, self._weight(part)).scaled(scale)
            if has(self.linear, cap.Spectrum):
                return (cast(cap.Spectrum, self.linear).spectrum(b) + weight).solve(b)
            return cast(cap.NormalSolve, self.linear).solve_normal(b, weight)

        def system(x: Tensor) -> Tensor:
            penalty = x if part is None else part.adjoint(part.forward(x))
            return self.linear.adjoint(self.linear.forward(x)) + scale * penalty

        return conjugate_gradient(system, b, guess, self.cg_iterations, self.cg_tol)


class NormalProx(Normal):
    """prox of f(x) = 1/2 |A x - y|^2."""

    def prox(self, v: Tensor, t: Scalar, guess: Tensor | None = None) -> Tensor:
        """(A^T A + I/t)^-1 (A^T y + v/t)."""
        rho = 1 / per_image(t, v)
        return self.solve(self.back + rho * v, rho, guess=v if guess is None else guess)


class Dual(_DataBridge):
    """f(x) = nll(A x, y) with A dualised: the prox of the conjugate of nll(., y)."""

    def prox_conjugate(self, u: Tensor, t: Scalar) -> Tensor:
        """argmin_w nll*(w) + |w - u|^2 / (2 t), by Moreau's identity."""
        step = per_image(t, u)
        return u - step * cast(cap.NoiseProx, self.noise).prox(u / step, self.y, 1 / step)


class IdentityPart(OuterProx[NoOptions]):
    """A prior with a prox, seen as g(Kx) with K = I."""

    def __init__(self, prior: Prior[Any], image_shape: Shape) -> None:
        super().__init__()
        self.prior, self.weighted = prior, prior.weighted
        self.pixelwise = prior.pixelwise

    def value(self, x: Tensor) -> Tensor:
        """R(x)."""
        return cast(cap.Value, self.prior).value(x)

    def linear_part(self, image_shape: Shape) -> AnyLinear:
        """The identity."""
        return Identity(image_shape)

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """prox of R."""
        return cast(cap.Prox, self.prior).prox(u, t)


class MoreauEnvelope(Prior[NoOptions]):
    """M(x) = min_u R(u) + |u - x|^2 / (2 mu): R with its corners rounded at scale mu.

    Smooth with a 1/mu-Lipschitz gradient (x - prox_{mu R}(x)) / mu, and R - mu L^2/2 <= M <= R
    for R of Lipschitz constant L. mu is 0.01 in image units, below visible contrast.
    """

    mu = 0.01

    def __init__(self, prior: Prior[Any], image_shape: Shape) -> None:
        super().__init__()
        self.prior, self.weighted = prior, prior.weighted
        self.pixelwise = prior.pixelwise

    def value(self, x: Tensor) -> Tensor:
        """M(x)."""
        near = cast(cap.Prox, self.prior).prox(x, self.mu)
        return cast(cap.Value, self.prior).value(near) + image_sum((near - x) ** 2) / (2 * self.mu)

    def grad(self, x: Tensor) -> Tensor:
        """Gradient of M."""
        return (x - cast(cap.Prox, self.prior).prox(x, self.mu)) / self.mu


def conjugate_gradient(
    system: Any, b: Tensor, guess: Tensor | None, iterations: int, tol: float
) -> Tensor:
    """Conjugate gradients for a symmetric positive system, image by image.

    Each image stops by itself at ``|r| <= tol |b|``: its result does not depend on the others.
    """
    x = torch.zeros_like(b) if guess is None else guess.clone()
    r = b - system(x)
    p = r.clone()
    square = image_dot(r, r)
    goal = (tol * image_norm(b)) ** 2
    for _ in range(iterations):
        active = square > goal
        if not bool(active.any()):
            break
        q = system(p)
        curvature = image_dot(p, q)
        go = active & (curvature > 0)
        alpha = torch.where(go, square / curvature.where(go, torch.ones_like(square)), 0.0)
        x = x + per_image(alpha, x) * p
        r = r - per_image(alpha, x) * q
        fresh = image_dot(r, r)
        beta = torch.where(go, fresh / square.clamp_min(torch.finfo(b.dtype).tiny), 0.0)
        p = r + per_image(beta, x) * p
        square = torch.where(go, fresh, torch.where(active, torch.zeros_like(square), square))
    return x


__all__ = [
    "Composed",
    "Identity",
    "MoreauEnvelope",
    "Normal",
    "NormalProx",
    "conjugate_gradient",
]
