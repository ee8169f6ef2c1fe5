"""Checks of forward operators A."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from functools import cached_property
from typing import Any

import torch
from torch import Tensor

from ipx.declare import capabilities as cap
from ipx.declare.registry import registry
from ipx.errors import IpxError, ShapeError
from ipx.numerics.spectral import Spectral
from ipx.numerics.tensors import image_dot, image_norm
from ipx.testing.common import Checks, close, draw, needs, norm, pure, require, spectral

SHAPES = ((2, 24, 32), (1, 32, 24), (3, 48, 48), (1, 6, 10, 12))


class OperatorChecks(Checks):
    """On two images x in [-0.5, 0.5], of the first of `SHAPES` that A takes, or of each."""

    @cached_property
    def every(self) -> list[Any]:
        """A for images of each shape; when made it refuses a shape with a ShapeError."""
        made = []
        for shape in SHAPES:
            with contextlib.suppress(ShapeError), told(f"on images of shape {shape}"):
                made.append(registry().create(self.spec, shape, options=self.options))
        require(made, f"it takes images of none of the shapes {SHAPES}")
        return made

    @cached_property
    def made(self) -> Any:
        """The first of them."""
        return self.every[0]

    @cached_property
    def x(self) -> Tensor:
        """``(2, *image_shape)``."""
        return draw(3, 2, *self.made.image_shape) - 0.5

    def shapes(self) -> None:
        """A x has the shape ``data_shape``, from which ``image_shape_of`` gives that of x."""
        for a in self.every:
            data, shape = a.data_shape, a.image_shape
            found = tuple(a.forward(draw(0, 2, *shape)).shape[1:])
            require(found == data, f"data have shape {found}, not {data}")
            back = tuple(type(a).image_shape_of(data, self.options))
            require(back == shape, f"image_shape_of gives {back} for data of images {shape}")

    def preview(self) -> None:
        """The preview of A x has the shape of x, and finite values."""
        seen = self.made.preview(self.made.forward(self.x + 0.5))
        require(seen.shape == self.x.shape, f"the preview has shape {tuple(seen.shape)}")
        require(seen.isfinite().all(), "the preview has values that are not finite")

    def quiet(self) -> None:
        """The quiet values of white noise of deviation 1 have deviation 1, within 30 %."""
        for a in self.every:
            y = (draw(8, 2, *a.data_shape) - 0.5) * 12**0.5
            known = a.known(y)
            found = a.quiet(y if known is None else torch.where(known, y, 0.0))
            if found is not None:
                require(found.ndim == 2 and len(found) == 2, "quiet values are (B, M)")
                size = float(found.square().mean().sqrt())
                require(0.7 < size < 1.3, f"the quiet values of noise have deviation {size:.2f}")

    def forward_pure_batch_dtype(self) -> None:
        """A x: the same again, for each image alone, and in float32."""
        pure("forward", self.made.forward, self.x, dtype=True)

    def sign(self) -> None:
        """min A x >= -0.2 rms(A x) / rms(x), x in [0, 1] or {0, 1}, without the trait signed."""
        # a kernel that interpolates overshoots a little, which counting noises live with
        x = torch.cat([(self.x + 0.5).round(), self.x + 0.5])
        y = self.made.forward(x)
        low = -0.2 * (y.square().mean() / x.square().mean()).sqrt()
        good = self.traits.signed or y.min() >= low
        require(good, "data of pictures may be negative; set the trait signed")

    @needs(cap.Adjoint)
    def adjointness(self) -> None:
        """<A x, y> = <x, A^T y>, relative to |A x| |y|."""
        for i, a in enumerate(self.every):
            x, y = draw(i, 2, *a.image_shape) - 0.5, draw(i + 9, 2, *a.data_shape) - 0.5
            gap = image_dot(a.forward(x), y) - image_dot(x, a.adjoint(y))
            gap = gap / (image_norm(a.forward(x)) * image_norm(y) + 1e-30)
            close(gap, torch.zeros_like(gap), 1e-12, f"adjoint on {a.image_shape}")

    @needs(cap.Adjoint)
    def adjoint_pure_batch_dtype(self) -> None:
        """A^T y: the same again, for each image alone, and in float32."""
        pure("adjoint", self.made.adjoint, draw(4, 2, *self.made.data_shape), dtype=True)

    @needs(cap.Adjoint)
    def linearity(self) -> None:
        """A (2 x - 3 u) = 2 A x - 3 A u."""
        forward, x, u = self.made.forward, self.x, draw(5, *self.x.shape)
        # not 2 and -1, whose sum of 1 affine maps pass, too
        close(forward(2 * x - 3 * u), 2 * forward(x) - 3 * forward(u), 1e-12, "linearity")

    @needs(cap.Norm)
    def norm(self) -> None:
        """|A| <= ``norm()`` <= 1.02 |A|, by power iteration on A^T A."""
        norm(self.made, self.x)

    @needs(cap.Diagonal)
    def diagonal(self) -> None:
        """A x = d x, value by value."""
        d, x = self.made.diagonal(self.x), self.x
        close(self.made.forward(x), (d * x).expand_as(x), 1e-12, "diagonal")

    @needs(cap.Spectrum)
    def spectrum(self) -> None:
        """F A^T A x = gram F x, gram >= 0, with the transform F that the trait basis names."""
        real = spectral(self.made, self.x)
        require(real == self.traits.basis, f"A^T A is diagonal in {real}, not as the trait says")

    @needs(cap.NormalSolve)
    def solve_normal(self) -> None:
        """(A^T A + W) z = x for z = ``solve_normal(x, W)``; W = rho I, or W = F^T gram F."""
        a, x, k = self.made, self.x, draw(6, 1, 1, *self.x.shape[-2:])
        weights = [Spectral("any", torch.full_like(k[..., :1, :1], rho)) for rho in (1e-2, 10.0)]
        if self.traits.basis in ("fft", "any"):
            weights.append(Spectral("fft", torch.fft.rfft2(k).abs() ** 2 + 0.1))
        if self.traits.basis in ("dct", "any"):
            weights.append(Spectral("dct", k + 0.1))
        for w in weights:
            z = a.solve_normal(x, w)
            wz = w.inverse(w.gram * w.forward(z), (x.shape[-2], x.shape[-1]))
            close(a.adjoint(a.forward(z)) + wz, x, 1e-9, f"(A^T A + W) z = x, {w.basis} W")

    @needs(cap.Sampled)
    def sampled(self) -> None:
        """A x = S B x, S S^T y = y, and B^T B is diagonal in the transform of the trait basis."""
        a, dense, y = self.made, self.made.dense(), draw(7, 2, *self.made.data_shape)
        close(a.sample(dense.forward(self.x)), a.forward(self.x), 1e-12, "S B x = A x")
        close(a.sample(a.scatter(y)), y, 0.0, "S S^T y = y")
        real = spectral(dense, self.x)
        require(real == self.traits.basis, f"B^T B is diagonal in {real}, not as the trait says")

    @needs(cap.Local)
    def part(self) -> None:
        """A window of the data has an operator; that of all data is this one."""
        (height, width), channels = self.made.data_shape[-2:], self.made.data_shape[0]
        whole = self.made.part(0, 0, height, width)
        close(whole.forward(self.x), self.made.forward(self.x), 1e-12, "the part that is all")
        low, narrow = height - height // 4, width - width // 4
        data = self.made.part(height // 4, width // 4, low, narrow).data_shape
        require(data == (channels, low, narrow), f"the part has data {data}")


@contextlib.contextmanager
def told(where: str) -> Iterator[None]:
    """Say where an unexpected exception was raised."""
    try:
        yield
    except IpxError:
        raise
    except Exception as e:
        line = f"{type(e).__name__}: {e} ({where}; raise ShapeError for shapes it does not take)"
        raise AssertionError(line) from e


checks = OperatorChecks.of
