"""Plug-and-play ADMM."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ipx import Problem, Solver, State, image_norm
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
        u = (s.u + v - x) * column(growth, x)
        return replace(s, x=x, v=v, u=u, steps=k + 1, matches=matches)

    def residual(self, problem: Problem, before: PnPADMMState, after: PnPADMMState) -> Tensor:
        """The larger of |x+ - x| and |v - x|, over |x|; at least 1 within the schedule."""
        change = torch.maximum(
            image_norm(after.x - before.x), image_norm(after.v - after.x)
        ) / image_norm(after.x).clamp_min(1e-12)
        return settled(change, after.steps, after.table)
