"""Conjugate gradients, image by image."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ipx.numerics.tensors import image_dot, image_norm, per_image


def conjugate_gradient(
    system: Callable[[Tensor], Tensor],
    b: Tensor,
    guess: Tensor | None,
    iterations: int,
    tol: float,
    precondition: Callable[[Tensor], Tensor] | None = None,
) -> Tensor:
    """x with ``system(x) = b`` for a symmetric positive definite system (Hestenes, Stiefel 1952).

    Each image stops separately, at ``|r| <= tol |b|``.

    Args:
        system: the linear map, ``(B, ...)`` to the same shape.
        b: right-hand side, ``(B, ...)``.
        guess: initial x; zero when None.
        iterations: the largest number of iterations.
        tol: relative residual at which to stop.
        precondition: a symmetric positive definite map near the inverse of ``system``; the identity
            when None.
    """
    near = precondition or (lambda r: r)
    x = torch.zeros_like(b) if guess is None else guess.clone()
    r = b - system(x)
    p = near(r)
    square = image_dot(r, p)
    goal = (tol * image_norm(b)) ** 2
    for _ in range(iterations):
        active = image_dot(r, r) > goal
        if not bool(active.any()):
            break
        q = system(p)
        curvature = image_dot(p, q)
        go = active & (curvature > 0)
        alpha = torch.where(go, square / curvature.where(go, torch.ones_like(square)), 0.0)
        x = x + per_image(alpha, x) * p
        r = r - per_image(alpha, x) * q
        z = near(r)
        fresh = image_dot(r, z)
        beta = torch.where(go, fresh / square.clamp_min(torch.finfo(b.dtype).tiny), 0.0)
        p = z + per_image(beta, x) * p
        square = torch.where(go, fresh, torch.where(active, torch.zeros_like(square), square))
    return x
