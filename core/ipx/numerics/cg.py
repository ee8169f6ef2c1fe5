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
) -> Tensor:
    """x with ``system(x) = b`` for a symmetric positive definite system (Hestenes, Stiefel 1952).

    Each image stops by itself at ``|r| <= tol |b|``: its result does not depend on the others.

    Args:
        system: the linear map, shape ``(B, ...)`` to the same.
        b: right-hand side, ``(B, ...)``.
        guess: where to start; zero when None.
        iterations: at most so many products with the system.
        tol: relative residual to stop at.
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
