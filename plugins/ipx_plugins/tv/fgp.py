"""The proximal map of total variation: fast gradient projection on the dual.

Beck and Teboulle (IEEE TIP 18, 2009): with D the gradient and p in the product of balls of
radius t, the solution is ``x = g - D^T p`` for the p that minimises ``1/2 |g - D^T p|^2``. The step
is 1/8 <= 1/|D|^2, for volumes 1/12. The momentum (k-1)/(k+5) keeps the rate of FISTA and lets the
iterates converge (Chambolle, Dossal 2015); on photographs it takes 20 % fewer steps than
Nesterov's.

Huber's function of width d in place of the norm adds ``d |p|^2 / (2 t)`` to the dual: a step also
divides p by ``1 + d / (8 t)``, for volumes ``1 + d / (12 t)``.

Each image stops at a relative duality gap ``(t |Dx| - <p, Dx>) / (t |Dx| + |x-g|^2/2)``, computed
every few steps. The gap bounds the distance of the objective to its minimum.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from functools import lru_cache, reduce
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional

from ipx import MissingExtraError, Scalar, column, image_sum, per_image
from ipx_plugins.tv import TVOptions

_CHECK = 12  # steps between computations of the gap


Dual = tuple[Tensor, ...]
"""A field of differences along each axis, each ``(B, C, H, W)`` or ``(B, C, D, H, W)``."""


class Steps(NamedTuple):
    """Of the differences of an image.

    Attributes:
        axes: from the end, and the factor of the differences along each.
        length: of a step of the projection, 1 over a bound of |D|^2.
        circular: the last difference is to the opposite side.
        isotropic: the axes make a group.
        coupled: the channels make a group.
    """

    axes: tuple[tuple[int, float], ...]
    length: float
    circular: bool
    isotropic: bool
    coupled: bool

    @classmethod
    def of(cls, g: Tensor, options: TVOptions) -> Steps:
        """Those for an image."""
        axes = tuple((a, options.depth if a == -3 else 1.0) for a in range(2 - g.ndim, 0))
        length = 1 / (4 * sum(by**2 for _, by in axes))
        return cls(axes, length, options.boundary == "circular", options.isotropic, options.coupled)


def denoise(g: Tensor, t: Scalar, options: TVOptions, width: float = 0.0) -> Tensor:
    """argmin_u |Du| + |u - g|^2 / (2t) for ``g`` ``(B, C, H, W)``, ``t`` >= 0 one or per image.

    With a ``width`` > 0 of Huber's function in place of the norm. Volumes have a depth before H.
    """
    radius = torch.as_tensor(per_image(t, g), dtype=g.dtype, device=g.device)
    every = tuple(range(1, g.ndim))
    wide = (0.5 * (g.amax(every, keepdim=True) - g.amin(every, keepdim=True))).detach()
    # beyond this radius the solution is constant, and a larger dual would only lose precision
    radius = radius.minimum(wide * g.shape[2:].numel() + torch.finfo(g.dtype).tiny)
    differentiate = torch.is_grad_enabled() and (g.requires_grad or radius.requires_grad)
    how = Steps.of(g, options)
    bend = width / radius.clamp_min(torch.finfo(g.dtype).tiny) if width else None
    if options.compile:
        advance = _compiled()
    elif differentiate:
        advance = _step
    else:
        advance = _Buffers(g, len(how.axes)).step
    p = q = tuple(torch.zeros_like(g) for _ in how.axes)
    x, active = g, torch.ones(g.shape[0], dtype=torch.bool, device=g.device)
    for k in range(1, options.iterations + 1):
        momentum = (k - 1) / (k + 5)
        p, q = advance(g, p, q, radius, bend, momentum, how)
        if k % _CHECK == 0 or k == options.iterations:
            now = g - _divide(p, how)
            x = torch.where(column(active, g), now, x)
            gap = _gap(g, now, p, radius, width, how)
            active = active & (gap > options.tol)
            if not bool(active.any()):
                break
    return x


def _padded(x: Tensor, axis: int, before: int, after: int) -> Tensor:
    """x with zeros before and after it along an axis."""
    return functional.pad(x, [0, 0] * (-axis - 1) + [before, after])


def _differences(x: Tensor, how: Steps) -> Dual:
    """D x."""
    out = []
    for axis, by in how.axes:
        d = x.roll(-1, axis) - x if how.circular else _padded(x.diff(dim=axis), axis, 0, 1)
        out.append(d if by == 1 else by * d)
    return tuple(out)


def _divide(p: Dual, how: Steps) -> Tensor:
    """D^T p. The last differences of p are zero unless circular."""
    out = torch.zeros_like(p[0])
    for d, (axis, by) in zip(p, how.axes, strict=True):
        last = d.shape[axis] - 1
        back = d.roll(1, axis) if how.circular else _padded(d.narrow(axis, 0, last), axis, 1, 0)
        out = torch.add(out + back * by, d, alpha=-by)
    return out


def _lengths(d: Dual, how: Steps) -> Dual:
    """Norms of the groups of the differences along each axis."""
    together = how.coupled and d[0].shape[1] > 1
    if not how.isotropic and not together:
        return tuple(v.abs() for v in d)
    squares = [v * v for v in d]
    if together:
        squares = [v.sum(1, keepdim=True) for v in squares]
    if how.isotropic:
        return (root(reduce(torch.add, squares)),) * len(d)
    return tuple(root(v) for v in squares)


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
    how: Steps,
) -> tuple[Dual, Dual]:
    """One step as in the paper: gradient at q, projection, momentum.

    ``bend`` is the width of Huber's function over the radius, None for the norm.
    """
    d = _differences(g - _divide(q, how), how)
    n = tuple(v + how.length * w for v, w in zip(q, d, strict=True))
    if bend is not None:
        n = tuple(v / (1 + how.length * bend) for v in n)
    tiny = torch.finfo(g.dtype).tiny
    keep = [radius / v.maximum(radius).clamp_min(tiny) for v in _lengths(n, how)]
    n = tuple(v * k for v, k in zip(n, keep, strict=True))
    return n, tuple(v + momentum * (v - w) for v, w in zip(n, p, strict=True))


class _Buffers:
    """`_step` without allocations, since memory traffic dominates the time."""

    def __init__(self, g: Tensor, count: int) -> None:
        self.x, self.m = torch.empty_like(g), torch.empty_like(g)
        self.p, self.n, self.q = (
            tuple(torch.zeros_like(g) for _ in range(count)) for _ in range(3)
        )

    def step(
        self,
        g: Tensor,
        p: Dual,
        q: Dual,
        radius: Tensor,
        bend: Tensor | None,
        momentum: float | Tensor,
        how: Steps,
    ) -> tuple[Dual, Dual]:
        """The same result as `_step`; own buffers are used in place of ``p`` and ``q``."""
        n, old = self.n, self.p
        self._ascend(g, how)
        if bend is not None:
            for v in n:
                v.div_(1 + how.length * bend)
        tiny = torch.finfo(g.dtype).tiny
        if how.isotropic and (g.shape[1] == 1 or not how.coupled):
            m = torch.mul(n[0], n[0], out=self.m)
            for v in n[1:]:
                m.addcmul_(v, v)
            torch.maximum(m.sqrt_(), radius, out=m)
            torch.div(radius, m.clamp_min_(tiny), out=m)
            for v in n:
                v.mul_(m)
        else:
            for v, length in zip(n, _lengths(n, how), strict=True):
                v.mul_(radius / length.maximum(radius).clamp_min_(tiny))
        for before, v, ahead in zip(old, n, self.q, strict=True):
            torch.lerp(before, v, 1.0 + float(momentum), out=ahead)
        self.p, self.n = n, old
        return self.p, self.q

    def _ascend(self, g: Tensor, how: Steps) -> None:
        """n = q + length D (g - D^T q)."""
        x, last = self.x.copy_(g), [g.shape[axis] - 1 for axis, _ in how.axes]
        each = list(zip(self.q, self.n, how.axes, last, strict=True))
        for q, _, (_, by), _ in each:
            x.add_(q, alpha=by)
        for q, _, (axis, by), end in each:
            x.narrow(axis, 1, end).sub_(q.narrow(axis, 0, end), alpha=by)
            if how.circular:
                x.narrow(axis, 0, 1).sub_(q.narrow(axis, end, 1), alpha=by)
        for q, n, (axis, by), end in each:
            inner = n.narrow(axis, 0, end)
            torch.sub(x.narrow(axis, 1, end), x.narrow(axis, 0, end), out=inner)
            if how.circular:
                torch.sub(x.narrow(axis, 0, 1), x.narrow(axis, end, 1), out=n.narrow(axis, end, 1))
            else:
                n.narrow(axis, end, 1).zero_()
            torch.add(q, n, alpha=how.length * by, out=n)


def huber(length: Tensor, width: float) -> Tensor:
    """r^2 / (2 width) up to the width, r - width / 2 from there; r itself for width 0."""
    if not width:
        return length
    return torch.where(length < width, length * length / (2 * width), length - width / 2)


def _gap(g: Tensor, x: Tensor, p: Dual, radius: Tensor, width: float, how: Steps) -> Tensor:
    """Relative duality gap of x = g - D^T p, ``(B,)``."""
    d = _differences(x, how)
    lengths = _lengths(d, how)
    groups = lengths[:1] if how.isotropic else lengths
    each = radius.reshape(-1)
    variation = each * sum(image_sum(huber(v, width)) for v in groups)
    inner = sum(image_sum(v * w) for v, w in zip(p, d, strict=True))
    if width:
        square = sum(image_sum(v * v) for v in p)
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
        g: Tensor, p: Dual, q: Dual, r: Tensor, bend: Tensor | None, momentum: float, how: Steps
    ) -> tuple[Dual, Dual]:
        # as a tensor, so that a new momentum does not cause recompilation
        now = torch.tensor(momentum, dtype=g.dtype, device=g.device)
        return fast(g, p, q, r, bend, now, how)

    return step
