"""Checks of forward operators."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from ipx.declare import capabilities as cap
from ipx.declare.options import Options
from ipx.declare.specs import Spec
from ipx.numerics.spectral import Spectral
from ipx.numerics.tensors import image_dot, image_norm
from ipx.testing.common import IMAGE, Lazy, batched, close, draw, kept_dtype, make, pure

if TYPE_CHECKING:
    from ipx.testing import Check

SHAPES = (IMAGE, (1, 32, 24), (3, 48, 48))


def checks(spec: Spec, options: Options) -> Iterator[tuple[str, Check]]:
    """Every check that the capabilities of this operator ask for."""
    a: Any = Lazy(spec, options)

    def shapes() -> None:
        for shape in SHAPES:
            b = make(spec, options, shape)
            y = b.forward(draw(0, 2, *shape))
            if tuple(y.shape) != (2, *b.data_shape):
                raise AssertionError(f"data have shape {tuple(y.shape[1:])}, not {b.data_shape}")
            back = type(b).image_shape_of(b.data_shape, options)
            if tuple(back) != shape:
                raise AssertionError(f"image_shape_of gives {back} for data of images {shape}")

    def preview() -> None:
        y = a.forward(draw(1, 2, *IMAGE))
        seen = a.preview(y)
        if tuple(seen.shape) != (2, *IMAGE) or not bool(torch.isfinite(seen).all()):
            raise AssertionError("the preview is no finite picture of the image's shape")

    def forward() -> None:
        x = draw(2, 3, *IMAGE)
        pure(a.forward, x, what="forward")
        batched(a.forward, x, what="forward")
        kept_dtype(a.forward, x, what="forward")

    def sign() -> None:
        x = torch.cat([draw(21, 2, *a.image_shape).round(), draw(22, 2, *a.image_shape)])
        # a kernel that interpolates overshoots a little, which counting noises live with
        if not spec.facts(options).signed and float(a.forward(x).min()) < -0.2:
            raise AssertionError("data of pictures may be negative; set the trait signed")

    yield "shapes", shapes
    yield "preview", preview
    yield "forward-pure-batch-dtype", forward
    yield "sign", sign
    if cap.Adjoint in spec.capabilities(options):
        yield from _linear(spec, options, a)


def _linear(spec: Spec, options: Options, a: Any) -> Iterator[tuple[str, Check]]:
    x = draw(3, 2, *IMAGE) - 0.5

    def normal(v: torch.Tensor) -> torch.Tensor:
        back: torch.Tensor = a.adjoint(a.forward(v))
        return back

    def adjointness() -> None:
        """<A x, y> = <x, A^T y>."""
        for i, shape in enumerate(SHAPES):
            b = make(spec, options, shape)
            u, y = draw(i, 2, *shape) - 0.5, draw(i + 9, 2, *b.data_shape) - 0.5
            left, right = image_dot(b.forward(u), y), image_dot(u, b.adjoint(y))
            scale = image_norm(b.forward(u)) * image_norm(y) + 1e-30
            close((left - right) / scale, torch.zeros_like(left), 1e-12, f"adjoint on {shape}")

    def adjoint() -> None:
        y = draw(4, 2, *a.data_shape)
        pure(a.adjoint, y, what="adjoint")
        batched(a.adjoint, y, what="adjoint")
        kept_dtype(a.adjoint, y, what="adjoint")

    def linear() -> None:
        u = draw(5, 2, *a.image_shape)
        close(a.forward(2 * x - u), 2 * a.forward(x) - a.forward(u), 1e-12, "linearity")

    def norm() -> None:
        v = x[:1]
        for _ in range(300):
            v = normal(v)
            v = v / image_norm(v).clamp_min(1e-300)
        found = float(image_norm(normal(v))) ** 0.5
        said = a.norm()
        if not found <= said * (1 + 1e-6) or said > 1.02 * found + 1e-9:
            raise AssertionError(f"|A| is {found:.6g} by power iteration, norm() says {said:.6g}")

    def diagonal() -> None:
        close(a.forward(x), (a.diagonal(x) * x).expand_as(x), 1e-12, "diagonal")

    def spectrum() -> None:
        s = a.spectrum(x)
        if s.basis != spec.facts(options).basis:
            raise AssertionError(f"the trait basis is not {s.basis}, in which A^T A is diagonal")
        if bool((s.gram < 0).any()):
            raise AssertionError("an eigenvalue of A^T A is negative")
        there = s.forward(normal(x))
        gap = there - s.gram * s.forward(x)
        close(
            torch.view_as_real(gap) if gap.is_complex() else gap,
            torch.zeros(1),
            1e-10,
            "transform of A^T A x against gram * transform of x",
        )

    def solve() -> None:
        for rho in (1e-2, 10.0):
            weight = Spectral("any", torch.full((1, 1, 1, 1), rho, dtype=x.dtype))
            z = a.solve_normal(x, weight)
            close(normal(z) + rho * z, x, 1e-9, f"(A^T A + {rho:g}) solve_normal(b) = b")

    yield "adjointness", adjointness
    yield "adjoint-pure-batch-dtype", adjoint
    yield "linearity", linear
    for capability, name, check in (
        (cap.Norm, "norm", norm),
        (cap.Diagonal, "diagonal", diagonal),
        (cap.Spectrum, "spectrum", spectrum),
        (cap.NormalSolve, "solve-normal", solve),
    ):
        if capability in spec.capabilities(options):
            yield name, check
