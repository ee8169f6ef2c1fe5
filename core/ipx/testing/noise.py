"""Checks of noise models."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch

from ipx.declare import capabilities as cap
from ipx.declare.options import Options
from ipx.declare.specs import Spec
from ipx.numerics.tensors import image_dot, image_norm, image_sum
from ipx.testing.common import Lazy, batched, close, draw, kept_dtype, pure

if TYPE_CHECKING:
    from ipx.testing import Check

SHAPE = (2, 1, 16, 16)


def checks(spec: Spec, options: Options) -> Iterator[tuple[str, Check]]:
    """Every check that the capabilities of this noise ask for."""
    noise: Any = Lazy(spec, options)
    clean = 0.2 + 0.6 * draw(0, *SHAPE)
    y = (clean + 0.05 * (draw(1, *SHAPE) - 0.5)).clamp(0.01, 1)
    pred = 0.1 + draw(2, *SHAPE)

    def sampling() -> None:
        one, two, other = (noise.sample(clean, torch.Generator().manual_seed(s)) for s in (0, 0, 1))
        if not torch.equal(one, two):
            raise AssertionError("the same seed gives different noise")
        if torch.equal(one, other):
            raise AssertionError("another seed gives the same noise")
        if one.shape != clean.shape or one.dtype != clean.dtype:
            raise AssertionError("a sample has another shape or type than the clean data")

    def value() -> None:
        pure(noise.nll, pred, y, what="nll")
        batched(noise.nll, pred, y, what="nll")
        kept_dtype(noise.nll, pred, y, what="nll")
        if bool((noise.nll(pred, y) < -1e-12).any()):
            raise AssertionError("nll is negative")
        close(noise.nll(y, y), torch.zeros(2, dtype=y.dtype), 1e-9, "nll(y, y)")
        for s in (0.25, 0.5, 0.75):
            chord = (1 - s) * noise.nll(pred, y) + s * noise.nll(clean, y)
            if bool((noise.nll((1 - s) * pred + s * clean, y) > chord + 1e-9).any()):
                raise AssertionError("nll is not convex")

    def expected() -> None:
        """The level estimated from a large flat sample explains its nll within 15 %."""
        flat = torch.full((1, 1, 128, 128), 0.5, dtype=torch.float64)
        sample = noise.sample(flat, torch.Generator().manual_seed(3))
        known = noise.estimated(sample)
        count = torch.tensor([float(flat.numel())], dtype=torch.float64)
        ratio = float(noise.nll(flat, sample) / known.expected(sample, count))
        if not 0.85 < ratio < 1.15:
            raise AssertionError(f"nll of the truth is {ratio:.2f} of what is expected")

    def grad() -> None:
        d = draw(4, *SHAPE) - 0.5
        h = 1e-6
        slope = (noise.nll(pred + h * d, y) - noise.nll(pred - h * d, y)) / (2 * h)
        close(image_dot(pure(noise.grad, pred, y, what="grad"), d), slope, 1e-5, "grad")
        other = 0.1 + draw(5, *SHAPE)
        change = image_norm(noise.grad(pred, y) - noise.grad(other, y))
        bound = torch.as_tensor(noise.curvature(y)) * image_norm(pred - other)
        if bool((change > bound * (1 + 1e-9)).any()):
            raise AssertionError("curvature is no Lipschitz constant of the gradient")

    def prox() -> None:
        for t in (1e-3, 0.3, 20.0):
            p = noise.prox(pred, y, t)
            best = noise.nll(p, y) + image_sum((p - pred) ** 2) / (2 * t)
            for i in range(6):
                q = p + 10.0**-i * (draw(10 + i, *SHAPE) - 0.5)
                near = noise.nll(q, y) + image_sum((q - pred) ** 2) / (2 * t)
                if bool((near < best - 1e-9 * (1 + best)).any()):
                    raise AssertionError(f"prox at t = {t:g} is no minimiser")
        steps = torch.tensor([1e-3, 0.3], dtype=torch.float64)
        each = torch.cat(
            [noise.prox(pred[i : i + 1], y[i : i + 1], float(steps[i])) for i in range(2)]
        )
        close(noise.prox(pred, y, steps), each, 1e-12, "prox with one t per image")

    def level() -> None:
        """The option that the trait names is the level."""
        name = spec.facts(options).level
        if name not in type(options).infos():
            raise AssertionError(f"the trait level names no option: {name!r}")
        told = type(options).from_mapping({**options.to_mapping(), name: 0.25})
        if noise.made.__class__(told).level not in (0.25, None):
            raise AssertionError(f"option {name} is not the level")

    yield "level", level
    yield "sampling", sampling
    yield "nll", value
    yield "expected", expected
    if cap.NoiseGrad in spec.capabilities(options):
        yield "grad", grad
    if cap.NoiseProx in spec.capabilities(options):
        yield "prox", prox
