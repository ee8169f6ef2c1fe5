"""Deep equilibrium: the fixed point of one learned stage, and gradients through it.

x* = g(x*) is found by Anderson acceleration, without storing the iterates for the gradient. By the
implicit function theorem the gradient is that of one more step, with the incoming gradient v
replaced by the solution of w = v + (dg/dx*)^T w, again by Anderson acceleration (Bai, Kolter,
Koltun, NeurIPS 2019; Gilton, Ongie, Willett, IEEE TCI 7, 2021).
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from typing import Any

import torch
from torch import Tensor

from ipx import Problem
from ipx.toolkit import anderson
from ipx_plugins.unrolled.solver import Unrolled, UnrolledState


def equilibrium(solver: Unrolled, problem: Problem) -> Tensor:
    """The fixed point of the stage, ``(B, C, H, W)``, with implicit gradients."""
    with torch.no_grad():
        start = solver.init(problem)
        names = _moving(start.inner)

        def forward(v: Tensor) -> Tensor:
            return _joined(_stepped(solver, problem, start, names, v), names)

        point = anderson(forward, _joined(start, names))
    if not torch.is_grad_enabled():
        return _stepped(solver, problem, start, names, point).x
    point = point.detach().requires_grad_()
    after = _stepped(solver, problem, start, names, point)
    moved = _joined(after, names)
    # a second pass over the same map, whose graph gives products with its Jacobian
    seen = point.detach().requires_grad_()
    again = _joined(_stepped(solver, problem, start, names, seen), names)

    def hook(v: Tensor) -> Tensor:
        def backward(w: Tensor) -> Tensor:
            (product,) = torch.autograd.grad(again, seen, w, retain_graph=True)
            return v + product

        return anderson(backward, v)

    moved = _Implicit.apply(moved, hook)  # type: ignore[no-untyped-call]  # missing in its stubs
    return _stepped(solver, problem, start, names, moved).x


class _Implicit(torch.autograd.Function):
    """The identity; a function is applied to its incoming gradient."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, hook: Callable[[Tensor], Tensor]) -> Tensor:
        ctx.hook = hook
        return x.view_as(x)

    @staticmethod
    def backward(ctx: Any, v: Tensor) -> tuple[Tensor, None]:
        return ctx.hook(v), None


def _moving(inner: Any) -> list[str]:
    """Names of the variables of the base algorithm that are pictures."""
    return [
        f.name
        for f in fields(inner)
        if isinstance(getattr(inner, f.name), Tensor) and getattr(inner, f.name).ndim == 4
    ]


def _joined(state: UnrolledState, names: list[str]) -> Tensor:
    return torch.cat([getattr(state.inner, n) for n in names], 1)


def _stepped(
    solver: Unrolled, problem: Problem, start: UnrolledState, names: list[str], v: Tensor
) -> UnrolledState:
    sizes = [getattr(start.inner, n).shape[1] for n in names]
    parts = dict(zip(names, torch.split(v, sizes, 1), strict=True))
    return solver.step(problem, replace(start, inner=replace(start.inner, **parts)))
