"""Richardson-Lucy deconvolution, accelerated, with total variation as an option.

    x+ = x / (A^T 1 - lam div(grad x / |grad x|)) * A^T (y / A x)

Each step keeps x nonnegative and decreases the Kullback-Leibler divergence of y from A x. The data
are fitted ever more closely, noise included, so stopping where the divergence is down to its
expected value is the regularisation. A^T 1 is the share of the light of a pixel that reaches the
data. It is below 1 beyond the border of a blur with boundary ``unknown``, where pixels then follow
the light that does reach them instead of ringing (Bertero, Boccacci, Astron. Astrophys. 437, 2005).

With read-out noise, y and A x in the ratio are shifted as in the data term (Snyder et al., J. Opt.
Soc. Am. A 10(5), 1993), so that values below 0 are not clipped, which would add light.

The term in lam is that of Dey et al. (Microsc. Res. Tech. 69(4), 2006).
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional

from ipx import Adjoint, Box, Problem, Solver, State, image_dot, using
from ipx.toolkit import column
from ipx_plugins.richardson_lucy import RichardsonLucyOptions

_SEEN = 1e-3  # pixels of which a smaller share of the light reaches the data keep their value
_DARK = 1e-6  # least prediction, as a share of the largest value of the data
_EDGE = 1e-2  # gradients below this count as flat: sqrt(|grad x|^2 + _EDGE^2)
_LEAST = 0.2  # the denominator is at least this share of A^T 1


@dataclass(frozen=True)
class RichardsonLucyState(State):
    """x, the iterate before it, and the last two changes by a plain step."""

    before: Tensor
    change: Tensor
    older: Tensor
    steps: int = 0


class RichardsonLucy(Solver[RichardsonLucyOptions, RichardsonLucyState]):
    """Steps from p = x + a (x - x_before), a = <g, g_before> / |g_before|^2, g = step(p) - p.

    a is within [0, 1), per image (Biggs, Andrews, Appl. Opt. 36(8), 1997, equations 6 to 8). The
    bounds of a prior such as `range` hold for every iterate. Without read-out noise, data below 0
    count as 0.
    """

    iterations = 500

    def init(self, problem: Problem) -> RichardsonLucyState:
        """A given start, else the constant image that explains the sum of the data."""
        if problem.x0 is not None:
            x = problem.start().clamp_min(0.0)
        else:
            one = torch.ones_like(problem.start())
            predicted = problem.operator.forward(one).flatten(1).sum(1)
            seen = problem.noise.centred(problem.y).flatten(1).sum(1).clamp_min(0.0)
            x = one * column(seen / predicted.clamp_min(1e-12), one)
        zero = torch.zeros_like(x)
        return RichardsonLucyState(x, x, zero, zero)

    def step(self, problem: Problem, state: RichardsonLucyState) -> RichardsonLucyState:
        """One multiplicative step, from the extrapolated iterate."""
        s, point = state, state.x
        if self.options.accelerate and s.steps > 1:
            size = image_dot(s.older, s.older).clamp_min(1e-30)
            ahead = (image_dot(s.change, s.older) / size).clamp(0.0, 0.999)
            point = (s.x + column(ahead, s.x) * (s.x - s.before)).clamp_min(0.0)
        x = self._plain(problem, point)
        return replace(s, x=x, before=s.x, change=x - point, older=s.change, steps=s.steps + 1)

    def _plain(self, problem: Problem, x: Tensor) -> Tensor:
        """One step without extrapolation."""
        operator = using(problem.operator, Adjoint)
        predicted, y = problem.noise.shifted(operator.forward(x), problem.y)
        seen = problem.derived(RichardsonLucy, lambda: operator.adjoint(torch.ones_like(y)))
        dark = _DARK * column(y.flatten(1).amax(1), y).clamp_min(1e-12)
        ratio = y.clamp_min(0.0) / torch.maximum(predicted, dark)
        below = seen
        if self.options.tv > 0:
            below = torch.maximum(seen - self.options.tv * _curvature(x), _LEAST * seen)
        moved = x * operator.adjoint(ratio) / below.clamp_min(_SEEN)
        return torch.where(seen > _SEEN, moved, x).clamp(*using(problem.prior, Box).bounds())


def _curvature(x: Tensor) -> Tensor:
    """div(grad x / |grad x|) of all channels together, with no flow across the border."""
    total = torch.zeros_like(x)
    axes = range(2, x.ndim)
    slopes = [functional.pad(x.diff(dim=a), _after(x, a)) for a in axes]
    length = sum((d**2).sum(1, keepdim=True) for d in slopes)
    length = (torch.as_tensor(length) + _EDGE**2).sqrt()
    for axis, slope in zip(axes, slopes, strict=True):
        flow = slope / length
        total = total + flow - flow.roll(1, axis)
    return total


def _after(x: Tensor, axis: int) -> list[int]:
    """Padding by one value at the end of one axis."""
    pad = [0] * (2 * x.ndim)
    pad[2 * (x.ndim - 1 - axis) + 1] = 1
    return pad
