"""The corner of the L-curve: neither noise level nor truth is needed.

The curve (log |A x_lam - y|^2, log R(x_lam)) over log lam looks like an L. Its vertical part is
noise that the solution follows, its horizontal part is image that it has lost. The weight is that
of the largest curvature (Hansen, O'Leary, SIAM J. Sci. Comput. 14(6), 1993),

    (f' g'' - f'' g') / (f'^2 + g'^2)^(3/2),    f = log |A x_lam - y|^2, g = log R,

with derivatives by log lam from a spline through the trials.
"""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import torch
from scipy.interpolate import CubicSpline
from torch import Tensor

from ipx import Problem, Result, Solve, Tuned, Tuner, Value, using, vector
from ipx_plugins.discrepancy import LCurveOptions
from ipx_plugins.discrepancy.freedom import coarse_misfit

_FINE = 64  # points between two trials at which the curvature is looked at


class LCurve(Tuner[LCurveOptions]):
    """The weight at the largest curvature of the L-curve, within ``lowest`` and ``highest``."""

    def most(self, problem: Problem) -> int:
        """One solve for each weight."""
        return self.options.evaluations

    def usual(self, problem: Problem) -> int:
        """As many."""
        return self.most(problem)

    def tune(self, problem: Problem, solve: Solve) -> Tuned:
        """Choose lam for each image; images without a corner are undecided."""
        o = self.options
        logs = np.linspace(math.log(o.highest), math.log(o.lowest), o.evaluations)
        trace: list[dict[str, Any]] = []
        result: Result | None = None
        curves: list[Tensor] = []
        for log in logs:
            lam = vector(math.exp(log), problem.y)
            weighted = problem.with_lam(lam)
            result = solve(weighted, after=result)
            value = using(weighted.prior, Value).value(result.unknown)
            tiny = torch.finfo(value.dtype).tiny
            pair = torch.stack([coarse_misfit(weighted, result), value]).clamp_min(tiny).log()
            curves.append(pair)
            misfit, size = pair.tolist()
            trace.append({"lam": lam.tolist(), "log_misfit": misfit, "log_value": size})
        points = torch.stack(curves).double().cpu().numpy()  # (trials, 2, B)
        corners = [corner(logs[::-1], *points[::-1, :, i].T) for i in range(points.shape[2])]
        found = torch.tensor([at for at, _ in corners]).to(problem.y).exp()
        decided = torch.tensor([bent for _, bent in corners], device=problem.y.device)
        return Tuned(found, trace, decided=decided)


def corner(logs: Any, misfit: Any, value: Any) -> tuple[float, bool]:
    """The log lam of the largest curvature, and whether it is a corner within the bounds.

    Args:
        logs: log lam, increasing.
        misfit: log |A x - y|^2 there.
        value: log R there.
    """
    fine = np.linspace(logs[0], logs[-1], _FINE * (len(logs) - 1) + 1)
    f, g = CubicSpline(logs, misfit), CubicSpline(logs, value)
    speed = (f(fine, 1) ** 2 + g(fine, 1) ** 2) ** 1.5
    bend = (f(fine, 1) * g(fine, 2) - f(fine, 2) * g(fine, 1)) / np.maximum(speed, 1e-12)
    inner = slice(_FINE // 2, -(_FINE // 2))
    k = int(np.argmax(bend[inner])) + _FINE // 2
    inside = _FINE // 2 < k < len(fine) - 1 - _FINE // 2
    return float(fine[k]), bool(inside and bend[k] > 0)
