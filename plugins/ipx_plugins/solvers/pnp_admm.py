"""Plug-and-play ADMM."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ipx import Problem, Sampled, Solver, State, has, image_dot, image_norm
from ipx.toolkit import column, filled_start
from ipx_plugins.solvers import PnPOptions
from ipx_plugins.solvers.schedule import (
    denoised,
    has_holes,
    penalty_at,
    settled,
    sigma_at,
    sigmas,
    steps_of,
)

_NEAR = 1.4  # times the last sigma; 1.25 to 1.6 differ by 0.2 dB, and 1 loses up to 2 dB
_PASSED = 0.01  # |A|^2 at a frequency that passes
_PASSING = 0.28  # share of passing frequencies: a Gaussian blur of 1.1 pixels
_FEW, _MANY = 0.7, 0.2  # share of the multiplier that is kept for blurs below and above that


@dataclass(frozen=True)
class PnPADMMState(State):
    """The denoised image x, the data term's copy v, scaled multiplier u."""

    v: Tensor
    u: Tensor
    table: Tensor  # sigma (steps, B)
    near: float  # the multiplier is dropped at this times the last sigma
    steps: int
    matches: object


class PnPADMM(Solver[PnPOptions, PnPADMMState]):
    """v = prox_{f / rho}(x - u), x = D(v + u, sigma), u = u + v - x.

    Venkatakrishnan, Bouman, Wohlberg 2013; sigma decreases, then is constant (Chan, Wang, Elgendy
    2017, continuation). The multiplier is rescaled with rho = lam / sigma^2. It is dropped when
    sigma comes near its last value, the noise: there the denoiser removes noise of the data, which
    the multiplier would restore. With missing pixels, which the multiplier fills, it is dropped
    only before the last step. Steps beyond the schedule do not use it. With the constant schedule
    it is kept, and the fixed point is that of the first paper.

    Where data have no holes and are at least half as many as pixels, as for blurs and sinograms of
    many angles, a share of the multiplier is kept (`_kept`). It holds noise of the data at the
    frequencies that these determine, and would bring it back step after step: up to 7 dB are lost
    for camera shake, and 5 for Gaussian blurs of less than a pixel. Without a multiplier, which is
    half-quadratic splitting, 0.1 to 0.3 dB are lost for wide blurs. Sinograms get none: even a
    fifth of it loses up to 1.5 dB there (mean 0.2, four photographs, three noise levels).
    """

    iterations = 8

    def budget(self, problem: Problem) -> int:
        """The number of steps of the schedule."""
        return steps_of(problem, self.options, holes=12)

    def schedule(self, problem: Problem) -> int | None:
        """The number of steps, unless sigma is constant."""
        return None if self.options.schedule == "constant" else self.budget(problem)

    def init(self, problem: Problem) -> PnPADMMState:
        """The start, with multiplier zero."""
        x = filled_start(problem)
        table = sigmas(problem, self.options, x, self.budget(problem))
        near = 1.0 if has_holes(problem) else _NEAR
        return PnPADMMState(x, x, torch.zeros_like(x), table, near, 0, None)

    def step(self, problem: Problem, state: PnPADMMState) -> PnPADMMState:
        """Prox of the data term, denoiser, multiplier."""
        s, k = state, state.steps
        sigma = sigma_at(s.table, k)
        v = problem.data.prox(s.x - s.u, 1 / penalty_at(problem, sigma), guess=s.v)
        x, matches = denoised(problem, self.options, v + s.u, sigma, k, s.matches)
        after = sigma_at(s.table, k + 1)
        growth = (after / sigma) ** 2  # rho / next rho
        if self.options.schedule != "constant":
            growth = growth * (after > s.near * s.table[-1])
            growth = growth * problem.derived("multiplier", lambda: _kept(problem))
        u = (s.u + v - x) * column(growth, x)
        return replace(s, x=x, v=v, u=u, steps=k + 1, matches=matches)

    def residual(self, problem: Problem, before: PnPADMMState, after: PnPADMMState) -> Tensor:
        """The larger of |x+ - x| and |v - x|, over |x|; at least 1 within the schedule."""
        change = torch.maximum(
            image_norm(after.x - before.x), image_norm(after.v - after.x)
        ) / image_norm(after.x).clamp_min(1e-12)
        return settled(change, after.steps, after.table)


def _kept(problem: Problem) -> float:
    """The share of the multiplier that is kept, by the share of frequencies that A passes.

    The latter is the trace of (A^T A + c)^-1 A^T A over n, c = `_PASSED`, from one probe of white
    noise.
    """
    operator = problem.operator
    many = math.prod(operator.data_shape) >= math.prod(operator.image_shape) / 2
    if has_holes(problem) or not (many or has(operator, Sampled)):
        return 1.0
    if operator.traits.absolute:
        return 0.0
    white = torch.randn(1, *operator.image_shape, generator=torch.Generator().manual_seed(0))
    white = white.to(problem.y).expand(len(problem.y), *white.shape[1:])
    without = problem.data.prox(torch.zeros_like(white), 1 / _PASSED)
    kept = problem.data.prox(white, 1 / _PASSED) - without  # c (A^T A + c)^-1 of the probe
    passed = 1 - image_dot(white, kept) / image_dot(white, white)
    return _FEW if float(passed[0]) < _PASSING else _MANY
