"""Linear operators and their algebra: ``A @ B``, ``A + B``, ``c * A``, ``A.T``."""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from ipx.declare.capabilities import Diagonal, Norm, Shape, Spectrum, has, using
from ipx.declare.options import NoOptions
from ipx.declare.traits import Traits
from ipx.errors import ShapeError
from ipx.numerics.spectral import BasisName, Spectral
from ipx.numerics.tensors import count, image_norm
from ipx.parts.component import O
from ipx.parts.operator import Operator
from ipx.planning.rules import Facts, made

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator as SciPyOperator


LARGE = 1 << 22
"""Values of images above which a norm is found in float32."""


class LinearOperator(Operator[O], ABC):
    """A linear forward operator."""

    @abstractmethod
    def adjoint(self, y: Tensor) -> Tensor:
        """A^T y: ``(B, *data_shape)`` to ``(B, *image_shape)``."""

    def preview(self, y: Tensor) -> Tensor:
        """Normalised back-projection, A^T y / A^T 1; 0 where A^T 1 vanishes."""
        if self.data_shape == self.image_shape and self.known(y) is None:
            return y
        weight = self.adjoint(torch.ones_like(y[:1]))
        seen = weight.abs() > 1e-6 * weight.abs().amax()
        return torch.where(seen, self.adjoint(y) / torch.where(seen, weight, 1.0), 0.0)

    def bound(self) -> float | None:
        """An upper bound of |A| that is at most 1 % larger; None where there is none for the image.

        For operators without `Norm`, whose norm may be known for large images.
        """
        return None

    def near(self, like: Tensor, basis: BasisName) -> Spectral | None:
        """An operator near A^T A that is diagonal in this basis, for preconditioning, or None.

        By default A^T A itself, if it has a `Spectrum` in the basis.
        """
        if not has(self, Spectrum):
            return None
        own = self.spectrum(like)
        return own.within(basis) if own.basis in ("any", basis) else None

    def near_dual(self, like: Tensor) -> Spectral | None:
        """An operator near A A^T that is diagonal in a fast transform of the data, or None.

        With it, the prox of 1/2 |A x - y|^2 is computed among the data, by preconditioned CG.
        """
        return None

    @property
    def T(self) -> LinearOperator[Any]:  # noqa: N802  # the field's name
        """The adjoint as an operator."""
        return Adjointed(self)

    def __matmul__(self, other: LinearOperator[Any]) -> LinearOperator[Any]:
        return Composed(self, other)

    def __add__(self, other: LinearOperator[Any]) -> LinearOperator[Any]:
        return Summed(self, other)

    def __sub__(self, other: LinearOperator[Any]) -> LinearOperator[Any]:
        return self + (-1.0) * other

    def __neg__(self) -> LinearOperator[Any]:
        return (-1.0) * self

    def __rmul__(self, factor: float) -> LinearOperator[Any]:
        return Scaled(float(factor), self)

    def to_scipy(self) -> SciPyOperator:
        """This operator as a `scipy.sparse.linalg.LinearOperator` in float64, on flat vectors."""
        from scipy.sparse.linalg import LinearOperator as SciPyOperator

        def apply(function: Any, v: Any, shape: Shape) -> Any:
            x = torch.from_numpy(np.ascontiguousarray(v, dtype=np.float64)).reshape(1, *shape)
            return function(x).reshape(-1).numpy()

        return SciPyOperator(
            (count(self.data_shape), count(self.image_shape)),
            matvec=lambda v: apply(self.forward, v, self.image_shape),
            rmatvec=lambda v: apply(self.adjoint, v, self.data_shape),
            dtype=np.float64,
        )


AnyLinear = LinearOperator[Any]


class Identity(LinearOperator[NoOptions]):
    """A x = x: denoising, and the linear part of R(x) = g(x)."""

    traits = Traits(basis="any", dims=(2, 3))

    def forward(self, x: Tensor) -> Tensor:
        """x itself."""
        return x

    def adjoint(self, y: Tensor) -> Tensor:
        """y itself."""
        return y

    def diagonal(self, like: Tensor) -> Tensor:
        """1."""
        return torch.ones((), dtype=like.dtype, device=like.device)

    def spectrum(self, like: Tensor) -> Spectral:
        """A^T A = I, diagonal in every transform."""
        return Spectral("any", self.diagonal(like))

    def norm(self) -> float:
        """1."""
        return 1.0

    def part(self, top: int, left: int, height: int, width: int) -> Identity:
        """The identity on a window."""
        return Identity((*self.image_shape[:-2], height, width))


class Made(LinearOperator[NoOptions]):
    """An operator made of others, with the capabilities and traits of `ipx.planning.rules`."""

    rule: str
    factor = 1.0  # other than 1 in `Scaled`

    def __init__(self, image_shape: Shape, data_shape: Shape, parts: Sequence[AnyLinear]) -> None:
        super().__init__(image_shape)
        self.parts, self.data_shape = tuple(parts), data_shape
        facts = made(self.rule, [Facts(p.capabilities, p.traits) for p in parts], self.factor)
        self.capabilities, self.traits = facts.capabilities, facts.traits

    def doubts(self) -> tuple[str, ...]:
        """Those of the parts."""
        return tuple(line for part in self.parts for line in part.doubts())

    def diagonals(self, like: Tensor) -> list[Tensor]:
        """The diagonals of the parts."""
        return [using(p, Diagonal).diagonal(like) for p in self.parts]


class Composed(Made):
    """A @ B: first B, then A."""

    rule = "compose"

    def __init__(self, outer: AnyLinear, inner: AnyLinear) -> None:
        if outer.image_shape != inner.data_shape:
            raise ShapeError(
                f"cannot compose: {type(inner).__name__} gives {inner.data_shape}, "
                f"{type(outer).__name__} takes {outer.image_shape}"
            )
        super().__init__(inner.image_shape, outer.data_shape, (outer, inner))
        self.outer, self.inner = outer, inner

    def forward(self, x: Tensor) -> Tensor:
        return self.outer.forward(self.inner.forward(x))

    def adjoint(self, y: Tensor) -> Tensor:
        return self.inner.adjoint(self.outer.adjoint(y))

    def diagonal(self, like: Tensor) -> Tensor:
        outer, inner = self.diagonals(like)
        return outer * inner

    def preview(self, y: Tensor) -> Tensor:
        return self.inner.preview(self.outer.preview(y))

    def known(self, like: Tensor) -> Tensor | None:
        return self.outer.known(like)

    def quiet(self, y: Tensor) -> Tensor | None:
        return self.outer.quiet(y)

    def view(self, x: Tensor) -> Tensor:
        return self.inner.view(x)


class Summed(Made):
    """A + B. A value is measured where a part measures it: the others give 0 in their holes."""

    rule = "sum"

    def __init__(self, left: AnyLinear, right: AnyLinear) -> None:
        if (left.image_shape, left.data_shape) != (right.image_shape, right.data_shape):
            raise ShapeError(
                f"cannot add: {left.image_shape} -> {left.data_shape} and "
                f"{right.image_shape} -> {right.data_shape}"
            )
        super().__init__(left.image_shape, left.data_shape, (left, right))

    def forward(self, x: Tensor) -> Tensor:
        return self.parts[0].forward(x) + self.parts[1].forward(x)

    def adjoint(self, y: Tensor) -> Tensor:
        return self.parts[0].adjoint(y) + self.parts[1].adjoint(y)

    def diagonal(self, like: Tensor) -> Tensor:
        left, right = self.diagonals(like)
        return left + right

    def known(self, like: Tensor) -> Tensor | None:
        left, right = (p.known(like) for p in self.parts)
        return None if left is None or right is None else left | right

    def view(self, x: Tensor) -> Tensor:
        return self.parts[0].view(x)


class Scaled(Made):
    """c A."""

    rule = "scale"

    def __init__(self, factor: float, operator: AnyLinear) -> None:
        self.factor = factor
        super().__init__(operator.image_shape, operator.data_shape, (operator,))

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * self.parts[0].forward(x)

    def adjoint(self, y: Tensor) -> Tensor:
        return self.factor * self.parts[0].adjoint(y)

    def diagonal(self, like: Tensor) -> Tensor:
        return self.factor * self.diagonals(like)[0]

    def spectrum(self, like: Tensor) -> Spectral:
        return using(self.parts[0], Spectrum).spectrum(like).scaled(self.factor**2)

    def norm(self) -> float:
        return abs(self.factor) * operator_norm(self.parts[0])

    def preview(self, y: Tensor) -> Tensor:
        return self.parts[0].preview(y / self.factor) if self.factor else torch.zeros_like(y)

    def known(self, like: Tensor) -> Tensor | None:
        return self.parts[0].known(like)

    def quiet(self, y: Tensor) -> Tensor | None:
        found = self.parts[0].quiet(y / self.factor) if self.factor else None
        return None if found is None else found * abs(self.factor)

    def view(self, x: Tensor) -> Tensor:
        return self.parts[0].view(x)


class Adjointed(Made):
    """A^T."""

    rule = "adjoint"

    def __init__(self, operator: AnyLinear) -> None:
        super().__init__(operator.data_shape, operator.image_shape, (operator,))

    @property
    def T(self) -> AnyLinear:  # noqa: N802
        return self.parts[0]

    def forward(self, x: Tensor) -> Tensor:
        return self.parts[0].adjoint(x)

    def adjoint(self, y: Tensor) -> Tensor:
        return self.parts[0].forward(y)

    def diagonal(self, like: Tensor) -> Tensor:
        return self.diagonals(like)[0]

    def norm(self) -> float:
        return operator_norm(self.parts[0])


@torch.no_grad()
def operator_norm(
    operator: LinearOperator[Any],
    *,
    like: Tensor | None = None,
    iterations: int = 100,
    tol: float = 1e-4,
) -> float:
    """|A|: the operator's own norm or bound, or by power iteration on A^T A, enlarged by 1 %.

    In float64; in float32 above `LARGE` values, whose memory counts. An operator keeps it, since a
    batch has one operator for all its images.

    Args:
        operator: the operator.
        like: a tensor on the device to use; the CPU when None.
        iterations: the largest number of products with A^T A.
        tol: relative change of |A|^2 at which to stop.
    """
    if has(operator, Norm):
        return operator.norm()
    bound = operator.bound()
    if bound is not None:
        return bound
    device = like.device if like is not None else torch.device("cpu")
    known = operator.__dict__.setdefault("_norms", {})
    key = device, iterations, tol
    if key not in known:
        known[key] = _power(operator, device, iterations, tol)
    norm: float = known[key]
    return norm


def _power(
    operator: LinearOperator[Any], device: torch.device, iterations: int, tol: float
) -> float:
    """`operator_norm` by power iteration."""
    generator = torch.Generator().manual_seed(0)
    dtype = torch.float64 if count(operator.image_shape) <= LARGE else torch.float32
    x = torch.randn(1, *operator.image_shape, generator=generator, dtype=dtype)
    x = (x / x.norm()).to(device)
    last = square = 0.0
    for _ in range(iterations):
        x = operator.adjoint(operator.forward(x))
        square = float(image_norm(x))
        if square == 0:
            return 0.0
        x = x / square
        if abs(square - last) <= tol * square:
            break
        last = square
    return 1.01 * math.sqrt(square)


@torch.no_grad()
def signed_data(operator: Operator[Any]) -> bool:
    """The trait ``signed``, tried on random images, for operators whose code nobody knows.

    True if data of images in [0, 1] fall below 0 by more than interpolating kernels overshoot.
    """
    generator = torch.Generator().manual_seed(0)
    x = torch.rand(2, *operator.image_shape, generator=generator)
    x = torch.cat([x.round(), x])
    y = operator.forward(x)
    return bool(y.min() < -0.2 * (y.square().mean() / x.square().mean()).sqrt())


def is_identity(part: AnyLinear, like: Tensor) -> bool:
    """True if K x = x."""
    return has(part, Diagonal) and bool((part.diagonal(like) == 1).all())
