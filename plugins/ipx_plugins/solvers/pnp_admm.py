"""Plug-and-play ADMM."""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ipx import Problem, Solver, State, image_norm
from ipx_plugins.solvers import PNP_ADMM as NEEDS
from ipx_plugins.solvers import PnPADMMOptions
from ipx_plugins.solvers.common import column, start
from ipx_plugins.solvers.schedule import denoised, penalty_at, settled, sigma_at, sigmas


@dataclass(frozen=True)
class PnPADMMState(State):
    """The denoised image x, the data term's copy v, scaled multiplier u."""

    v: Tensor
    u: Tensor
    table: Tensor  # sigma (steps, B)
    steps: int
    matches: object


class PnPADMM(Solver[PnPADMMOptions, PnPADMMState]):
    """v = prox_{f / rho}(x - u), x = D(v + u, sigma), u = u + v - x.

    Venkatakrishnan, Bouman, Wohlberg 2013; with sigma falling, then constant (Chan, Wang, Elgendy
    2017, continuation). The multiplier is rescaled with rho = lam / sigma^2.
    """

    needs = NEEDS
    iterations = 20

    def init(self, problem: Problem) -> PnPADMMState:
        """The start, multiplier zero."""
        x = start(problem)
        return PnPADMMState(x, x, torch.zeros_like(x), sigmas(problem, self.options, x), 0, None)

    def step(self, problem: Problem, state: PnPADMMState) -> PnPADMMState:
        """Data, denoiser, multiplier."""
        s, k = state, state.steps
        sigma = sigma_at(s.table, k)
        v = problem.data.prox(s.x - s.u, 1 / penalty_at(problem, sigma), guess=s.v)
        x, matches = denoised(problem, self.options, v + s.u, sigma, k, s.matches)
        growth = (sigma_at(s.table, k + 1) / sigma) ** 2  # rho / next rho
        u = (s.u + v - x) * column(growth, x)
        return replace(s, x=x, v=v, u=u, steps=k + 1, matches=matches)

    def residual(self, problem: Problem, before: PnPADMMState, after: PnPADMMState) -> Tensor:
        """The larger of the changes of x and |v - x|, relative."""
        change = torch.maximum(
            image_norm(after.x - before.x), image_norm(after.v - after.x)
        ) / image_norm(after.x).clamp_min(1e-12)
        return settled(change, after.steps, after.table)
