"""Checks of priors."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ipx.declare import capabilities as cap
from ipx.declare.capabilities import has
from ipx.declare.options import Options
from ipx.declare.specs import PriorSpec, Spec
from ipx.errors import MissingExtraError
from ipx.files import images
from ipx.numerics.tensors import image_dot, image_norm, image_sum
from ipx.testing.common import Lazy, batched, close, draw, kept_dtype, pure

if TYPE_CHECKING:
    from ipx.testing import Check

SHAPES = {"photograph": (2, 3, 16, 12), "sparse": (2, 3, 16, 12), "face": (2, 3, 64, 64)}


def scene() -> Tensor:
    """Two small pictures of what photographs have: a slope, edges, a disk; ``(2, 3, 32, 40)``."""
    v, u = torch.meshgrid(
        torch.linspace(-1, 1, 32, dtype=torch.float64),
        torch.linspace(-1, 1, 40, dtype=torch.float64),
        indexing="ij",
    )
    disk = (u**2 + v**2 < 0.4).double()
    grey = 0.3 + 0.1 * u + 0.4 * disk
    step = 0.7 - 0.1 * v - 0.4 * (u > 0.2).double()
    return torch.stack([torch.stack([g, 0.9 * g, g]) for g in (grey, step)])


def checks(spec: Spec, options: Options) -> Iterator[tuple[str, Check]]:
    """Every check that the capabilities of this prior ask for."""
    assert isinstance(spec, PriorSpec)
    prior: Any = Lazy(spec, options)
    suits = spec.facts(options).suits
    SHAPE = SHAPES[suits]
    x = 1.6 * draw(0, *SHAPE) - 0.3
    if suits == "face":
        x = faces()

    def value() -> None:
        v = pure(prior.value, x, what="value")
        if v.shape != (SHAPE[0],):
            raise AssertionError(f"value has shape {tuple(v.shape)}, not ({SHAPE[0]},)")
        batched(prior.value, x, what="value")

    def grad() -> None:
        # a network of ReLUs has kinks everywhere: the step must be too short to meet many
        d, h = draw(1, *SHAPE) - 0.5, 1e-9 if suits == "face" else 1e-6
        slope = (prior.value(x + h * d) - prior.value(x - h * d)) / (2 * h)
        close(image_dot(pure(prior.grad, x, what="grad"), d), slope, 1e-5, "grad")
        batched(prior.grad, x, what="grad")
        if suits != "face":
            kept_dtype(prior.grad, x, what="grad")
            return
        # rounding takes some ReLUs to the other side of their kink: single values differ, few do
        single, double = prior.grad(x.float()), prior.grad(x)
        gap = image_norm(single.double() - double) / image_norm(double)
        if single.dtype != torch.float32 or not bool((gap < 2e-3).all()):
            raise AssertionError(f"grad in float32: {single.dtype}, off by {gap.tolist()}")

    def prox() -> None:
        for t in (1e-3, 0.05, 2.0):
            p = pure(lambda v, t=t: prior.prox(v, t), x, what="prox")
            best = prior.value(p) + image_sum((p - x) ** 2) / (2 * t)
            for i in range(6):
                q = p + 10.0**-i * (draw(10 + i, *SHAPE) - 0.5)
                near = prior.value(q) + image_sum((q - x) ** 2) / (2 * t)
                # an iterative prox states its tolerance relative to the objective
                if bool((near < best - 2e-4 * (1 + best.abs())).any()):
                    raise AssertionError(f"prox at t = {t:g} is no minimiser")
        kept_dtype(lambda v: prior.prox(v, 0.05), x, what="prox")
        steps = torch.tensor([1e-3, 0.5], dtype=torch.float64)
        each = torch.cat([prior.prox(x[i : i + 1], float(steps[i])) for i in range(2)])
        close(prior.prox(x, steps), each, 1e-10, "prox with one t per image")

    def conjugate() -> None:
        k = prior.linear_part(SHAPE[1:])
        u = 2 * draw(2, 2, *k.data_shape) - 1
        left = image_dot(k.forward(x), u)
        close(left, image_dot(x, k.adjoint(u)), 1e-11, "adjoint of the linear part")
        for t in (0.02, 1.0, 5.0):
            whole = prior.prox_outer(u, t) + t * prior.prox_conjugate(u / t, 1 / t)
            close(whole, u, 1e-10, f"Moreau's identity at t = {t:g}")
        for lam in (0.1, 3.0):
            whole = 0.7 * prior.prox_outer(u / 0.7, lam / 0.7) + prior.prox_conjugate(u, 0.7, lam)
            close(whole, u, 1e-10, f"Moreau's identity with lam = {lam:g}")
        pure(lambda v: prior.prox_outer(v, 0.1), u, what="prox_outer")
        batched(lambda v: prior.prox_outer(v, 0.1), u, what="prox_outer")

    def same_function() -> None:
        """R(x1) - R(x0) is the integral of g'(K x) along the line, for any convex g."""
        if not prior.traits.weighted:
            return
        k = prior.linear_part(SHAPE[1:])
        start, end = k.forward(0.5 * draw(6, *SHAPE)), k.forward(x)
        t, count, change = 1e-9, 400, torch.zeros(SHAPE[0], dtype=x.dtype)
        for i in range(count):
            z = torch.lerp(start, end, (i + 0.5) / count)
            slope = (z - prior.prox_outer(z, t)) / t  # of g's Moreau envelope, which is as near
            change += image_dot(slope, end - start) / count
        found = prior.value(x) - prior.value(0.5 * draw(6, *SHAPE))
        scale = prior.value(x).abs() + 1e-12
        close(change / scale, found / scale, 2e-3, "g(Kx) against value(x), along a line")

    def part() -> None:
        """K^T K is diagonal in the transform that the trait tells."""
        basis = spec.facts(options).basis
        of = "linear_part" if cap.ProxConjugate in provided else "quadratic_part"
        k = getattr(prior, of)(SHAPE[1:])
        real = k.spectrum(x).basis if has(k, cap.Spectrum) else ""
        said = "any" if basis == "identity" else basis
        if real != said or (basis == "identity") != has(k, cap.Diagonal):
            raise AssertionError(f"the trait basis is {basis!r}, that of {of} {real!r}")

    def quadratic() -> None:
        part = prior.quadratic_part(SHAPE[1:])
        close(image_norm(part.forward(x)) ** 2 / 2, prior.value(x), 1e-10, "1/2 |Lx|^2")

    def denoise() -> None:
        clean, level = faces() if suits == "face" else scene(), 0.1
        noise = torch.randn(clean.shape, generator=torch.Generator().manual_seed(3))
        noisy = clean + level * noise.double()
        out = pure(lambda v: prior.denoise(v, level), noisy, what="denoise")
        if out.shape != noisy.shape or out.dtype != noisy.dtype:
            raise AssertionError(f"denoise gives {out.dtype}, {tuple(out.shape)}")
        before, after = (image_sum((v - clean) ** 2) for v in (noisy, out))
        if not bool((after < 0.7 * before).all()):
            kept = [round(float(r), 2) for r in after / before]
            raise AssertionError(f"at its own sigma, denoise leaves {kept} of the squared error")
        # a network computes in float32
        levels = torch.tensor([level, level / 2], dtype=torch.float64)
        each = [prior.denoise(noisy[i : i + 1], float(levels[i])) for i in range(2)]
        close(prior.denoise(noisy, levels), torch.cat(each), 1e-4, "denoise image by image")
        kept_dtype(lambda v: prior.denoise(v, level), noisy, what="denoise")
        close(prior.denoise(noisy, 0.0), noisy, 1e-9, "denoise without noise")

    def latent() -> None:
        n = prior.code_size(SHAPE[1:])
        z = pure(prior.encode, x, what="encode")
        if tuple(z.shape) != (SHAPE[0], n):
            raise AssertionError(f"encode gives {tuple(z.shape)}, not {(SHAPE[0], n)}")
        batched(prior.encode, x, what="encode")
        made = pure(lambda c: prior.decode(c, SHAPE[1:]), z, what="decode")
        if made.shape != x.shape:
            raise AssertionError(f"decode gives {tuple(made.shape)}, not {tuple(x.shape)}")
        apart = image_norm(made - x) / image_norm(x - x.mean((2, 3), keepdim=True))
        if not bool((apart < 0.7).all()):
            raise AssertionError(f"D(E(x)) is {apart.tolist()} of the contrast away from x")

    def code_penalty() -> None:
        z = 0.5 * draw(4, 2, prior.code_size(SHAPE[1:])) - 0.25
        d, h = draw(5, *z.shape) - 0.5, 1e-7
        slope = (prior.code_value(z + h * d) - prior.code_value(z - h * d)) / (2 * h)
        close(image_dot(pure(prior.code_grad, z, what="code_grad"), d), slope, 1e-5, "code_grad")

    def stochastic() -> None:
        one = pure(lambda v: prior.grad_draw(v, 3), x, what="grad_draw")
        if one.shape != x.shape or not bool(one.isfinite().all()):
            raise AssertionError("grad_draw gives no finite gradient of the picture's shape")
        batched(lambda v: prior.grad_draw(v, 3), x, what="grad_draw")

    def log_prob() -> None:
        if suits == "photograph":
            return
        noise = torch.randn(x.shape, generator=torch.Generator().manual_seed(3)).double()
        clean, noisy = prior.log_prob(x), prior.log_prob(x + 0.2 * noise)
        if clean.shape != (SHAPE[0],) or not bool((clean > noisy).all()):
            raise AssertionError("noise is as likely as a picture")

    provided = spec.capabilities(options)
    table = (
        (cap.Latent, "latent", latent),
        (cap.CodePenalty, "code-penalty", code_penalty),
        (cap.StochasticGrad, "stochastic-grad", stochastic),
        (cap.LogProb, "log-prob", log_prob),
        (cap.Denoise, "denoise", denoise),
        (cap.Value, "value", value),
        (cap.Grad, "grad", grad),
        (cap.Prox, "prox", prox),
        (cap.ProxConjugate, "prox-conjugate", conjugate),
        (cap.ProxConjugate, "value-is-g-of-Kx", same_function),
        (cap.QuadraticPrior, "quadratic", quadratic),
        (cap.ProxConjugate, "basis-of-K", part),
    )
    for capability, name, check in table:
        if capability in provided:
            yield name, _if_trained(check)


def faces() -> Tensor:
    """The bundled face and its mirror image, ``(2, 3, 64, 64)``."""
    face = torch.from_numpy(images.bundled("face").pixels).double()
    return torch.stack([face, face.flip(-1)])


def _if_trained(check: Check) -> Check:
    """A check that needs trained weights says nothing where there are none."""

    def run() -> None:
        # the error's line tells how to train some, which its own test looks at
        with contextlib.suppress(MissingExtraError):
            check()

    return run
