"""The laws of the samplers: closed forms on Gaussian posteriors, quadrature on codes."""

from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import pytest
import torch
from numpy.polynomial import chebyshev
from torch import Tensor

import ipx
from ipx.solving.attach import attach, plan_for
from ipx.solving.sample import sample
from small_problems import F64

SIDE = 16
SHAPE = (1, SIDE, SIDE)
SIGMA, LAM = 0.1, 0.3
T = SIGMA**2
STRENGTH = 0.2
OPTIONS: dict[str, dict[str, float]] = {"pnp-ula": {"sigma": STRENGTH, "step": 1.0}}


class Wiener(ipx.Prior):
    """The best linear filter for images of the spectrum 1 / (2 + |D|^2)."""

    provides = (ipx.Denoise,)

    def denoise(self, x: Tensor, sigma: Any) -> Tensor:
        return torch.fft.ifft2(torch.fft.fft2(x) * _passed(float(sigma))).real


def _roughness() -> Tensor:
    """The eigenvalues of D^T D, circular."""
    k = 4 * torch.sin(math.pi * torch.arange(SIDE, dtype=F64) / SIDE) ** 2
    return k[:, None] + k


def _passed(sigma: float) -> Tensor:
    return 1 / (1 + sigma**2 * (2 + _roughness()))


def made(name: str) -> Any:
    """A sampler."""
    return ipx.sampler(name, **OPTIONS.get(name, {}))


def gaussian(name: str, y: Tensor | None = None) -> ipx.Problem:
    """A problem that the Fourier transform diagonalises; its data, or data 0."""
    operator = ipx.operator("blur", SHAPE, sigma=0.8, boundary="circular")
    noise = ipx.noise("gaussian", sigma=SIGMA)
    prior = Wiener() if name == "pnp-ula" else ipx.prior("smooth", boundary="circular")
    lam = ipx.DENOISER_SHARE * T if name == "pnp-ula" else LAM
    y = torch.zeros(1, *SHAPE, dtype=F64) if y is None else y
    problem = ipx.Problem(y, operator, noise, prior, lam)
    return attach(problem, plan_for(problem, made(name)))


def _blurred() -> Tensor:
    """The eigenvalues of A^T A."""
    one = torch.zeros(1, *SHAPE, dtype=F64)
    one[..., 0, 0] = 1
    operator = ipx.operator("blur", SHAPE, sigma=0.8, boundary="circular")
    return torch.fft.fft2(operator.forward(one)).abs()[0, 0] ** 2


def variances(name: str) -> Tensor:
    """The variance of each Fourier coefficient, as the docstrings of the samplers have it."""
    a, r = _blurred(), LAM * _roughness()
    if name == "ula":  # its L is an estimate with 20 % to spare
        (length,) = ipx.sampler("ula").init(gaussian("ula"), torch.zeros(1, *SHAPE, dtype=F64)).step
        return T / ((a + r) * (1 - length * (a + r) / 2))
    if name == "myula":  # L = 1, mu = 1
        c, g = a + r / (1 + r), 0.98 / 2
        return T / (c * (1 - g * c / 2))
    if name == "pnp-ula":
        pull = T / STRENGTH**2
        c, g = a + pull * (1 - _passed(STRENGTH)), 1 / (2 * (1 + pull))
        return T / (c * (1 - g * c / 2))
    if name == "skrock":
        return _stabilised(a + r)
    if name == "split-gibbs":
        return _split(a, r, inner=5)
    return T / (a + r)


def _split(a: Tensor, r: Tensor, inner: int) -> Tensor:
    """The stationary law of x from z, then ``inner`` Langevin steps of z; k = 1."""
    q, g = r / (1 + r), 0.98 / 2
    stays = 1 - g * (1 + q)
    kept = stays**inner
    pulled = (1 - kept) / (1 + q)
    fresh = 2 * g * T * (1 - kept**2) / (1 - stays**2)
    through, spread = 1 / (a + 1), T / (a + 1)
    copy = (pulled**2 * spread + fresh) / (1 - (kept + pulled * through) ** 2)
    return through**2 * copy + spread


def _stabilised(c: Tensor, lengths: int = 64, stages: int = 15, damping: float = 0.01) -> Tensor:
    """Var x = E[2 g T B^2] / (1 - E[A^2]) + T E[g] / (2 s^2), over lengths of steps g.

    Abdulle, Almuslimani, Vilmart 2018, equation 3.5: A = T_s(w) / T_s(w0), B = U_{s-1}(w) (1 - w1 z
    / 2) / U_{s-1}(w0), w = w0 - w1 z, z = g c, for the Chebyshev polynomials of both kinds.
    """
    first = [0.0] * stages + [1.0]  # T_s; its derivative is s U_{s-1}
    slope, w0 = chebyshev.chebder(first), 1 + damping / stages**2
    top, steep = chebyshev.chebval(w0, first), chebyshev.chebval(w0, slope)
    w1 = top / steep
    begun = made("skrock").init(gaussian("skrock"), torch.zeros(1, *SHAPE, dtype=F64))
    longest = 0.8 * ((stages - 0.5) ** 2 * (2 - 4 / 3 * damping) - 1.5) / float(begun.largest)
    fresh = stays = torch.zeros_like(c)
    for i in range(lengths):
        g = longest * (0.3 + 0.7 * (i + 0.5) / lengths)
        w = (w0 - w1 * g * c).numpy()
        b = torch.as_tensor(chebyshev.chebval(w, slope) / steep) * (1 - w1 * g * c / 2)
        fresh = fresh + 2 * g * T * b**2 / lengths
        stays = stays + torch.as_tensor(chebyshev.chebval(w, first) / top) ** 2 / lengths
    return fresh / (1 - stays) + T * longest * 0.65 / (2 * stages**2)


def centre(name: str, y: Tensor) -> Tensor:
    """The mean, which no sampler biases but by the envelope and the copy of the prior."""
    a, r = _blurred(), LAM * _roughness()
    q = r / (1 + r)
    c = {
        "myula": a + q,
        "split-gibbs": a + q / (1 + q),
        "pnp-ula": a + T / STRENGTH**2 * (1 - _passed(STRENGTH)),
    }.get(name, a + r)
    operator = gaussian(name).operator
    return torch.fft.ifft2(torch.fft.fft2(operator.adjoint(y)) / c).real  # type: ignore[attr-defined]


class Impulse:
    """Random numbers that are 0 but for one pixel of one call, the ``which``-th from 0."""

    def __init__(self, which: int, u: float = 0.5) -> None:
        self.which, self.u, self.calls = which, u, 0

    def normal(self, like: Tensor) -> Tensor:
        out = torch.zeros_like(like)
        out[..., 0, 0] = float(self.calls == self.which)
        self.calls += 1
        return out

    def uniform(self, like: Tensor) -> Tensor:
        return like.new_full((len(like),), self.u)


def _response(x: Tensor) -> Tensor:
    return torch.fft.fft2(x)[0, 0].abs() ** 2


def exact_law(name: str, chain: str, lengths: int = 1) -> Tensor:
    """The variance of each Fourier coefficient, from the steps themselves.

    On these problems a step is linear in the ``chain`` of its state and in its random numbers, and
    invariant to shifts: impulses show all of it. ``lengths`` random lengths of the step.
    """
    sampler, problem = made(name), gaussian(name)
    zero = torch.zeros(1, *SHAPE, dtype=F64)
    begun = sampler.init(problem, zero)
    one = zero.clone()
    one[..., 0, 0] = 1
    again = fresh = 0.0 * _roughness()
    for i in range(lengths):
        silent = Impulse(-1, (i + 0.5) / lengths)
        moved = sampler.step(problem, replace(begun, **{chain: one}), silent)
        again = again + _response(getattr(moved, chain)) / lengths
        for call in range(silent.calls):
            state = sampler.step(problem, begun, Impulse(call, silent.u))
            fresh = fresh + _response(getattr(state, chain)) / lengths
    stationary = fresh / (1 - again)
    if chain == "x":
        return stationary
    shown = torch.zeros_like(stationary)
    for i in range(lengths):
        u = (i + 0.5) / lengths
        moved = sampler.step(problem, replace(begun, **{chain: one}), Impulse(-1, u))
        shown = shown + _response(moved.x) * stationary / lengths
        for call in range(silent.calls):
            drawn = sampler.step(problem, begun, Impulse(call, u))
            shown = shown + _response(drawn.x) / lengths
    return shown


@pytest.mark.parametrize(
    ("name", "chain"), [("ula", "x"), ("myula", "x"), ("pnp-ula", "x"), ("split-gibbs", "copy")]
)
def test_biased_law(name: str, chain: str) -> None:
    """Unadjusted samplers have the law that their docstrings state."""
    torch.testing.assert_close(exact_law(name, chain), variances(name), rtol=1e-6, atol=0)


def test_skrock_law() -> None:
    """The law is the closed one, which loses at most 8 % of any variance."""
    c = _blurred() + LAM * _roughness()
    few = exact_law("skrock", "chain", lengths=4)
    torch.testing.assert_close(few, _stabilised(c, lengths=4), rtol=1e-6, atol=0)
    share = variances("skrock") * c / T
    assert float(share.min()) > 0.92
    assert float(share.max()) < 1.001


@pytest.mark.parametrize(("name", "chain"), [("skrock", "chain"), ("pnp-ula", "x")])
def test_mean_stays(name: str, chain: str) -> None:
    """Without noise the mean is a fixed point of a linear step: no bias, whatever its length."""
    y = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(2), dtype=F64)
    sampler, problem, mean = made(name), gaussian(name, y), centre(name, y)
    begun = replace(sampler.init(problem, mean), **{chain: mean})
    for u in (0.0, 0.3, 0.9):
        moved = sampler.step(problem, begun, Impulse(-1, u))
        torch.testing.assert_close(getattr(moved, chain), mean, rtol=0, atol=1e-6)


LENGTHS = {
    "gibbs": (100, 1),
    "mala": (200, 5),
    "hmc": (100, 1),
    "skrock": (200, 1),
    "pnp-ula": (400, 5),
    "ula": (400, 5),
    "myula": (400, 5),
    "split-gibbs": (400, 2),
}
"""Draws and thinning of each sampler."""

QUICK = ("gibbs", "mala", "hmc")
NAMES = [n if n in QUICK else pytest.param(n, marks=pytest.mark.slow) for n in LENGTHS]


@pytest.mark.parametrize("name", NAMES)
def test_moments(name: str) -> None:
    """Means and variances are within three standard errors of the closed form."""
    y = torch.rand(1, *SHAPE, generator=torch.Generator().manual_seed(2), dtype=F64)
    mean = centre(name, y)
    law = variances(name)
    half = SIDE // 2
    wave = torch.cos(math.pi * torch.arange(SIDE, dtype=F64) / half).expand(SIDE, SIDE)
    rough = torch.tensor([[1.0, -1.0], [-1.0, 1.0]], dtype=F64).tile(half, half)
    parts = {"wave": (wave / wave.norm(), law[0, 1]), "rough": (rough / SIDE, law[half, half])}
    watch: dict[str, Any] = {"power": lambda x: ((x - mean) ** 2).sum((1, 2, 3))}
    expected = {"power": law.sum()}
    for part, (shape, variance) in parts.items():
        watch[part] = lambda x, shape=shape: ((x - mean) * shape).sum((1, 2, 3))
        watch[part + " squared"] = lambda x, part=part: watch[part](x) ** 2
        expected |= {part: torch.tensor(0.0), part + " squared": variance}
    draws, thin = LENGTHS[name]
    problem, warmup = gaussian(name, y), 60 if name in ("gibbs", "hmc") else 100
    found = sample(problem, made(name), draws=draws, thin=thin, warmup=warmup, watch=watch)
    for part, value in expected.items():
        s = found.statistics[part]
        error = s.std[0] / math.sqrt(s.ess[0])
        assert abs(s.mean[0] - float(value)) < 3 * error, part
    off = (found.mean - mean) / (found.std / found.ess.sqrt())
    assert 0.7 < float(off.square().mean().sqrt()) < 1.5


class Code(ipx.Prior):
    """Pictures of two pixels made of a normal code of two numbers."""

    def code_size(self, image_shape: tuple[int, ...]) -> int:
        return 2

    def deviation(self) -> float:
        return 1.0

    def encode(self, x: Tensor) -> Tensor:
        return x.flatten(1)

    def decode(self, z: Tensor, image_shape: tuple[int, ...]) -> Tensor:
        return self.made(z).view(-1, *image_shape)

    def code_value(self, z: Tensor) -> Tensor:
        return ipx.image_sum(z**2) / 2

    def code_grad(self, z: Tensor) -> Tensor:
        return z


class Banana(Code):
    """The second pixel is far from the parabola of the first unless both codes agree."""

    def made(self, z: Tensor) -> Tensor:
        return torch.stack([z[:, 0], z[:, 1] + z[:, 0] ** 2], 1)


class TwoModes(Code):
    """The first pixel is nearly even in the code; the second hints at the sign of the code."""

    def made(self, z: Tensor) -> Tensor:
        return torch.stack([z[:, 0] ** 2 + 0.3 * z[:, 0], 1e-3 * z[:, 0]], 1)


def coded(prior: Code, y: tuple[float, float], sigma: float) -> ipx.Problem:
    data = torch.tensor(y, dtype=F64).view(1, 1, 1, 2)
    operator, noise = ipx.operator("identity", (1, 1, 2)), ipx.noise("gaussian", sigma=sigma)
    return ipx.Problem(data, operator, noise, prior, sigma**2)


def by_quadrature(problem: ipx.Problem, number: Any) -> float:
    """The posterior mean of a number of a code ``(B, 2)``, on a grid of codes."""
    axis = torch.linspace(-4, 4, 401, dtype=F64)
    z = torch.cartesian_prod(axis, axis)
    x = problem.prior.decode(z, problem.image_shape)  # type: ignore[attr-defined]
    variance = float(problem.noise.level) ** 2  # type: ignore[attr-defined]
    energy = ((x - problem.y) ** 2).flatten(1).sum(1) / (2 * variance) + (z**2).sum(1) / 2
    weight = torch.softmax(-energy, 0)
    return float((weight * number(z)).sum())


NUMBERS = {
    "first": lambda z: z[:, 0],
    "second": lambda z: z[:, 1],
    "first squared": lambda z: z[:, 0] ** 2,
    "second squared": lambda z: z[:, 1] ** 2,
}


@pytest.mark.parametrize(("name", "thin"), [("mala", 4), ("hmc", 1), ("pcn", 4)])
def test_banana(name: str, thin: int) -> None:
    """The samplers of codes are exact on a bent posterior: its moments are those of quadrature."""
    problem = coded(Banana(), (0.3, 1.0), 0.3)
    sampler = ipx.sampler(name)
    problem = attach(problem, plan_for(problem, sampler))
    # the picture shows the code: z1 = x1, z2 = x2 - x1^2
    watch = {
        key: (lambda x, f=f: f(torch.stack([x[..., 0], x[..., 1] - x[..., 0] ** 2], -1)[:, 0, 0]))
        for key, f in NUMBERS.items()
    }
    found = sample(problem, sampler, draws=80, thin=thin, warmup=60, watch=watch)
    for key, f in NUMBERS.items():
        s = found.statistics[key]
        error = s.std[0] / math.sqrt(s.ess[0])
        assert abs(s.mean[0] - by_quadrature(coded(Banana(), (0.3, 1.0), 0.3), f)) < 3 * error, key


def test_two_modes() -> None:
    """Tempering visits both modes, far apart, in the right proportion; one temperature does not."""
    problem = coded(TwoModes(), (1.0, 0.0), 0.2)
    share = by_quadrature(problem, lambda z: (z[:, 0] > 0).to(F64))
    assert 0.3 < share < 0.7
    single, tempered = (_positive(problem, count) for count in (1, 3))
    assert single.std[0] == 0 or single.rhat[0] > 1.5
    assert tempered.ess[0] > 20
    error = tempered.std[0] / math.sqrt(tempered.ess[0])
    assert abs(tempered.mean[0] - share) < 3 * error


def _positive(problem: ipx.Problem, temperatures: int) -> Any:
    """Whether the first number of the code is positive, watched by `pcn`."""
    sampler = ipx.sampler("pcn", temperatures=temperatures)
    problem = attach(problem, plan_for(problem, sampler))
    watch = {"positive": lambda x: (x[:, 0, 0, 1] > 0).to(x)}
    found = sample(problem, sampler, draws=200, thin=2, warmup=40, watch=watch)
    return found.statistics["positive"]
