"""Step lengths, penalties, momentum, residuals."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ipx.declare.capabilities import Grad, ValueGrad, has, using
from ipx.numerics.tensors import column, image_dot, image_norm, vector
from ipx.solving.problem import Problem, known_count

SHARPER = 4.0
"""Factor by which splitting algorithms increase `penalty` after the first iterations."""

_HALVINGS = 60
_THRESHOLD = 0.2  # lam / rho, in image units


def gradient_of(problem: Problem, x: Tensor) -> Tensor:
    """Gradient of f + lam R at x, same shape."""
    prior = using(problem.prior, Grad)
    return problem.data.grad(x) + column(vector(problem.lam, x), x) * prior.grad(x)


def value_and_gradient(problem: Problem, x: Tensor) -> tuple[Tensor, Tensor]:
    """F = f + lam R at x, ``(B,)``, and its gradient; the prior has `ValueGrad`, or both parts."""
    prior = problem.prior
    if not has(prior, ValueGrad):
        return problem.objective(x), gradient_of(problem, x)
    value, slope = prior.value_grad(x)
    lam = vector(problem.lam, x)
    return problem.data.value(x) + lam * value, problem.data.grad(x) + column(lam, x) * slope


def expected_misfit(problem: Problem) -> Tensor:
    """The data term expected at the truth, > 0, ``(B,)``: a unit for differences of F."""
    return problem.noise.expected(problem.y, known_count(problem)).clamp_min(1e-12)


def relative(change: Tensor, x: Tensor) -> Tensor:
    """|change| / |x| per image, ``(B,)``: the usual fixed-point residual."""
    return image_norm(change) / image_norm(x).clamp_min(1e-12)


def first_step(problem: Problem, x: Tensor, gradient: Callable[[Tensor], Tensor]) -> Tensor:
    """1 / L, or if L is only a bound and that is larger, 1 / `curvature_ahead`; ``(B,)``.

    L is the Lipschitz constant of the data gradient. For few photons the bound, which holds for
    black pixels too, is a thousand times too large: such short steps would pass for convergence.
    Use with a line search, which shortens steps that are too long.
    """
    bound = 1 / vector(problem.data.lipschitz(), x).clamp_min(1e-8)
    if problem.data.quadratic:
        return bound
    return torch.maximum(bound, 1 / curvature_ahead(x, gradient).clamp_min(1e-8))


def curvature_ahead(x: Tensor, gradient: Callable[[Tensor], Tensor]) -> Tensor:
    """d^T H d / |d|^2 by finite differences along -gradient, |d| = |x| / 1000: ``(B,)``."""
    g = gradient(x)
    ahead = 1e-3 * image_norm(x).clamp_min(1e-6) / image_norm(g).clamp_min(1e-12)
    d = -column(ahead, g) * g
    return image_dot(gradient(x + d) - g, d) / image_dot(d, d).clamp_min(1e-30)


def descend(problem: Problem, x: Tensor, step: Tensor) -> tuple[Tensor, Tensor]:
    """The gradient of the data term f at x, and a step ``(B,)`` at which f decreases.

    For a quadratic f that is ``step``. Otherwise the step grows by a fifth and is then halved until
    f lies below its quadratic model.
    """
    g = problem.data.grad(x)
    if problem.data.quadratic:
        return g, step
    step = 1.2 * step
    for _ in range(_HALVINGS):
        d = -column(step, g) * g
        bend = image_dot(problem.data.grad(x + d) - g, d)
        good = bend * step <= image_dot(d, d)
        if bool(good.all()):
            break
        step = torch.where(good, step, step / 2)
    return g, step


def momentum(t: Tensor, drop: Tensor) -> tuple[Tensor, Tensor]:
    """The next t of Nesterov's sequence, and the extrapolation weight (t - 1) / t_next.

    Both ``(B,)``; 1 and 0 where ``drop`` is true (Beck, Teboulle 2009, eq. 4.2 and 4.3).
    """
    after = (1 + torch.sqrt(1 + 4 * t**2)) / 2
    weight = torch.where(drop, 0.0, (t - 1) / after)
    return torch.where(drop, 1.0, after), weight


def penalty(problem: Problem, like: Tensor) -> Tensor:
    """The first penalty rho, or dual step, for z = Kx: ``(B,)``, > 0.

    The prior's prox then thresholds at lam / rho = 0.2, in image units, for every lam. This large
    threshold needs the fewest steps to near the final quality; a quarter of it (`SHARPER`) is best
    after that (measured on three operators, TV and wavelets). For a constraint, which has no lam,
    rho is a tenth of the curvature of the data term. It stays below 1e5: the rounding errors of
    rho K^T (z - u) would otherwise move the mean of x, which only the data hold.
    """
    if not problem.prior.traits.weighted:
        return 0.1 * vector(problem.data.lipschitz(), like).clamp(1e-3, 1e3)
    return (vector(problem.lam, like) / _THRESHOLD).clamp(1e-5, 1e5)
