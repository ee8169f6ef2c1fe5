"""Checks of noise models."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ipx.declare import capabilities as cap
from ipx.declare.options import Options
from ipx.errors import OptionError
from ipx.numerics.tensors import image_norm
from ipx.testing.common import Checks, close, draw, gradient, needs, proximal, pure, require

SHAPE = (2, 1, 16, 16)


class NoiseChecks(Checks):
    """On noisy data y, and predictions p and q, all positive."""

    def __init__(self, spec: Any, options: Options) -> None:
        super().__init__(spec, options)
        self.p, self.q = 0.1 + draw(2, *SHAPE), 0.2 + 0.6 * draw(0, *SHAPE)
        self.y = (self.q + 0.05 * (draw(1, *SHAPE) - 0.5)).clamp(0.01, 1)

    def _told(self) -> tuple[Any, float]:
        """The noise with a level, by the option that the trait names, and that level."""
        kind, name = type(self.options), self.traits.level
        require(name in kind.infos(), f"the trait level names no option: {name!r}")
        info = kind.infos()[name]
        value = info.kind((info.min or info.above or 0) + (0.25 if info.kind is float else 1))
        return type(self.made)(kind(**{**self.options.to_mapping(), name: value})), value

    def _sample(self, clean: Tensor, seed: int) -> Any:
        try:
            return self.made.sample(clean, torch.Generator().manual_seed(seed))
        except OptionError:  # it has no level to simulate with unless it is told one
            return self._told()[0].sample(clean, torch.Generator().manual_seed(seed))

    def level(self) -> None:
        """The option that the trait names is the level; without options there may be none."""
        if type(self.options).infos() or self.traits.level:
            noise, value = self._told()
            found = noise.level if noise.level is not None else noise.estimated(self.y).level
            told = torch.as_tensor(found).double() == value
            require(told.all(), f"option {self.traits.level} is not the level")

    def sampling(self) -> None:
        """Samples depend on the generator alone; shape and dtype are those of the data."""
        one, two, other = (self._sample(self.q, seed) for seed in (0, 0, 1))
        require(torch.equal(one, two), "the same seed gives different noise")
        ruled = self.made.silent or not self.traits.drawn
        require(torch.equal(one, other) == ruled, "another seed: the same noise, or trait drawn")
        same = (one.shape, one.dtype) == (self.q.shape, self.q.dtype)
        require(same, "a sample has another shape or type than the clean data")

    def nll(self) -> None:
        """f = nll(., y) >= 0, 0 at the centred y, f((1 - s) p + s q) <= (1 - s) f(p) + s f(q)."""
        nll, p, q, y = self.made.nll, self.p, self.q, self.y
        require((pure("nll", nll, p, y, dtype=True) >= -1e-12).all(), "nll is negative")
        close(nll(self.made.centred(y), y), torch.zeros(2, dtype=y.dtype), 1e-9, "nll(y, y)")
        for s in (0.25, 0.5, 0.75):
            chord = (1 - s) * nll(p, y) + s * nll(q, y)
            require((nll((1 - s) * p + s * q, y) <= chord + 1e-9).all(), "nll is not convex")

    def expected(self) -> None:
        """nll(truth, y) is within 15 % of ``expected``, the level estimated from a flat y.

        A rule such as rounding, without trait drawn, errs by the same all over a flat y.
        """
        if not self.traits.drawn:
            return
        flat = torch.full((1, 1, 128, 128), 0.5, dtype=torch.float64)
        y, count = self._sample(flat, 3), torch.tensor([128.0**2], dtype=torch.float64)
        found, told = self.made.nll(flat, y), self.made.estimated(y).expected(y, count)
        good = (0.85 * told <= found) & (found <= 1.15 * told)
        require(good.all(), f"nll of the truth is {found.tolist()}, expected {told.tolist()}")

    @needs(cap.NoiseGrad)
    def grad(self) -> None:
        """The gradient of nll, by differences; |grad(p) - grad(q)| <= curvature |p - q|."""
        noise, p, q, y = self.made, self.p, 0.1 + draw(5, *SHAPE), self.y
        found = gradient("grad", noise.nll, noise.grad, p, y, dtype=True)
        gap = image_norm(found - noise.grad(q, y))
        bound = torch.as_tensor(noise.curvature(y)) * image_norm(p - q) * (1 + 1e-9)
        require((gap <= bound).all(), "curvature is no Lipschitz constant of the gradient")

    @needs(cap.NoiseProx)
    def prox(self) -> None:
        """argmin_u nll(u, y) + |u - p|^2 / (2 t), t a float, one per image or one per value."""
        noise, p, y, t = self.made, self.p, self.y, torch.tensor([1e-3, 0.3]).double()
        proximal(noise.nll, noise.prox, p, y, steps=(1e-3, 0.3, 20.0), tol=1e-9, same=1e-12)
        each = noise.prox(p, y, t.view(2, 1, 1, 1).expand(SHAPE))
        close(each, noise.prox(p, y, t), 1e-12, "prox with one t per value")

    @needs(cap.Stabilised)
    def stabilised(self) -> None:
        """T(y) has the told deviation within 15 %; its mean gives that of y within 1 %."""
        halves = torch.tensor([0.3, 0.8], dtype=torch.float64).repeat_interleave(128)
        clean = halves.expand(1, 1, 128, 256)
        y = self._sample(clean, 4)
        noise = self.made.estimated(y)
        z, level = noise.stabilised(y)
        for half in (slice(0, 128), slice(128, 256)):
            ratio = float(z[..., half].std() / torch.as_tensor(level).flatten()[0])
            require(0.85 < ratio < 1.15, f"the noise of T(y) is {ratio:.2f} of the told level")
            mean = z[..., half].mean((-2, -1), keepdim=True)
            found = pure("recovered", noise.recovered, mean, dtype=True)
            told = noise.centred(y)[..., half].mean()
            require(abs(found / told - 1) < 0.01, f"recovered: {float(found)}, not {float(told)}")


checks = NoiseChecks.of
