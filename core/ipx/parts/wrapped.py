"""Priors made of another prior, with its traits."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from torch import Tensor

from ipx.declare.capabilities import (
    Prox,
    ProxConjugate,
    QuadraticPrior,
    Scalar,
    Shape,
    Value,
    has,
    using,
)
from ipx.declare.options import NoOptions
from ipx.numerics.tensors import per_image
from ipx.parts.linear import AnyLinear, Identity, LinearOperator
from ipx.parts.prior import OuterProx, Prior


class Wrapped(Prior[NoOptions]):
    """A wrapper of a prior: its traits, the capability ``gives``, and `Value` if it has that."""

    provides = ()
    gives: type

    def __init__(self, prior: Prior[Any], **changed: Any) -> None:
        super().__init__()
        self.prior = prior
        self.traits = replace(prior.traits, **changed)
        kept = {Value} if has(prior, Value) else set()
        self.capabilities = frozenset({self.gives, *kept})

    @property
    def unit(self) -> float:
        """`Prior.unit` of the wrapped prior."""
        return self.prior.unit

    def value(self, x: Tensor) -> Tensor:
        """R(x)."""
        return using(self.prior, Value).value(x)


class IdentityPart(Wrapped, OuterProx[NoOptions]):
    """A prior with a prox as g(Kx) with K = I."""

    gives = ProxConjugate

    def __init__(self, prior: Prior[Any]) -> None:
        super().__init__(prior, basis="identity")

    def linear_part(self, image_shape: Shape) -> AnyLinear:
        """The identity."""
        return Identity(image_shape)

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """prox of R."""
        return using(self.prior, Prox).prox(u, t)


class QuadraticPart(Wrapped, OuterProx[NoOptions]):
    """R(x) = 1/2 |L x|^2 as g(Kx) with K = L and g = 1/2 |.|^2."""

    gives = ProxConjugate

    def linear_part(self, image_shape: Shape) -> AnyLinear:
        """L."""
        part = using(self.prior, QuadraticPrior).quadratic_part(image_shape)
        assert isinstance(part, LinearOperator)
        return part

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """u / (1 + t)."""
        return u / (1 + per_image(t, u))
