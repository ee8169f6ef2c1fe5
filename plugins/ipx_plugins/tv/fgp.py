"""The proximal map of total variation: fast gradient projection on the dual.

Beck and Teboulle (IEEE TIP 18, 2009): with D the gradient and p in the product of balls of
radius t, the solution is ``x = g - D^T p`` for the p that minimises ``1/2 |g - D^T p|^2``. The step
is 1/8 <= 1/|D|^2. The momentum (k-1)/(k+5) keeps the rate of FISTA and lets the iterates converge
(Chambolle, Dossal 2015); on photographs it takes 20 % fewer steps than Nesterov's.

Huber's function of width d in place of the norm adds ``d |p|^2 / (2 t)`` to the dual: a step also
divides p by ``1 + d / (8 t)``.

Each image stops at a relative duality gap ``(t |Dx| - <p, Dx>) / (t |Dx| + |x-g|^2/2)``, computed
every few steps. The gap bounds the distance of the objective to its minimum.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import lru_cache
from typing import NamedTuple

import torch
from torch import Tensor

from ipx import MissingExtraError, Scalar, image_sum, per_image
from ipx_plugins.tv import TVOptions

_CHECK = 12  # steps between computations of the gap
_STEP = 0.125


class Dual(NamedTuple):
    """A field of vertical and horizontal differences, each ``(B, C, H, W)``."""

    down: Tensor
    right: Tensor


def denoise(g: Tensor, t: Scalar, options: TVOptions, width: float = 0.0) -> Tensor:
    """argmin_u |Du| + |u - g|^2 / (2t) for ``g`` ``(B, C, H, W)``, ``t`` >= 0 one or per image.

    With a ``width`` > 0 of Huber's function in place of the norm.
    """
    radius = torch.as_tensor(per_image(t, g), dtype=g.dtype, device=g.device)
    wide = (0.5 * (g.amax((1, 2, 3), keepdim=True) - g.amin((1, 2, 3), keepdim=True))).detach()
    # beyond this radius the solution is constant, and a larger dual would only lose precision
    radius = radius.minimum(wide * (g.shape[-1] * g.shape[-2]) + torch.finfo(g.dtype).tiny)
    differentiate = torch.is_grad_enabled() and (g.requires_grad or radius.requires_grad)
    circular = options.boundary == "circular"
    bend = width / radius.clamp_min(torch.finfo(g.dtype).tiny) if width else None
    if options.compile:
        advance = _compiled()
    elif differentiate:
        advance = _step
    else:
        advance = _Buffers(g).step
    p = q = Dual(torch.zeros_like(g), torch.zeros_like(g))
    x, active = g, torch.ones(g.shape[0], dtype=torch.bool, device=g.device)
    for k in range(1, options.iterations + 1):
        momentum = (k - 1) / (k + 5)
        flags = circular, options.isotropic, options.coupled
        p, q = advance(g, p, q, radius, bend, momentum, *flags)
        if k % _CHECK == 0 or k == options.iterations:
            now = g - _divide(p, circular)
            x = torch.where(active.view(-1, 1, 1, 1), now, x)
            gap = _gap(g, now, p, radius, width, circular, options)
            active = active & (gap > options.tol)
            if not bool(active.any()):
                break
    return x


def _differences(x: Tensor, circular: bool) -> Dual:
    """D x."""
    if circular:
        return Dual(x.roll(-1, -2) - x, x.roll(-1, -1) - x)
    pad = torch.nn.functional.pad
    return Dual(
        pad(x[..., 1:, :] - x[..., :-1, :], (0, 0, 0, 1)), pad(x[..., 1:] - x[..., :-1], (0, 1))
    )


def _divide(p: Dual, circular: bool) -> Tensor:
    """D^T p. The last row and column of p are zero unless circular."""
    if circular:
        return p.down.roll(1, -2) - p.down + p.right.roll(1, -1) - p.right
    pad = torch.nn.functional.pad
    up = pad(p.down[..., :-1, :], (0, 0, 1, 0))
    left = pad(p.right[..., :-1], (1, 0))
    return up - p.down + left - p.right


def _length(d: Dual, isotropic: bool, coupled: bool) -> tuple[Tensor, Tensor]:
    """Norms of the groups of the vertical and of the horizontal differences."""
    if not isotropic and (not coupled or d.down.shape[1] == 1):
        return d.down.abs(), d.right.abs()
    a, b = d.down * d.down, d.right * d.right
    if coupled and d.down.shape[1] > 1:
        a, b = a.sum(1, keepdim=True), b.sum(1, keepdim=True)
    if isotropic:
        both = root(a + b)
        return both, both
    return root(a), root(b)


def root(square: Tensor) -> Tensor:
    """The square root, with the derivative 0 at 0 (that of a length is not defined there)."""
    least = torch.finfo(square.dtype).tiny
    return (square.clamp_min(least) if square.requires_grad else square).sqrt()


def _step(
    g: Tensor,
    p: Dual,
    q: Dual,
    radius: Tensor,
    bend: Tensor | None,
    momentum: float | Tensor,
    circular: bool,
    isotropic: bool,
    coupled: bool,
) -> tuple[Dual, Dual]:
    """One step as in the paper: gradient at q, projection, momentum.

    ``bend`` is the width of Huber's function over the radius, None for the norm.
    """
    d = _differences(g - _divide(q, circular), circular)
    n = Dual(q.down + _STEP * d.down, q.right + _STEP * d.right)
    if bend is not None:
        n = Dual(n.down / (1 + _STEP * bend), n.right / (1 + _STEP * bend))
    tiny = torch.finfo(g.dtype).tiny
    a, b = (radius / v.maximum(radius).clamp_min(tiny) for v in _length(n, isotropic, coupled))
    n = Dual(n.down * a, n.right * b)
    ahead = Dual(
        n.down + momentum * (n.down - p.down),
        n.right + momentum * (n.right - p.right),
    )
    return n, ahead


class _Buffers:
    """`_step` without allocations, since memory traffic dominates the time."""

    def __init__(self, g: Tensor) -> None:
        self.x, self.m = torch.empty_like(g), torch.empty_like(g)
        self.p = Dual(torch.zeros_like(g), torch.zeros_like(g))
        self.n = Dual(torch.zeros_like(g), torch.zeros_like(g))
        self.q = Dual(torch.zeros_like(g), torch.zeros_like(g))

    def step(
        self,
        g: Tensor,
        p: Dual,
        q: Dual,
        radius: Tensor,
        bend: Tensor | None,
        momentum: float | Tensor,
        circular: bool,
        isotropic: bool,
        coupled: bool,
    ) -> tuple[Dual, Dual]:
        """The same result as `_step`; own buffers are used in place of ``p`` and ``q``."""
        x, n, old = self.x, self.n, self.p
        down, right = self.q
        torch.add(g, down, out=x).add_(right)
        x[..., 1:, :].sub_(down[..., :-1, :])
        x[..., 1:].sub_(right[..., :-1])
        if circular:
            x[..., :1, :].sub_(down[..., -1:, :])
            x[..., :1].sub_(right[..., -1:])
        torch.sub(x[..., 1:, :], x[..., :-1, :], out=n.down[..., :-1, :])
        torch.sub(x[..., 1:], x[..., :-1], out=n.right[..., :-1])
        if circular:
            torch.sub(x[..., :1, :], x[..., -1:, :], out=n.down[..., -1:, :])
            torch.sub(x[..., :1], x[..., -1:], out=n.right[..., -1:])
        else:
            n.down[..., -1, :] = 0
            n.right[..., -1] = 0
        torch.add(down, n.down, alpha=_STEP, out=n.down)
        torch.add(right, n.right, alpha=_STEP, out=n.right)
        if bend is not None:
            n.down.div_(1 + _STEP * bend)
            n.right.div_(1 + _STEP * bend)
        tiny = torch.finfo(g.dtype).tiny
        if isotropic and (g.shape[1] == 1 or not coupled):
            m = torch.mul(n.down, n.down, out=self.m).addcmul_(n.right, n.right).sqrt_()
            torch.maximum(m, radius, out=m)
            torch.div(radius, m.clamp_min_(tiny), out=m)
            n.down.mul_(m)
            n.right.mul_(m)
        else:
            a, b = _length(n, isotropic, coupled)
            n.down.mul_(radius / a.maximum(radius).clamp_min_(tiny))
            n.right.mul_(radius / b.maximum(radius).clamp_min_(tiny))
        torch.lerp(old.down, n.down, 1.0 + float(momentum), out=self.q.down)
        torch.lerp(old.right, n.right, 1.0 + float(momentum), out=self.q.right)
        self.p, self.n = n, old
        return self.p, self.q


def huber(length: Tensor, width: float) -> Tensor:
    """r^2 / (2 width) up to the width, r - width / 2 from there; r itself for width 0."""
    if not width:
        return length
    return torch.where(length < width, length * length / (2 * width), length - width / 2)


def _gap(
    g: Tensor,
    x: Tensor,
    p: Dual,
    radius: Tensor,
    width: float,
    circular: bool,
    options: TVOptions,
) -> Tensor:
    """Relative duality gap of x = g - D^T p, ``(B,)``."""
    d = _differences(x, circular)
    a, b = (huber(v, width) for v in _length(d, options.isotropic, options.coupled))
    variation = image_sum(a) if options.isotropic else image_sum(a) + image_sum(b)
    each = radius.reshape(-1)
    variation = each * variation
    inner = image_sum(p.down * d.down) + image_sum(p.right * d.right)
    if width:
        square = image_sum(p.down * p.down) + image_sum(p.right * p.right)
        inner = inner - width * square / (2 * each.clamp_min(torch.finfo(g.dtype).tiny))
    primal = variation + image_sum((x - g) ** 2) / 2
    return (variation - inner) / primal.clamp_min(torch.finfo(g.dtype).tiny)


@lru_cache(maxsize=1)
def _compiled() -> Callable[..., tuple[Dual, Dual]]:
    """`_step` through torch.compile.

    Raises:
        MissingExtraError: there is no C++ compiler.
    """
    if not any(shutil.which(c) for c in ("c++", "g++", "clang++")):
        raise MissingExtraError(
            "option compile of prior tv needs a C++ compiler; install one or leave it out"
        )
    fast: Callable[..., tuple[Dual, Dual]] = torch.compile(_step, dynamic=False)

    def step(
        g: Tensor, p: Dual, q: Dual, r: Tensor, bend: Tensor | None, momentum: float, *flags: bool
    ) -> tuple[Dual, Dual]:
        # as a tensor, so that a new momentum does not cause recompilation
        now = torch.tensor(momentum, dtype=g.dtype, device=g.device)
        return fast(g, p, q, r, bend, now, *flags)

    return step
