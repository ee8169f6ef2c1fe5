"""The problem: min_x f(x) + lam R(x), f made by operator, noise and data together."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any, cast

import torch
from torch import Tensor

from ipx.declare import capabilities as cap
from ipx.declare.adapters import choose
from ipx.declare.capabilities import Scalar
from ipx.declare.specs import AdapterSpec
from ipx.errors import PlanError, ShapeError
from ipx.parts.component import has, image_norm, per_image
from ipx.parts.noise import Noise
from ipx.parts.operator import LinearOperator, Operator, operator_norm
from ipx.parts.prior import Prior


def data_capabilities(operator: Operator[Any], noise: Noise[Any]) -> frozenset[type]:
    """What operator and noise can do together, the input of the data bridges."""
    return operator.provides() | noise.provides()


class DataTerm:
    """f(x) = nll(A x, y), with whatever gradient and prox operator and noise allow.

    The bridges are chosen once, exact ones first; ``bridges`` overrides the choice (a plan does).
    """

    def __init__(
        self,
        operator: Operator[Any],
        noise: Noise[Any],
        y: Tensor,
        bridges: dict[type, AdapterSpec] | None = None,
    ) -> None:
        self.operator, self.noise, self.y = operator, noise, y
        self._specs = dict(bridges or {})
        self._made: dict[type, Any] = {}
        self._norm: float | None = None

    def bridge(self, capability: type) -> Any:
        """The object that gives a data capability.

        Raises:
            PlanError: none can be built from this operator and noise.
        """
        if capability not in self._made:
            spec = self._specs.get(capability) or choose(
                capability, "data", data_capabilities(self.operator, self.noise)
            )
            if spec is None:
                raise PlanError(
                    f"{type(self.operator).__name__} with {type(self.noise).__name__} "
                    f"gives no {cap.name_of(capability)}"
                )
            self._made[capability] = spec.load()(self.operator, self.noise, self.y)
        return self._made[capability]

    def can(self, capability: type) -> bool:
        """True when a bridge to this data capability exists."""
        caps = data_capabilities(self.operator, self.noise)
        return capability in self._specs or choose(capability, "data", caps) is not None

    @property
    def quadratic(self) -> bool:
        """True when f(x) = 1/2 |A x - y|^2 with A linear."""
        return self.can(cap.DataQuadratic)

    def value(self, x: Tensor) -> Tensor:
        """f(x) per image, ``(B,)``."""
        return self.noise.nll(self.operator.forward(x), self.y)

    def grad(self, x: Tensor) -> Tensor:
        """Gradient of f."""
        return cast(Tensor, self.bridge(cap.DataGrad).grad(x))

    def prox(self, v: Tensor, t: Scalar, guess: Tensor | None = None) -> Tensor:
        """argmin_u f(u) + |u - v|^2 / (2 t); ``guess`` warm-starts an iterative one."""
        return cast(Tensor, self.bridge(cap.DataProx).prox(v, t, guess))

    def operator_norm(self) -> float:
        """|A|, computed once."""
        if self._norm is None:
            self._norm = operator_norm(cast("LinearOperator[Any]", self.operator), like=self.y)
        return self._norm

    def lipschitz(self) -> Scalar:
        """A Lipschitz constant of the gradient, curvature(noise) |A|^2, per image or one.

        For an operator without an adjoint there is none to state; 1 is given, and solvers
        that backtrack find their own.
        """
        if not has(self.operator, cap.Adjoint):
            return 1.0
        return self.noise.curvature(self.y) * self.operator_norm() ** 2


@dataclass(frozen=True)
class Problem:
    """y, operator, noise, prior and lam: everything a solver sees.

    Attributes:
        y: data ``(B, *operator.data_shape)``.
        operator: the forward operator.
        noise: the noise model, which is the data term.
        prior: the prior.
        lam: weight of the prior, >= 0, one or per image ``(B,)``.
        x0: start ``(B, C, H, W)``; ``operator.preview(y)`` when None. Where the unknown is a
            code ``(B, n)`` it may be one.
        hard: the data are free of noise; measured pixels of a diagonal operator are then kept
            as they are.
        estimated: the noise level was estimated from y, not told.
        bridges: data bridges chosen by a plan.
    """

    y: Tensor
    operator: Operator[Any]
    noise: Noise[Any]
    prior: Prior[Any]
    lam: Scalar = 1.0
    x0: Tensor | None = None
    hard: bool = False
    estimated: bool = False
    bridges: dict[type, AdapterSpec] | None = None

    def __post_init__(self) -> None:
        if tuple(self.y.shape[1:]) != self.operator.data_shape:
            raise ShapeError(
                f"the data have shape {tuple(self.y.shape[1:])}, "
                f"the operator gives {self.operator.data_shape}"
            )
        picture = self.operator.physical.image_shape
        fits = (picture, self.operator.image_shape)
        if self.x0 is not None and tuple(self.x0.shape[1:]) not in fits:
            raise ShapeError(
                f"the start has shape {tuple(self.x0.shape[1:])}, the operator takes {picture}"
            )
        known = self.operator.known(self.y)
        if known is not None:  # what stands where nothing was measured is no data
            measured = torch.where(known, self.y, torch.zeros((), dtype=self.y.dtype))
            object.__setattr__(self, "y", measured)

    @cached_property
    def data(self) -> DataTerm:
        """The data term."""
        return DataTerm(self.operator, self.noise, self.y, self.bridges)

    def objective(self, x: Tensor) -> Tensor:
        """f(x) + lam R(x), ``(B,)``; NaN where the prior has no value to state."""
        value = self.data.value(x)
        if not has(self.prior, cap.Value):
            return torch.full_like(value, torch.nan)
        return value + self.lam * cast(cap.Value, self.prior).value(x)

    def start(self) -> Tensor:
        """The start of the iterations: a picture, or a code where that is the unknown."""
        x = self.x0 if self.x0 is not None else self.operator.preview(self.y)
        if tuple(x.shape[1:]) == self.operator.image_shape:
            return x
        return self.operator.unknown(x)

    def with_lam(self, lam: Scalar, x0: Tensor | None = None) -> Problem:
        """The same problem with another weight, and another start when one is given.

        The data term and what it has worked out (norms, A^T y) are shared.
        """
        other = replace(self, lam=lam, x0=self.x0 if x0 is None else x0)
        other.__dict__["data"] = self.data
        return other

    def with_prior(self, prior: Prior[Any], lam: Scalar) -> Problem:
        """The same problem with another prior; the data term is shared, as in `with_lam`."""
        other = replace(self, prior=prior, lam=lam)
        other.__dict__["data"] = self.data
        return other

    def keep_known(self, x: Tensor) -> Tensor:
        """x with the measured pixels put back, when the data are free of noise."""
        operator = self.operator.physical
        if not self.hard or not has(operator, cap.Diagonal):
            return x
        d = cast(cap.Diagonal, operator).diagonal(x)
        seen = d != 0
        return torch.where(seen, self.y / torch.where(seen, d, torch.ones_like(d)), x)

    def residual(self, x: Tensor) -> Tensor:
        """|A x - y| per image."""
        return image_norm(self.operator.forward(x) - self.y)


__all__ = ["DataTerm", "Problem", "data_capabilities", "per_image"]
