"""Priors R(x) = min_w G(x, w): the unknown becomes the image x with the field w as channels.

Total generalised variation is such a prior (Bredies, Kunisch, Pock 2010). Its value and its prox
have no closed form, but G has the form g(K [x; w]), which primal-dual solvers and ADMM handle.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ipx.declare.capabilities import (
    AuxiliaryField,
    ProxConjugate,
    Scalar,
    Shape,
    Value,
    using,
)
from ipx.declare.options import NoOptions
from ipx.declare.traits import Traits
from ipx.numerics.spectral import Spectral
from ipx.parts.linear import AnyLinear, LinearOperator, operator_norm
from ipx.parts.normal import NormalSystem
from ipx.parts.operator import Operator
from ipx.parts.prior import OuterProx, Prior
from ipx.parts.wrapped import Wrapped
from ipx.planning.rules import widened
from ipx.solving.problem import Code, Problem


class Widened(Operator[NoOptions]):
    """A S, S x the first channels of an unknown with ``more`` further channels."""

    provides = ()

    def __init__(self, operator: Operator[Any], more: int) -> None:
        channels, *size = operator.image_shape
        super().__init__((channels + more, *size))
        self.inner, self.channels, self.more = operator, channels, more
        self.data_shape = operator.data_shape
        self.capabilities = widened(operator.capabilities)
        self.traits = Traits(signed=operator.traits.signed, complex=operator.traits.complex)

    def forward(self, x: Tensor) -> Tensor:
        """A S x."""
        return self.inner.forward(x[:, : self.channels])

    def known(self, like: Tensor) -> Tensor | None:
        """The mask of A."""
        return self.inner.known(like)


class WidenedLinear(Widened, LinearOperator[NoOptions]):
    """`Widened` of a linear operator."""

    inner: AnyLinear

    def adjoint(self, y: Tensor) -> Tensor:
        """S^T A^T y: zero in the further channels."""
        x = self.inner.adjoint(y)
        return torch.cat([x, x.new_zeros(x.shape[0], self.more, *x.shape[2:])], 1)

    def norm(self) -> float:
        """|A|."""
        return operator_norm(self.inner)

    def solve_normal(self, b: Tensor, weight: Spectral) -> Tensor:
        """(S^T A^T A S + rho I)^-1 b, rho the ``weight``; the further channels are b / rho."""
        system = NormalSystem(self.inner, b)
        x = system.solve(b[:, : self.channels], weight.gram)
        return torch.cat([x, b[:, self.channels :] / weight.gram], 1)


class Joint(Wrapped, OuterProx[NoOptions]):
    """G, as a prior on the unknown [x; w]."""

    gives = ProxConjugate

    def __init__(self, prior: Prior[Any]) -> None:
        super().__init__(prior, basis="")
        self.capabilities = frozenset({Value, ProxConjugate})
        self._joint = using(prior, AuxiliaryField).joint()

    def value(self, x: Tensor) -> Tensor:
        """G(x, w)."""
        return using(self._joint, Value).value(x)

    def linear_part(self, image_shape: Shape) -> AnyLinear:
        """K."""
        part: AnyLinear = self._joint.linear_part(image_shape)
        return part

    def prox_outer(self, u: Tensor, t: Scalar) -> Tensor:
        """argmin_z g(z) + |z - u|^2 / (2 t)."""
        return using(self._joint, ProxConjugate).prox_outer(u, t)

    def prox_conjugate(self, u: Tensor, t: Scalar, lam: Scalar = 1.0) -> Tensor:
        """argmin_z (lam g)*(z) + |z - u|^2 / (2 t)."""
        return using(self._joint, ProxConjugate).prox_conjugate(u, t, lam)


def auxiliary_field(problem: Problem) -> Problem:
    """The problem with the field of the prior as further channels of the unknown."""
    prior, channels = using(problem.prior, AuxiliaryField), problem.image_shape[0]
    more = prior.field(problem.y.new_zeros(1, *problem.image_shape)).shape[1]
    linear = isinstance(problem.operator, LinearOperator)
    return problem.changed(
        operator=(WidenedLinear if linear else Widened)(problem.operator, more),
        prior=Joint(problem.prior),
        code=Code(
            problem.operator,
            decode=lambda u: u[:, :channels],
            encode=lambda x: torch.cat([x, prior.field(x)], 1),
        ),
    )
