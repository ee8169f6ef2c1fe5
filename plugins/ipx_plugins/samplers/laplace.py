"""Laplace's approximation: a Gaussian at the minimiser, drawn from by Lanczos steps."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ipx import Problem, Random, Sampler, State, column, image_dot, image_norm, temperature
from ipx_plugins.samplers import LaplaceOptions
from ipx_plugins.samplers.drift import Slope, slope_of


@dataclass(frozen=True)
class LaplaceState(State):
    """The last draw, and the minimiser."""

    centre: Tensor


class Laplace(Sampler[LaplaceOptions, LaplaceState]):
    """x = x0 + sqrt(T) H^(-1/2) n, H the second derivative of f + lam R at the start x0.

    H^(-1/2) n comes from ``steps`` Lanczos steps with n as the first vector (Chow and Saad, SIAM J.
    Sci. Comput. 36(2), 2014); products with H are differences of slopes. x0 has to be the
    minimiser, which `ipx.solve` gives. Directions in which H is not positive count as flat: they
    get the curvature of the flattest direction that is positive.
    """

    independent = True
    draws = 200

    def init(self, problem: Problem, start: Tensor) -> LaplaceState:
        """The minimiser."""
        return LaplaceState(start, start)

    def step(self, problem: Problem, state: LaplaceState, random: Random) -> LaplaceState:
        """One draw."""
        centre = state.centre
        root = inverse_root(slope_of(problem), centre, random.normal(centre), self.options.steps)
        x = centre + column(temperature(problem).sqrt(), root) * root
        return LaplaceState(x, centre)


def inverse_root(slope: Slope, x: Tensor, n: Tensor, steps: int) -> Tensor:
    """H^(-1/2) n by Lanczos steps, H the derivative of ``slope`` at ``x``; the shape of ``x``."""
    count = min(steps, x[0].numel())
    size, h = image_norm(n).clamp_min(1e-30), _difference(x)

    def product(v: Tensor) -> Tensor:
        """H v, for vectors as rows ``(B, n)``."""
        move = column(h, x) * v.view_as(x)
        return ((slope(x + move) - slope(x - move)) / column(2 * h, x)).flatten(1)

    basis = x.new_zeros(len(x), count, x[0].numel())
    basis[:, 0] = (n / column(size, n)).flatten(1)
    t = torch.zeros(len(x), count, count, dtype=torch.float64, device=x.device)
    for k in range(count):
        v, known = product(basis[:, k]), basis[:, : k + 1]
        t[:, k, k] = image_dot(v, basis[:, k]).double()
        for _ in range(2):  # all earlier vectors again: rounding makes them less orthogonal
            v = v - (known.transpose(1, 2) @ (known @ v[..., None]))[..., 0]
        rest = image_norm(v)
        if k + 1 == count or bool((rest <= 1e-5 * t[:, 0, 0].abs()).all()):
            break
        t[:, k, k + 1] = t[:, k + 1, k] = rest.double()
        basis[:, k + 1] = v / rest.clamp_min(1e-30)[:, None]
    values, vectors = torch.linalg.eigh(t[:, : k + 1, : k + 1])
    least = torch.where(values > 1e-6 * values[:, -1:], values, torch.inf).amin(1, keepdim=True)
    weights = (vectors * values.maximum(least).rsqrt()[:, None]) @ vectors[:, 0, :, None]
    root: Tensor = (weights.to(x).transpose(1, 2) @ basis[:, : k + 1])[:, 0]
    return column(size, x) * root.view_as(x)


def _difference(x: Tensor) -> Tensor:
    """The length of a step along a unit vector for differences of slopes at ``x``, ``(B,)``."""
    share = 1e-2 if x.dtype == torch.float32 else 1e-5
    return share * image_norm(x).clamp_min(1.0)
