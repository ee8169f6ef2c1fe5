"""The problem: min_x f(x) + sum of lam R(x), with f from operator, noise and data."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, TypeVar

import torch
from torch import Tensor

from ipx.declare.capabilities import (
    Adjoint,
    DataGrad,
    DataProx,
    Diagonal,
    NoiseGrad,
    Quadratic,
    Scalar,
    Shape,
    Value,
    has,
    using,
)
from ipx.declare.traits import LEAST_SIGMA
from ipx.errors import PlanError, ShapeError, UsageError
from ipx.files.arrays import batch_of
from ipx.numerics.tensors import per_image
from ipx.parts.linear import LinearOperator, operator_norm
from ipx.parts.noise import Noise
from ipx.parts.operator import Operator
from ipx.parts.prior import Prior
from ipx.parts.sum import Sum
from ipx.planning.plan import Plan

C = TypeVar("C")
Way = Callable[[Operator[Any], Noise[Any], Tensor], Any]
"""Makes the implementation of a data capability from operator, noise and data."""


class DataTerm:
    """f(x) = nll(A x, y), with the capabilities from the bridges of a plan."""

    def __init__(
        self,
        operator: Operator[Any],
        noise: Noise[Any],
        y: Tensor,
        ways: Mapping[type, Way] | None = None,
    ) -> None:
        self.operator, self.noise, self.y = operator, noise, y
        self._ways = dict(ways or {})
        self._made: dict[type, Any] = {}

    @property
    def capabilities(self) -> frozenset[type]:
        """Those from the bridges: `DataGrad`, `DataProx`, ..."""
        return frozenset(self._ways)

    def way(self, capability: type[C]) -> C:
        """The implementation of a capability.

        Raises:
            PlanError: no bridge of the plan provides it.
        """
        if capability not in self._made:
            if capability not in self._ways:
                raise PlanError(
                    f"{type(self.operator).__name__} with {type(self.noise).__name__} gives no "
                    f"{capability.__name__} here: the problem is not attached to a plan with it"
                )
            self._made[capability] = self._ways[capability](self.operator, self.noise, self.y)
        found: C = self._made[capability]
        return found

    @property
    def quadratic(self) -> bool:
        """True if f(x) = 1/2 |A x - y|^2 with A linear."""
        return has(self.operator, Adjoint) and has(self.noise, Quadratic)

    def value(self, x: Tensor) -> Tensor:
        """f(x) per image, ``(B,)``."""
        return self.noise.nll(self.operator.forward(x), self.y)

    def grad(self, x: Tensor) -> Tensor:
        """Gradient of f."""
        return self.way(DataGrad).grad(x)

    def prox(self, v: Tensor, t: Scalar, guess: Tensor | None = None) -> Tensor:
        """argmin_u f(u) + |u - v|^2 / (2 t); ``guess`` warm-starts inner iterations."""
        return self.way(DataProx).prox(v, t, guess)

    @cached_property
    def _norm(self) -> float:
        assert isinstance(self.operator, LinearOperator)
        return operator_norm(self.operator, like=self.y)

    def operator_norm(self) -> float:
        """|A|, computed once."""
        return self._norm

    def lipschitz(self) -> Scalar:
        """A Lipschitz constant of grad f, `Noise.curvature` |A|^2, per image or one for all.

        For an operator without adjoint it is unknown: 1, for solvers that backtrack.
        """
        if not has(self.operator, Adjoint):
            return 1.0
        return self.noise.curvature(self.y) * self.operator_norm() ** 2


@dataclass(frozen=True)
class Term:
    """lam R(x): a prior and its weight >= 0, one for all images or ``(B,)``."""

    prior: Prior[Any]
    lam: Scalar = 1.0


@dataclass(frozen=True)
class Code:
    """The change of variable x = D(z) from the picture x to a code z as the unknown."""

    operator: Operator[Any]  # on pictures
    decode: Callable[[Tensor], Tensor]
    encode: Callable[[Tensor], Tensor]


@dataclass(frozen=True, init=False)
class Problem:
    """Data, operator, noise and priors: ``Problem(y, operator, noise, prior, lam)``.

    Attributes:
        y: data ``(B, *operator.data_shape)``; an array, list or Pillow image becomes such a tensor,
            see `ipx.solve`.
        operator: the forward operator on the unknown.
        noise: the noise model, which defines the data term.
        terms: the priors and their weights; `prior` and `lam` are those of their sum.
        x0: start ``(B, C, H, W)``, or a code ``(B, n)`` where that is the unknown;
            `preview` when None.
        hard: the data are free of noise; pixels measured by a diagonal operator keep their value.
        estimated: the noise level was estimated from y, not given.
        code: the change of variable; None if the unknown is the picture.
        ways: implementations of data capabilities, from bridges.
        plan: the plan whose bridges are applied; None before `ipx.attach`.
        unit: the unit of the image, one for all or ``(B,)``: `shown` multiplies by it.
        memo: see `derived`.
    """

    y: Tensor
    operator: Operator[Any]
    noise: Noise[Any]
    terms: tuple[Term, ...]
    x0: Tensor | None
    hard: bool
    estimated: bool
    code: Code | None
    ways: Mapping[type, Way]
    plan: Plan | None
    unit: Scalar
    memo: dict[Any, Any] = field(compare=False, repr=False)

    def __init__(
        self,
        y: Any,
        operator: Operator[Any],
        noise: Noise[Any],
        prior: Prior[Any] | None = None,
        lam: Scalar | None = None,
        x0: Any = None,
        hard: bool = False,
        estimated: bool = False,
        *,
        terms: tuple[Term, ...] = (),
        code: Code | None = None,
        ways: Mapping[type, Way] | None = None,
        plan: Plan | None = None,
        unit: Scalar = 1.0,
        memo: dict[Any, Any] | None = None,
    ) -> None:
        y = batch_of(y, operator.data_shape)
        if tuple(y.shape[1:]) != operator.data_shape:
            raise ShapeError(
                f"the data have shape {tuple(y.shape[1:])}, the operator gives "
                f"{operator.data_shape}"
                + ("; shapes of images are (C, H, W)" if len(operator.image_shape) < 3 else "")
            )
        if not terms and prior is None:
            raise UsageError("a problem needs a prior; ipx.prior('none') is none")
        if prior is not None or lam is not None:
            terms = (_changed(terms, prior, lam),)
        known = operator.known(y)
        if known is not None:  # values that were not measured are set to zero
            y = torch.where(known, y, torch.zeros((), dtype=y.dtype))
        values = {
            "y": y, "operator": operator, "noise": noise, "terms": terms, "x0": x0,
            "hard": hard, "estimated": estimated, "code": code, "ways": dict(ways or {}),
            "plan": plan, "unit": unit, "memo": {},
        }  # fmt: skip
        for name, value in values.items():
            object.__setattr__(self, name, value)
        if x0 is not None:
            object.__setattr__(self, "x0", x0 := batch_of(x0, self.physical.image_shape))
        fits = (self.physical.image_shape, operator.image_shape)
        if x0 is not None and tuple(x0.shape[1:]) not in fits:
            raise ShapeError(
                f"the start has shape {tuple(x0.shape[1:])}, the operator takes {fits[0]}"
            )

    @property
    def prior(self) -> Prior[Any]:
        """The prior; of several terms the weighted mean of their priors, a `Sum`."""
        return self._whole.prior

    @property
    def lam(self) -> Scalar:
        """The weight; of several terms the sum of theirs."""
        return self._whole.lam

    @cached_property
    def _whole(self) -> Term:
        return joined(self.terms)

    @property
    def physical(self) -> Operator[Any]:
        """The operator on pictures; differs from ``operator`` where the unknown is a code."""
        return self.operator if self.code is None else self.code.operator

    @property
    def image_shape(self) -> Shape:
        """``(C, H, W)`` of the picture."""
        return self.physical.image_shape

    def picture(self, unknown: Tensor) -> Tensor:
        """The picture of an unknown: itself, or D(z) of a code."""
        return unknown if self.code is None else self.code.decode(unknown)

    def shown(self, picture: Tensor) -> Tensor:
        """The part of a picture that is handed out, `ipx.Operator.view`, in the unit of the user.

        It is another unit where `ipx.solve` divided the data by their largest value.
        """
        seen = self.physical.view(picture)
        return seen if isinstance(self.unit, float) else seen * per_image(self.unit, seen)

    def unknown(self, picture: Tensor) -> Tensor:
        """The unknown of a picture: itself, or its code E(x)."""
        return picture if self.code is None else self.code.encode(picture)

    @cached_property
    def data(self) -> DataTerm:
        """The data term."""
        return DataTerm(self.operator, self.noise, self.y, self.ways)

    def derived(self, key: Any, make: Callable[[], C]) -> C:
        """``make()``, computed once for this problem, such as a factorisation.

        It is shared with problems that differ in lam and start only: ``make`` must not use these.
        """
        if key not in self.memo:
            self.memo[key] = make()
        found: C = self.memo[key]
        return found

    def objective(self, x: Tensor) -> Tensor:
        """f(x) + sum of lam R(x), ``(B,)``; NaN if a prior has no `Value`."""
        value = self.data.value(x)
        if not all(has(term.prior, Value) for term in self.terms):
            return torch.full_like(value, torch.nan)
        return value + self.lam * using(self.prior, Value).value(x)

    def preview(self) -> Tensor:
        """The data as an image, `ipx.Operator.preview` of what `ipx.Noise.centred` leaves.

        It is the same tensor each time: do not change it in place.
        """
        return self.derived("preview", lambda: self.physical.preview(self.noise.centred(self.y)))

    def start(self) -> Tensor:
        """The start of the iterations, of the shape of the unknown; not to be changed in place."""
        x = self.x0 if self.x0 is not None else self.preview()
        return x if tuple(x.shape[1:]) == self.operator.image_shape else self.unknown(x)

    def with_lam(self, lam: Scalar, x0: Tensor | None = None) -> Problem:
        """The same problem with another weight, and another start unless it is None.

        The data term and `derived` values are shared.
        """
        terms = (Term(self.prior, lam),)  # the same prior: what is derived of it stays valid
        other = self._sharing(self.changed(terms=terms, x0=self.x0 if x0 is None else x0))
        object.__setattr__(other, "memo", self.memo)
        return other

    def with_prior(self, prior: Prior[Any], lam: Scalar) -> Problem:
        """The same problem with another prior; the data term is shared."""
        return self._sharing(replace(self, terms=(Term(prior, lam),)))

    def changed(self, **values: Any) -> Problem:
        """The same problem with other arguments of its constructor; nothing is shared.

        A ``prior`` or ``lam`` makes one term of several.
        """
        return replace(self, **values)

    def with_way(self, capability: type, way: Way) -> Problem:
        """The same problem with one more capability of its data term."""
        return replace(self, ways={**self.ways, capability: way})

    def _sharing(self, other: Problem) -> Problem:
        other.__dict__["data"] = self.data
        return other

    def keep_known(self, x: Tensor) -> Tensor:
        """x with the measured pixels restored if the data are free of noise."""
        if not self.hard or not has(self.physical, Diagonal):
            return x
        d = using(self.physical, Diagonal).diagonal(x)
        seen = d != 0
        return torch.where(seen, self.y / torch.where(seen, d, torch.ones_like(d)), x)


def joined(terms: Sequence[Term]) -> Term:
    """lam R(x) = sum of lam_i R_i(x), lam the sum of the lam_i; a single term itself.

    Raises:
        UsageError: the priors have no sum, see `ipx.planning.rules.summed`.
    """
    if len(terms) == 1:
        return terms[0]
    own = [term.lam for term in terms if term.prior.traits.weighted]
    total = sum(own[1:], start=own[0]) if own else 1.0
    priors = [term.prior for term in terms]
    return Term(Sum(priors, [_share(term.lam, total) for term in terms]), total)


def _share(lam: Scalar, total: Scalar) -> Scalar:
    """lam / total, and 1 where there is no weight at all."""
    if isinstance(lam, Tensor) or isinstance(total, Tensor):
        whole = torch.as_tensor(total)
        some = whole > 0
        return torch.where(some, lam / torch.where(some, whole, 1.0), 1.0)
    return lam / total if total > 0 else 1.0


def _changed(terms: Sequence[Term], prior: Prior[Any] | None, lam: Scalar | None) -> Term:
    """The terms as one, with another prior or weight."""
    if not terms:
        assert prior is not None
        return Term(prior, 1.0 if lam is None else lam)
    whole = joined(terms)
    return Term(prior or whole.prior, whole.lam if lam is None else lam)


def known_count(problem: Problem) -> Tensor:
    """Number of measured values per image, ``(B,)``."""
    y = problem.y
    known = problem.operator.known(y)
    total = y[0].numel() if known is None else int(known.expand_as(y[:1]).sum())
    return torch.full((y.shape[0],), float(total), dtype=y.dtype, device=y.device)


def noise_variance(problem: Problem) -> Tensor:
    """Twice the expected data term of a value, per image ``(B,)``; `noise_deviation` if `kinked`.

    It is the unit of lam. For Gaussian noise it is the variance; for others see `noise_deviation`.
    """
    if kinked(problem):
        return noise_deviation(problem).clamp_min(LEAST_SIGMA)
    count = known_count(problem)
    return 2 * problem.noise.expected(problem.y, count) / count


def kinked(problem: Problem) -> bool:
    """True if the data term has no gradient, such as |A x - y|_1.

    It then grows as the deviation, not as its square: at a deviation s it is about as curved as
    1 / s times 1/2 |A x - y|^2.
    """
    return not (has(problem.noise, NoiseGrad) or has(problem.noise, Quadratic))


def noise_deviation(problem: Problem) -> Tensor:
    """Root mean square of the noise of the measured values, in the unit of y, ``(B,)``."""
    known, square = problem.operator.known(problem.y), problem.noise.deviation(problem.y) ** 2
    square = square.expand_as(problem.y)
    square = square if known is None else torch.where(known, square, torch.zeros_like(square))
    return (square.flatten(1).sum(1) / known_count(problem).clamp_min(1)).sqrt()
