"""Empirical Bayes: the weight of greatest marginal likelihood, by stochastic approximation."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ipx import (
    Problem,
    Random,
    Solve,
    State,
    Tuned,
    Tuner,
    Value,
    attach,
    plan_for,
    temperature,
    using,
)
from ipx_plugins.samplers import SAPGOptions
from ipx_plugins.samplers.homogeneous import degree, dimension
from ipx_plugins.samplers.myula import MYULA


class SAPG(Tuner[SAPGOptions]):
    """d = lam / T maximises p(y | d): at its maximum E[R(x) | y, d] = n / (a d).

    Vidal, De Bortoli, Pereyra, Durmus (SIAM J. Imaging Sci. 13(4), 2020), algorithm 1: steps of
    `myula` for x at the present d, and steps log d += s_k (1/a - d R(x) / n), s_k = 5 k^-0.8, for R
    homogeneous of degree a on n dimensions. The weight is the geometric mean over the second half.
    It suits the posterior mean; it need not be that of the best minimiser.
    """

    def most(self, problem: Problem) -> int | None:
        """No solves: the chain alone tells the weight."""
        return 0

    def tune(self, problem: Problem, solve: Solve) -> Tuned:
        """Run the chain."""
        o, chain = self.options, MYULA()
        x = problem.preview()
        n, a, t = dimension(problem, x), degree(problem, x), temperature(problem)
        bare = problem if problem.plan is None else problem.changed(plan=None, ways={})
        drawn = attach(bare, plan_for(bare, chain))
        value = using(problem.prior, Value).value
        log_d = (n / (a * value(x).clamp_min(1e-12))).log()
        state, total, trace = State(x), torch.zeros_like(log_d), []
        with torch.no_grad():
            for k in range(1, o.steps + 1):
                now = drawn.with_lam(log_d.exp() * t)
                state = chain.step(now, state, Random(o.seed, 0, k))
                rise = 1 / a - log_d.exp() * value(state.x) / n
                log_d = log_d + 5.0 * k**-0.8 * rise.clamp(-1, 1)
                if 2 * k > o.steps:
                    total = total + log_d
                if k % (o.steps // 10 or 1) == 0:
                    trace.append(self._row(log_d.exp() * t, rise))
        lam = (total / (o.steps - o.steps // 2)).exp() * t
        return Tuned(lam, trace)

    def _row(self, lam: Tensor, rise: Tensor) -> dict[str, Any]:
        return {"lam": lam.tolist(), "score": rise.tolist()}
