"""Checks of priors R(x)."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from functools import cached_property
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import avg_pool2d

from ipx.declare import capabilities as cap
from ipx.declare.options import Options
from ipx.declare.traits import Subject
from ipx.errors import MissingExtraError, ShapeError
from ipx.files import images
from ipx.numerics.tensors import column, image_dot, image_norm, image_sum
from ipx.testing import common as kit
from ipx.testing.common import close, draw, needs, pure, require


def pictures(suits: Subject) -> Tensor:
    """Two pictures ``(2, 3, H, W)``: scenes with a slope, edges, a disk; sparse ones; faces.

    Digits are grey, ``(2, 1, H, W)``.
    """
    if suits == "face" or suits == "digit":
        known = torch.from_numpy(images.bundled(suits).pixels).double()
        return torch.stack([known, known.flip(-1) if suits == "face" else known.roll(-1, -2)])
    if suits == "sparse":
        return torch.where(draw(7, 2, 3, 32, 40) > 0.95, draw(8, 2, 3, 32, 40), 0.0)
    v, u = torch.linspace(-1, 1, 32).double()[:, None], torch.linspace(-1, 1, 40).double()
    grey = 0.3 + 0.1 * u + 0.4 * (u**2 + v**2 < 0.4)
    step = 0.7 - 0.1 * v - 0.4 * (u > 0.2)
    return torch.stack([torch.stack([g, 0.9 * g, g]) for g in (grey, step)])


class PriorChecks(kit.Checks):
    """On pictures as the trait suits names them, and at x: these, or values in [-0.3, 1.3]."""

    def __init__(self, spec: Any, options: Options, channels: int = 3) -> None:
        super().__init__(spec, options)
        self.network = self.traits.suits in ("face", "digit")
        self.clean = pictures(self.traits.suits)[:, :channels]
        noise = torch.randn(self.clean.shape, generator=torch.Generator().manual_seed(3))
        self.noise = noise.double()
        self._parts: dict[str, tuple[Any, Tensor]] = {}

    @cached_property
    def x(self) -> Tensor:
        """Random pictures; of faces those of half the size, where a network takes any."""
        if not self.network:
            return 1.6 * draw(0, 2, self.clean.shape[1], 16, 12) - 0.3
        small = avg_pool2d(self.clean, 2)
        with contextlib.suppress(ShapeError):
            self.made.check(tuple(small.shape[1:]))
            return small
        return self.clean

    @classmethod
    def of(cls, spec: Any, options: Options) -> kit.Named:
        """Those on pictures, and on volumes where the trait dims says so."""
        yield from super().of(spec, options)
        if cls is PriorChecks and 3 in (spec.traits_for(options).dims or ()):
            each = VolumeChecks.of(spec, options)
            yield from ((f"volume-{name}", run) for name, run in each if name in VolumeChecks.ours)

    def _run(self, check: Callable[..., None], *args: Any) -> None:
        """In grey where a prior refuses colour with a ShapeError; not without trained weights."""
        own = check.__name__ in vars(PriorChecks)
        with contextlib.suppress(*[MissingExtraError] * own):  # its line tells how to train some
            try:
                check(self, *args)
            except ShapeError:
                grey = type(self)(self.spec, self.options, 1)
                if "made" in vars(self):  # one that was given, or made before, is not made again
                    vars(grey)["made"] = self.made
                check(grey, *args)

    @property
    def _penalty(self) -> Any:
        """R, None where it cannot be computed."""
        return self.made.value if cap.Value in self.provided else None

    def _part(self, name: str) -> tuple[Any, Tensor]:
        """K = ``linear_part`` or ``quadratic_part``, and u: <K x, u> = <x, K^T u>."""
        if name in self._parts:
            return self._parts[name]
        k = getattr(self.made, name)(self.x.shape[1:])
        u = 2 * draw(2, 2, *k.data_shape) - 1
        left, right = image_dot(k.forward(self.x), u), image_dot(self.x, k.adjoint(u))
        close(left, right, 1e-11, f"adjoint of the {name}")
        if cap.has(k, cap.Norm):
            kit.norm(k, self.x, f"of the {name}")
        self._parts[name] = k, u
        return k, u

    @needs(cap.Latent)
    def latent(self) -> None:
        """E(x) has shape (B, n); |D(E(x)) - x| < 0.7 |x - mean(x)|."""
        prior, x, shape = self.made, self.x, self.x.shape[1:]
        z, n = pure("encode", prior.encode, x), prior.code_size(shape)
        require(z.shape == (2, n), f"encode gives {tuple(z.shape)}, not {(2, n)}")
        made = pure("decode", lambda c: prior.decode(c, shape), z)
        require(made.shape == x.shape, f"decode gives {tuple(made.shape)}, not {tuple(x.shape)}")
        apart = image_norm(made - x) / image_norm(x - x.mean((2, 3), keepdim=True))
        require((apart < 0.7).all(), f"D(E(x)) is {apart.tolist()} of the contrast away from x")

    @needs(cap.CodePenalty)
    def code_penalty(self) -> None:
        """code_grad is the gradient of R(z), by differences."""
        prior, z = self.made, 0.5 * draw(4, 2, self.made.code_size(self.x.shape[1:])) - 0.25
        kit.gradient("code_grad", prior.code_value, prior.code_grad, z, h=1e-7)

    @needs(cap.StochasticGrad)
    def stochastic_grad(self) -> None:
        """The gradient of draw 3: the same again, for each image alone, and finite."""
        one = pure("grad_draw", lambda v: self.made.grad_draw(v, 3), self.x)
        good = one.shape == self.x.shape and one.isfinite().all()
        require(good, "grad_draw gives no finite gradient of the picture's shape")

    @needs(cap.QuadraticModel)
    def quadratic_model(self) -> None:
        """P_j x sum up to x, are projections, orthogonal, and commute with L^T L."""
        prior, x = self.made, self.x
        part, spaces = prior.model_part(tuple(x.shape[1:])), prior.model_spaces(x)
        require(torch.allclose(sum(spaces), x), "the spaces do not sum up to x")
        for j, v in enumerate(spaces):
            bent = prior.model_spaces(part.adjoint(part.forward(v)))
            for k, (own, other) in enumerate(zip(prior.model_spaces(v), bent, strict=True)):
                require(torch.allclose(own, v if j == k else 0 * v, atol=1e-6), "no projections")
                size = float(bent[j].abs().max())
                apart = j != k and float(other.abs().max()) > 1e-5 * size
                require(not apart, "the spaces do not commute with L^T L")

    @needs(cap.LogProb)
    def log_prob(self) -> None:
        """log p(x) > log p(x + n) for pictures x and noise n of sigma 0.2."""
        clean = pure("log_prob", self.made.log_prob, self.clean)
        noisy = self.made.log_prob(self.clean + 0.2 * self.noise)
        good = clean.shape == (2,) and (clean > noisy).all()
        require(good, "noise is as likely as a picture")

    @needs(cap.Denoise)
    def denoise(self) -> None:
        """|D(x + n, sigma) - x|^2 < 0.7 |n|^2, D(x, 0) = x; sigma is a float or one per image."""
        denoise, sigma = self.made.denoise, min(0.1, self.traits.max_sigma)
        # a corner, and no call more than it takes: a network or a search of blocks takes long
        clean, noise = self.clean[..., 4:28, 4:36], self.noise[..., 4:28, 4:36]
        try:
            self.made.check(tuple(clean.shape[1:]))
        except ShapeError:  # it has one size
            clean, noise = self.clean, self.noise
        sigmas = torch.tensor([sigma, sigma / 2], dtype=clean.dtype)
        noisy = clean + column(sigmas, clean) * noise
        kept, out = noisy.clone(), denoise(noisy, sigmas)
        require(torch.equal(noisy, kept), "denoise changes its argument")
        same = (out.shape, out.dtype) == (noisy.shape, noisy.dtype)
        require(same, f"denoise gives {out.dtype}, {tuple(out.shape)}")
        left = image_sum((out - clean) ** 2) / image_sum((noisy - clean) ** 2)
        require((left < 0.7).all(), f"denoise leaves {left.tolist()} of the squared error")
        first, level = noisy[:1], float(sigmas[0])
        alone = pure("denoise", lambda v: denoise(v, level), first, batch=False, dtype=True)
        alone = torch.cat([alone, denoise(noisy[1:], float(sigmas[1]))])
        # a network computes in float32
        close(out, alone, 1e-4, "denoise image by image")
        close(denoise(noisy[:1], 0.0), noisy[:1], 1e-9, "denoise without noise")

    @needs(cap.ValueGrad)
    def value_grad(self) -> None:
        """value_grad gives value and grad."""
        value, slope = self.made.value_grad(self.x)
        close(value, self.made.value(self.x), 1e-9, "the value of value_grad")
        close(slope, self.made.grad(self.x), 1e-9, "the gradient of value_grad")

    @needs(cap.Value)
    def value(self) -> None:
        """R(x), one number per image."""
        v = pure("value", self.made.value, self.x, dtype=not self.network)
        require(v.shape == (2,), f"value has shape {tuple(v.shape)}, not (2,)")

    @needs(cap.Grad)
    def grad(self) -> None:
        """The gradient of R, by differences."""
        # a network of ReLUs has kinks everywhere: the step must be too short to meet many, and
        # rounding to float32 takes some to the other side of their kink: few values differ
        grad, h = self.made.grad, 1e-9 if self.network else 1e-6
        x = self.clean if self.network else self.x  # of a small picture a kink is a larger share
        double = kit.gradient("grad", self._penalty, grad, x, h=h, dtype=not self.network)
        if self.network:
            single = grad(x.float())
            gap = image_norm(single.double() - double) / image_norm(double)
            allowed = torch.full_like(gap, 2e-3)
            if not bool((gap < allowed).all()):  # as far as kinks move it within the rounding of x
                moved = [grad(x + 1e-6 * (draw(seed, *x.shape) - 0.5)) - double for seed in (0, 1)]
                change = torch.stack([image_norm(each) for each in moved]).amax(0)
                allowed = allowed + change / image_norm(double)
            good = single.dtype == torch.float32 and bool((gap < allowed).all())
            told = f"off by {gap.tolist()}, allowed {allowed.tolist()}"
            require(good, f"grad in float32: {single.dtype}, {told}")

    @needs(cap.Prox)
    def prox(self) -> None:
        """argmin_u R(u) + |u - x|^2 / (2 t), t a float or one per image."""
        # an iterative prox states its tolerance relative to the objective
        t, prox = (1e-3, 0.05, 2.0), self.made.prox
        kit.proximal(self._penalty, prox, self.x, steps=t, tol=2e-4, same=1e-10)

    @needs(cap.ProxConjugate)
    def prox_conjugate(self) -> None:
        """u = t prox_{lam g/t}(u / t) + prox_{t (lam g)*}(u): Moreau's identity."""
        outer, conjugate = self.made.prox_outer, self.made.prox_conjugate
        u = self._part("linear_part")[1]
        for t in (0.02, 1.0, 5.0):
            whole = outer(u, t) + t * conjugate(u / t, 1 / t)
            close(whole, u, 1e-10, f"Moreau's identity at t = {t:g}")
        for lam in (0.1, 3.0):
            whole = 0.7 * outer(u / 0.7, lam / 0.7) + conjugate(u, 0.7, lam)
            close(whole, u, 1e-10, f"Moreau's identity with lam = {lam:g}")
        pure("prox_outer", lambda v: outer(v, 0.1), u, dtype=True)
        for name, prox in (("prox_outer", outer), ("prox_conjugate", conjugate)):
            self._resolvent(name, prox, u)

    def _resolvent(self, name: str, prox: Any, u: Tensor) -> None:
        """What a proximal map p = prox_t(u) of a convex g satisfies, at several scales of u.

        prox_s(p + s (u - p) / t) = p for all s, |p - q|^2 <= <p - q, u - v>, and one t per image.
        """
        for scale in (1e-3, 0.03, 1.0, 10.0) if self.traits.convex else ():
            v, t, s = scale * u, 0.4 * scale, 0.9 * scale
            p, q = prox(v, t), prox(v.flip(0), t)
            again = prox(p + s * (v - p) / t, s)
            close(again / scale, p / scale, 1e-7, f"{name} at |u| about {scale:g}, another step")
            gap = (image_norm(p - q) ** 2 - image_dot(p - q, v - v.flip(0))) / scale**2
            require((gap < 1e-7 * v[0].numel()).all(), f"{name} expands at |u| about {scale:g}")
        each = torch.tensor([0.05, 0.7], dtype=u.dtype)
        alone = [prox(u[i : i + 1], float(each[i])) for i in range(2)]
        close(prox(u, each), torch.cat(alone), 1e-10, f"{name} with one t per image")

    @needs(cap.ProxConjugate)
    def value_is_g_of_Kx(self) -> None:  # noqa: N802
        """R(x1) - R(x0) is the integral of <g'(K x), K dx> from x0 to x1, for any convex g."""
        if not self.traits.weighted or not self._penalty:
            return
        value, k = self._penalty, self._part("linear_part")[0]
        x0, x1, t = 0.5 * draw(6, *self.x.shape), self.x, 1e-9
        start, end = k.forward(x0), k.forward(x1)
        line = (torch.lerp(start, end, (i + 0.5) / 100) for i in range(100))
        # g' is that of the Moreau envelope of g, which is near
        slope: Any = sum((z - self.made.prox_outer(z, t)) / t for z in line) / 100
        change, scale = image_dot(slope, end - start), value(x1).abs() + 1e-12
        found = (value(x1) - value(x0)) / scale
        close(change / scale, found, 2e-3, "g(Kx) against value(x), along a line")

    @needs(cap.AuxiliaryField)
    def auxiliary_field(self) -> None:
        """G is a prior on [x; w] that keeps the contracts of `Value` and `ProxConjugate`."""
        w = pure("field", self.made.field, self.x, dtype=True)
        shape = (len(self.x), *self.x.shape[2:])
        require((len(w), *w.shape[2:]) == shape, f"field gives {tuple(w.shape)}")
        both = type(self)(self.spec, self.options, self.x.shape[1])
        vars(both)["made"] = self.made.joint()
        both.provided = frozenset({cap.Value, cap.ProxConjugate})
        both.x = torch.cat([self.x, w + 0.1 * draw(5, *w.shape)], 1)
        for check in (PriorChecks.value, PriorChecks.prox_conjugate, PriorChecks.value_is_g_of_Kx):
            check(both)

    @needs(cap.Orthonormal)
    def orthonormal(self) -> None:
        """W^T W x = x and W W^T u = u."""
        w, u = self._part("orthonormal_part")
        close(w.adjoint(w.forward(self.x)), self.x, 1e-10, "W^T W x")
        close(w.forward(w.adjoint(u)), u, 1e-10, "W W^T u")

    @needs(cap.Box, cap.Prox)
    def box(self) -> None:
        """prox(x, t) clips x to the bounds."""
        close(self.made.prox(self.x, 0.3), self.x.clamp(*self.made.bounds()), 1e-12, "prox")

    @needs(cap.QuadraticPrior)
    def quadratic(self) -> None:
        """R(x) = 1/2 |L x|^2; F L^T L x = gram F x, with F that the trait basis names."""
        half = image_norm(self.basis_of_K("quadratic_part").forward(self.x)) ** 2 / 2
        if self._penalty:
            close(half, self._penalty(self.x), 1e-10, "1/2 |Lx|^2")

    @needs(cap.ProxConjugate)
    def basis_of_K(self, name: str = "linear_part") -> Any:  # noqa: N802
        """F K^T K x = gram F x, with the transform F that the trait basis names."""
        told, k = self.traits.basis, self._part(name)[0]
        real = kit.spectral(k, self.x) if cap.has(k, cap.Spectrum) else ""
        same = real == ("any" if told == "identity" else told)
        good = same and (told == "identity") == cap.has(k, cap.Diagonal)
        require(good, f"the trait basis is {told!r}, that of {name} {real!r}")
        return k


class VolumeChecks(PriorChecks):
    """The same on volumes, ``(2, 1, 6, 8, 5)``."""

    ours = (
        *("value", "grad", "prox", "prox-conjugate", "value-is-g-of-Kx", "orthonormal", "box"),
        *("quadratic", "basis-of-K"),
    )

    def __init__(self, spec: Any, options: Options, channels: int = 1) -> None:
        super().__init__(spec, options, channels)
        self.x = 1.6 * draw(0, 2, 1, 6, 8, 5) - 0.3


checks = PriorChecks.of
