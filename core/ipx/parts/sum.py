"""Sums of priors."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import reduce
from operator import add
from typing import Any

from torch import Tensor

from ipx.declare.capabilities import (
    Grad,
    ProxConjugate,
    QuadraticPrior,
    Scalar,
    Shape,
    Spectrum,
    Value,
    has,
    using,
)
from ipx.declare.options import NoOptions
from ipx.errors import ShapeError
from ipx.numerics.tensors import column, vector
from ipx.parts.linear import AnyLinear, LinearOperator
from ipx.parts.prior import OuterProx, Prior
from ipx.parts.stack import Stacked
from ipx.parts.wrapped import IdentityPart, QuadraticPart
from ipx.planning.rules import summed
from ipx.planning.tree import PLUS, tree


class Sum(OuterProx[NoOptions]):
    """R(x) = sum of w_i R_i(x), with capabilities and traits of `ipx.planning.rules.summed`.

    With R_i(x) = g_i(K_i x) it is g(Kx), K = [K_1; K_2; ...], and g(z) the sum of w_i g_i(z_i). So
    solvers that split z = Kx need to know nothing of sums (Afonso, Bioucas-Dias, Figueiredo, IEEE
    TIP 20(3), 2011).

    Args:
        priors: the R_i.
        weights: the w_i >= 0, each one number or per image ``(B,)``; 1 by default. The weight of
            a constraint, which has none, is ignored.

    Raises:
        UsageError: see `ipx.planning.rules.summed`.
    """

    def __init__(
        self, priors: Sequence[Prior[Any]], weights: Sequence[Scalar] | None = None
    ) -> None:
        super().__init__()
        described = [tree("prior", p) for p in priors]
        names = [d.title for d in described]
        facts = summed([d.facts for d in described], names)
        self.capabilities, self.traits = facts.capabilities, facts.traits
        self.title = PLUS.join(names)
        self.parts = tuple(priors)
        given = [1.0] * len(self.parts) if weights is None else weights
        self.weights: tuple[Scalar, ...] = tuple(
            w if p.traits.weighted else 1.0 for p, w in zip(self.parts, given, strict=True)
        )
        self._split = tuple(_split(p) for p in self.parts) if self._splits else ()
        self._stacks: dict[Shape, Stacked] = {}  # by the shape of K x

    @property
    def _splits(self) -> bool:
        return has(self, ProxConjugate)

    @property
    def unit(self) -> float:
        """The largest of the parts."""
        return max(p.unit for p in self.parts)

    def check(self, image_shape: Shape) -> None:
        """Check each part."""
        for part in self.parts:
            part.check(image_shape)

    def memory(self, image_shape: Shape, itemsize: int = 4) -> float:
        """That of all parts."""
        return sum(part.memory(image_shape, itemsize) for part in self.parts)

    def value(self, x: Tensor) -> Tensor:
        """R(x), ``(B,)``."""
        values = [using(p, Value).value(x) for p in self.parts]
        return reduce(add, (vector(w, x) * v for w, v in zip(self.weights, values, strict=True)))

    def grad(self, x: Tensor) -> Tensor:
        """The gradient of R."""
        slopes = [using(p, Grad).grad(x) for p in self.parts]
        return reduce(
            add, (column(vector(w, x), x) * g for w, g in zip(self.weights, slopes, strict=True))
        )

    def linear_part(self, image_shape: Shape) -> AnyLinear:
        """K = [K_1; K_2; ...].

        Raises:
            ShapeError: images of another shape have a K x of the same shape.
        """
        parts = [using(p, ProxConjugate).linear_part(image_shape) for p in self._split]
        made = Stacked([p for p in parts if isinstance(p, LinearOperator)])
        if self.traits.basis:  # the priors declare it, their linear parts need not
            made.capabilities |= {Spectrum}
            made.traits = replace(made.traits, basis=self.traits.basis)
        before = self._stacks.setdefault(made.data_shape, made)
        if before.image_shape != made.image_shape:
            raise ShapeError(
                f"a sum of priors takes images of one shape: {before.image_shape} came before "
                f"{made.image_shape}"
            )
        return before

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """The prox of each g_i at its part of u, with step w_i t."""
        steps = [vector(w, u) * vector(t, u) for w in self.weights]
        stack = self._stack(u)
        return stack.joined(
            [
                using(p, ProxConjugate).prox_outer(v, s)
                for p, v, s in zip(self._split, stack.split(u), steps, strict=True)
            ]
        )

    def prox_conjugate(self, u: Tensor, t: Scalar, lam: Scalar = 1.0) -> Tensor:
        """The prox of each (lam w_i g_i)* at its part of u."""
        lams = [vector(w, u) * vector(lam, u) for w in self.weights]
        stack = self._stack(u)
        return stack.joined(
            [
                using(p, ProxConjugate).prox_conjugate(v, t, s)
                for p, v, s in zip(self._split, stack.split(u), lams, strict=True)
            ]
        )

    def _stack(self, u: Tensor) -> Stacked:
        """The K whose products have the shape of u."""
        shape = tuple(u.shape[1:])
        if shape not in self._stacks:
            raise ShapeError(f"no linear_part was asked for whose data have the shape {shape}")
        return self._stacks[shape]

    def __repr__(self) -> str:
        return f"Sum({', '.join(map(repr, self.parts))})"


def _split(prior: Prior[Any]) -> Prior[Any]:
    """A part of a sum as g(Kx); the order is that of `ipx.planning.rules.SPLIT`."""
    able = prior.capabilities
    if ProxConjugate in able:
        return prior
    return QuadraticPart(prior) if QuadraticPrior in able else IdentityPart(prior)
