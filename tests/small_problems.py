"""Small components and problems for the tests of the solvers."""

from __future__ import annotations

import math
from typing import Any, ClassVar

import torch
from torch import Tensor

import ipx
from ipx import Problem, Spectral, image_sum, iterate, per_image

F64 = torch.float64


class White(ipx.Noise[ipx.NoOptions]):
    """1/2 |pred - y|^2."""

    provides: ClassVar[tuple[type, ...]] = (ipx.NoiseGrad, ipx.NoiseProx, ipx.Quadratic)
    level = 0.01

    def sample(self, clean: Tensor, generator: torch.Generator) -> Tensor:
        return clean + 0.01 * torch.randn(clean.shape, generator=generator, dtype=clean.dtype)

    def nll(self, pred: Tensor, y: Tensor) -> Tensor:
        return 0.5 * image_sum((pred - y) ** 2)

    def grad(self, pred: Tensor, y: Tensor) -> Tensor:
        return pred - y

    def prox(self, v: Tensor, y: Tensor, t: Any) -> Tensor:
        t = per_image(t, v)
        return (v + t * y) / (1 + t)

    def expected(self, y: Tensor, count: Tensor) -> Tensor:
        return 0.5e-4 * count

    def estimated(
        self, y: Tensor, known: Tensor | None = None, storage: ipx.Storage = ipx.Storage()
    ) -> White:
        return self


class Outliers(White):
    """|pred - y|_1."""

    provides = (ipx.NoiseProx,)

    def nll(self, pred: Tensor, y: Tensor) -> Tensor:
        return image_sum((pred - y).abs())

    def prox(self, v: Tensor, y: Tensor, t: Any) -> Tensor:
        d = v - y
        return y + d.sign() * (d.abs() - per_image(t, v)).clamp_min(0)


class Robust(White):
    """sum sqrt(1 + (pred - y)^2) - 1: smooth, not quadratic."""

    provides = (ipx.NoiseGrad,)

    def nll(self, pred: Tensor, y: Tensor) -> Tensor:
        return image_sum(torch.sqrt(1 + (pred - y) ** 2) - 1)

    def grad(self, pred: Tensor, y: Tensor) -> Tensor:
        return (pred - y) / torch.sqrt(1 + (pred - y) ** 2)


class Slope(ipx.LinearOperator[ipx.NoOptions]):
    """Forward differences, zero beyond the border: ``(B, C, H, W)`` to ``(B, 2C, H, W)``."""

    traits = ipx.Traits(basis="dct")

    def __init__(self, image_shape: tuple[int, ...]) -> None:
        super().__init__(image_shape)
        self.data_shape = (2 * image_shape[0], *image_shape[1:])

    def forward(self, x: Tensor) -> Tensor:
        down = torch.nn.functional.pad(x[..., 1:, :] - x[..., :-1, :], (0, 0, 0, 1))
        right = torch.nn.functional.pad(x[..., 1:] - x[..., :-1], (0, 1))
        return torch.cat([down, right], 1)

    def adjoint(self, y: Tensor) -> Tensor:
        pad = torch.nn.functional.pad
        down, right = y.chunk(2, 1)
        down, right = down[..., :-1, :], right[..., :-1]
        up = pad(down, (0, 0, 1, 0)) - pad(down, (0, 0, 0, 1))
        return up + pad(right, (1, 0)) - pad(right, (0, 1))

    def spectrum(self, like: Tensor) -> Spectral:
        def eigenvalues(n: int) -> Tensor:
            return 4 * torch.sin(math.pi * torch.arange(n, dtype=F64) / (2 * n)) ** 2

        h, w = self.image_shape[-2:]
        gram = self.buffer("gram", like, lambda: eigenvalues(h)[:, None] + eigenvalues(w))
        return Spectral("dct", gram)

    def norm(self) -> float:
        return math.sqrt(8)


class Edges(ipx.OuterProx[ipx.NoOptions]):
    """Isotropic total variation, known through its outer prox only."""

    traits = ipx.Traits(basis="dct")

    def linear_part(self, image_shape: tuple[int, ...]) -> Slope:
        return Slope(image_shape)

    def value(self, x: Tensor) -> Tensor:
        down, right = Slope(tuple(x.shape[1:])).forward(x).chunk(2, 1)
        return image_sum(torch.sqrt(down**2 + right**2))

    def prox_outer(self, u: Tensor, t: Any) -> Tensor:
        down, right = u.chunk(2, 1)
        size = torch.sqrt(down**2 + right**2 + 1e-300)
        shrink = (1 - per_image(t, u) / size).clamp_min(0)
        return u * torch.cat([shrink, shrink], 1)


class Ridge(ipx.Prior[ipx.NoOptions]):
    """1/2 |Dx|^2, with everything a quadratic can do but its prox."""

    traits = ipx.Traits(basis="dct")

    def value(self, x: Tensor) -> Tensor:
        return 0.5 * image_sum(Slope(tuple(x.shape[1:])).forward(x) ** 2)

    def grad(self, x: Tensor) -> Tensor:
        part = Slope(tuple(x.shape[1:]))
        return part.adjoint(part.forward(x))

    def quadratic_part(self, image_shape: tuple[int, ...]) -> Slope:
        return Slope(image_shape)


class Small(ipx.Prior[ipx.NoOptions]):
    """1/2 |x|^2, with gradient, prox and quadratic part."""

    traits = ipx.Traits(basis="identity")

    def value(self, x: Tensor) -> Tensor:
        return 0.5 * image_sum(x**2)

    def grad(self, x: Tensor) -> Tensor:
        return x

    def prox(self, x: Tensor, t: Any) -> Tensor:
        return x / (1 + per_image(t, x))

    def quadratic_part(self, image_shape: tuple[int, ...]) -> ipx.LinearOperator[Any]:
        return ipx.Identity(image_shape)


class Sparse(ipx.Prior[ipx.NoOptions]):
    """|x|_1."""

    def value(self, x: Tensor) -> Tensor:
        return image_sum(x.abs())

    def prox(self, x: Tensor, t: Any) -> Tensor:
        return x.sign() * (x.abs() - per_image(t, x)).clamp_min(0)


class Nothing(Small):
    """No prior."""

    traits = ipx.Traits(weighted=False, informs=False, basis="identity")

    def value(self, x: Tensor) -> Tensor:
        return 0 * image_sum(x)

    def grad(self, x: Tensor) -> Tensor:
        return 0 * x


class Positive(ipx.Prior[ipx.NoOptions]):
    """x >= 0."""

    traits = ipx.Traits(weighted=False)

    def value(self, x: Tensor) -> Tensor:
        return torch.where((x >= 0).flatten(1).all(1), 0.0, torch.inf).to(x)

    def prox(self, x: Tensor, t: Any) -> Tensor:
        return x.clamp_min(0)


SHAPE = (1, 8, 8)
OPERATORS = ("blur", "blur-circular", "blur-zero", "inpaint", "super-resolution")


def operator(name: str, shape: tuple[int, ...] = SHAPE) -> Any:
    if name.startswith("blur"):
        boundary = {"blur": "reflect", "blur-circular": "circular", "blur-zero": "zero"}[name]
        return ipx.operator("blur", shape, sigma=0.8, boundary=boundary)
    if name == "inpaint":
        return ipx.operator("inpaint", shape)
    return ipx.operator("super-resolution", shape, factor=2)


def picture(batch: int, shape: tuple[int, ...] = SHAPE) -> Tensor:
    generator = torch.Generator().manual_seed(3)
    x = torch.rand(batch, shape[0], shape[1] // 4, shape[2] // 4, generator=generator, dtype=F64)
    return x.repeat_interleave(4, -1).repeat_interleave(4, -2)


def problem(
    name: str,
    prior: Any,
    lam: Any,
    batch: int = 2,
    noise: Any = None,
    shape: tuple[int, ...] = SHAPE,
) -> Problem:
    a = operator(name, shape)
    generator = torch.Generator().manual_seed(1)
    y = a.forward(White().sample(picture(batch, shape), generator))
    return Problem(y, a, noise or White(), prior, lam)


def dense(a: ipx.LinearOperator[Any]) -> Tensor:
    n = math.prod(a.image_shape)
    columns = a.forward(torch.eye(n, dtype=F64).reshape(n, *a.image_shape))
    return columns.reshape(n, -1).T


def closed_form(p: Problem, part: ipx.LinearOperator[Any]) -> Tensor:
    a, k = dense(p.operator), dense(part)  # type: ignore[arg-type]
    lam = torch.as_tensor(p.lam, dtype=F64).expand(p.y.shape[0])
    rows = [
        torch.linalg.solve(a.T @ a + w * k.T @ k, a.T @ y.flatten())
        for w, y in zip(lam, p.y, strict=True)
    ]
    return torch.stack(rows).reshape(-1, *p.operator.image_shape)


def gap(
    p: Problem, name: str, best: Tensor, iterations: int | None = None, **options: Any
) -> float:
    result = iterate(p, ipx.solver(name, **options), iterations=iterations, tol=1e-9)
    assert "diverged" not in result.status
    return float(((p.objective(result.x) - best) / best).max())
