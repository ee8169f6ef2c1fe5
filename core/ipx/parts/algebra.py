"""The algebra of linear operators, and the bridge to SciPy."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, cast

import numpy as np
import torch
from torch import Tensor

from ipx.declare.capabilities import Adjoint, Diagonal, Norm, NormalSolve, Shape, Spectrum
from ipx.declare.options import NoOptions
from ipx.errors import ShapeError
from ipx.numerics.spectral import Spectral
from ipx.parts.component import count, has
from ipx.parts.operator import LinearOperator, operator_norm

if TYPE_CHECKING:
    from scipy.sparse.linalg import LinearOperator as SciPyOperator

AnyLinear = LinearOperator[Any]


class _Made(LinearOperator[NoOptions]):
    """An operator made of others; it has only the capabilities that `_kept` lists."""

    parts: tuple[AnyLinear, ...]

    @property
    def signed(self) -> bool:  # type: ignore[override]  # by those it is made of
        return any(p.signed for p in self.parts)

    def _kept(self) -> set[type]:
        return set()

    def provides(self) -> frozenset[type]:
        return frozenset({Adjoint} | self._kept())


class Composed(_Made):
    """A @ B: first B, then A."""

    def __init__(self, outer: AnyLinear, inner: AnyLinear) -> None:
        if outer.image_shape != inner.data_shape:
            raise ShapeError(
                f"cannot compose: {type(inner).__name__} gives {inner.data_shape}, "
                f"{type(outer).__name__} takes {outer.image_shape}"
            )
        super().__init__(inner.image_shape)
        self.outer, self.inner = outer, inner
        self.parts = (outer, inner)
        self.data_shape = outer.data_shape

    def _kept(self) -> set[type]:
        return {Diagonal} if all(has(p, Diagonal) for p in self.parts) else set()

    def forward(self, x: Tensor) -> Tensor:
        return self.outer.forward(self.inner.forward(x))

    def adjoint(self, y: Tensor) -> Tensor:
        return self.inner.adjoint(self.outer.adjoint(y))

    def diagonal(self, like: Tensor) -> Tensor:
        d: list[Tensor] = [cast(Diagonal, p).diagonal(like) for p in self.parts]
        return d[0] * d[1]

    def preview(self, y: Tensor) -> Tensor:
        return self.inner.preview(self.outer.preview(y))

    def known(self, like: Tensor) -> Tensor | None:
        return self.outer.known(like)


class Summed(_Made):
    """A + B."""

    def __init__(self, left: AnyLinear, right: AnyLinear) -> None:
        if (left.image_shape, left.data_shape) != (right.image_shape, right.data_shape):
            raise ShapeError(
                f"cannot add: {left.image_shape} -> {left.data_shape} and "
                f"{right.image_shape} -> {right.data_shape}"
            )
        super().__init__(left.image_shape)
        self.parts = (left, right)
        self.data_shape = left.data_shape

    def _kept(self) -> set[type]:
        return {Diagonal} if all(has(p, Diagonal) for p in self.parts) else set()

    def forward(self, x: Tensor) -> Tensor:
        return self.parts[0].forward(x) + self.parts[1].forward(x)

    def adjoint(self, y: Tensor) -> Tensor:
        return self.parts[0].adjoint(y) + self.parts[1].adjoint(y)

    def diagonal(self, like: Tensor) -> Tensor:
        d: list[Tensor] = [cast(Diagonal, p).diagonal(like) for p in self.parts]
        return d[0] + d[1]


class Scaled(_Made):
    """c A."""

    def __init__(self, factor: float, operator: AnyLinear) -> None:
        super().__init__(operator.image_shape)
        self.factor, self.parts = factor, (operator,)
        self.data_shape = operator.data_shape

    def _kept(self) -> set[type]:
        return {c for c in (Diagonal, Spectrum, Norm) if has(self.parts[0], c)}

    def forward(self, x: Tensor) -> Tensor:
        return self.factor * self.parts[0].forward(x)

    def adjoint(self, y: Tensor) -> Tensor:
        return self.factor * self.parts[0].adjoint(y)

    def diagonal(self, like: Tensor) -> Tensor:
        return self.factor * cast(Diagonal, self.parts[0]).diagonal(like)

    def spectrum(self, like: Tensor) -> Spectral:
        return cast(Spectrum, self.parts[0]).spectrum(like).scaled(self.factor**2)

    def norm(self) -> float:
        return abs(self.factor) * operator_norm(self.parts[0])

    def preview(self, y: Tensor) -> Tensor:
        return self.parts[0].preview(y / self.factor) if self.factor else torch.zeros_like(y)

    def known(self, like: Tensor) -> Tensor | None:
        return self.parts[0].known(like)


class Adjointed(_Made):
    """A^T."""

    def __init__(self, operator: AnyLinear) -> None:
        super().__init__(operator.data_shape)
        self.parts = (operator,)
        self.data_shape = operator.image_shape

    def _kept(self) -> set[type]:
        return {c for c in (Diagonal, Norm) if has(self.parts[0], c)}

    @property
    def T(self) -> AnyLinear:  # noqa: N802
        return self.parts[0]

    def forward(self, x: Tensor) -> Tensor:
        return self.parts[0].adjoint(x)

    def adjoint(self, y: Tensor) -> Tensor:
        return self.parts[0].forward(y)

    def diagonal(self, like: Tensor) -> Tensor:
        return cast(Diagonal, self.parts[0]).diagonal(like)

    def norm(self) -> float:
        return operator_norm(self.parts[0])


class Stacked(_Made):
    """[A; B; ...] x: the data one after the other.

    Data whose height and width agree are joined along the channels; others are flattened.
    """

    def __init__(self, operators: Sequence[AnyLinear]) -> None:
        if not operators:
            raise ShapeError("cannot stack no operators")
        shapes = {op.image_shape for op in operators}
        if len(shapes) > 1:
            raise ShapeError(f"cannot stack operators on images of different shapes: {shapes}")
        super().__init__(operators[0].image_shape)
        self.parts = tuple(operators)
        self._flat = len({op.data_shape[1:] for op in operators}) > 1
        self._sizes = [count(p.data_shape) if self._flat else p.data_shape[0] for p in self.parts]
        tail = () if self._flat else self.parts[0].data_shape[1:]
        self.data_shape = (sum(self._sizes), *tail)

    def _kept(self) -> set[type]:
        return {Spectrum} if all(has(p, Spectrum) for p in self.parts) and self._joint() else set()

    def _joint(self) -> bool:
        like = torch.zeros((), dtype=torch.float64)
        first, *rest = (cast(Spectrum, p).spectrum(like) for p in self.parts)
        for s in rest:
            if not first.fits(s):
                return False
            first = first + s
        return True

    def forward(self, x: Tensor) -> Tensor:
        data = [p.forward(x) for p in self.parts]
        return torch.cat([d.flatten(1) for d in data] if self._flat else data, dim=1)

    def split(self, y: Tensor) -> list[Tensor]:
        """The data of each part."""
        pieces = torch.split(y, self._sizes, dim=1)
        return [s.reshape(-1, *p.data_shape) for s, p in zip(pieces, self.parts, strict=True)]

    def adjoint(self, y: Tensor) -> Tensor:
        back = [p.adjoint(s) for p, s in zip(self.parts, self.split(y), strict=True)]
        return torch.stack(back).sum(0)

    def spectrum(self, like: Tensor) -> Spectral:
        first, *rest = (cast(Spectrum, p).spectrum(like) for p in self.parts)
        for s in rest:
            first = first + s
        return first

    def preview(self, y: Tensor) -> Tensor:
        views = [p.preview(s) for p, s in zip(self.parts, self.split(y), strict=True)]
        return torch.stack(views).mean(0)


def vstack(operators: Sequence[AnyLinear]) -> AnyLinear:
    """Stack operators on the same images: several looks at one picture."""
    return operators[0] if len(operators) == 1 else Stacked(operators)


class FromSciPy(LinearOperator[NoOptions]):
    """Any SciPy linear operator, sparse or dense matrix, on flattened images.

    Args:
        matrix: ``(m, n)`` with n = C H W.
        image_shape: ``(C, H, W)``.
        data_shape: shape of the data; ``(m,)`` when none is given.
    """

    def __init__(self, matrix: Any, image_shape: Shape, data_shape: Shape | None = None) -> None:
        from scipy.sparse.linalg import aslinearoperator

        super().__init__(image_shape)
        self._matrix = aslinearoperator(matrix)
        rows, columns = self._matrix.shape
        self.data_shape = tuple(data_shape) if data_shape is not None else (rows,)
        if (count(self.data_shape), count(self.image_shape)) != (rows, columns):
            raise ShapeError(
                f"a {rows} x {columns} matrix does not map {self.image_shape} to {self.data_shape}"
            )

    def _apply(self, function: Any, x: Tensor, shape: Shape) -> Tensor:
        flat = x.detach().flatten(1).to("cpu", torch.float64).numpy()
        out = np.stack([function(row) for row in flat])
        return torch.from_numpy(out).to(x).reshape(-1, *shape)

    def forward(self, x: Tensor) -> Tensor:
        return self._apply(self._matrix.matvec, x, self.data_shape)

    def adjoint(self, y: Tensor) -> Tensor:
        return self._apply(self._matrix.rmatvec, y, self.image_shape)


def from_scipy(matrix: Any, image_shape: Shape, data_shape: Shape | None = None) -> FromSciPy:
    """`FromSciPy` as a function."""
    return FromSciPy(matrix, image_shape, data_shape)


def to_scipy(operator: AnyLinear) -> SciPyOperator:
    """A linear operator as a SciPy one, float64, on flattened images."""
    from scipy.sparse.linalg import LinearOperator as Made

    def apply(function: Any, v: Any, shape: Shape) -> Any:
        x = torch.from_numpy(np.ascontiguousarray(v, dtype=np.float64)).reshape(1, *shape)
        return function(x).reshape(-1).numpy()

    return Made(
        (count(operator.data_shape), count(operator.image_shape)),
        matvec=lambda v: apply(operator.forward, v, operator.image_shape),
        rmatvec=lambda v: apply(operator.adjoint, v, operator.data_shape),
        dtype=np.float64,
    )


__all__ = [
    "Adjointed",
    "Composed",
    "FromSciPy",
    "NormalSolve",
    "Scaled",
    "Stacked",
    "Summed",
    "from_scipy",
    "to_scipy",
    "vstack",
]
