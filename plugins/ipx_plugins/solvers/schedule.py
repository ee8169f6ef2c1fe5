"""What plug-and-play algorithms share: the denoiser's strength from step to step, its use.

A denoiser D(x, sigma) stands for the prior at one noise level: it is the proximal map of
sigma^2 R, were it one. So where classical splitting has the threshold lam / rho, plug-and-play has
sigma^2 = lam / rho, and the algorithm runs sigma down instead of rho up. The last sigma is that of
the noise for lam = `DENOISER_SHARE` times its variance, DPIR's rule and what lam="auto" gives.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ipx import (
    DENOISER_SHARE,
    Denoise,
    Latent,
    LinearOperator,
    Matching,
    Problem,
    has,
    using,
)
from ipx.toolkit import is_identity, vector
from ipx_plugins.solvers import PnPOptions

_STRONG = 49 / 255  # where DPIR begins
_FINEST = 0.255 / 255  # below this no picture has noise (the same place)


def sigmas(problem: Problem, options: PnPOptions, like: Tensor, steps: int) -> Tensor:
    """Sigma of each step and image, ``(steps, B)``, from strong to weak."""
    lam = vector(problem.lam, like)
    low = (
        (lam / DENOISER_SHARE).sqrt()
        if options.sigma_end is None
        else vector(options.sigma_end, lam)
    )
    low = low.clamp_min(_FINEST)
    first = options.sigma_start
    if first is None:
        first = min(_STRONG, problem.prior.traits.max_sigma)
    high = torch.maximum(vector(first, lam), low)
    share = torch.linspace(0, 1, steps).to(lam)[:, None]
    if options.schedule == "constant" or steps == 1:
        return low.expand(steps, -1)
    if options.schedule == "linear":
        return torch.lerp(high, low, share)
    return high * (low / high) ** share


def steps_of(problem: Problem, options: PnPOptions, holes: int = 24) -> int:
    """Steps of the schedule: 8, or ``holes`` where pixels are missing; 1 to remove noise alone.

    A picture with white noise is what a denoiser is made for: once is best (but for a flow, which
    is brought down to a picture step by step). Holes are filled from their borders inwards, a
    little each step; block matching, which looks far and is slow, needs no more steps for them.
    """
    if options.steps is not None:
        return options.steps
    alone = problem.data.quadratic and _keeps(problem)
    if alone and problem.x0 is None and not has(problem.prior, Latent):
        return 1
    return holes if has_holes(problem) and not has(problem.prior, Matching) else 8


def _keeps(problem: Problem) -> bool:
    """True if the operator is the identity."""
    operator = problem.operator
    return isinstance(operator, LinearOperator) and is_identity(operator, problem.y)


def has_holes(problem: Problem) -> bool:
    """True where pixels are missing."""
    known = problem.operator.known(problem.y)
    return known is not None and not bool(known.all())


def sigma_at(table: Tensor, step: int) -> Tensor:
    """Sigma of a step, ``(B,)``; the last one after the end."""
    return table[min(step, len(table) - 1)]


def denoised(
    problem: Problem, options: PnPOptions, x: Tensor, sigma: Tensor, step: int, matches: object
) -> tuple[Tensor, object]:
    """D(x, sigma), and the blocks that were matched, for the next step.

    With ``refresh`` above 1 a denoiser that matches blocks looks for them anew only at every so
    many steps. Otherwise, with ``ensemble``, the picture is turned and flipped in another way at
    each step, so that no direction is preferred (Zhang et al. 2022, section 4.3); only mirrored
    for a prior that knows which way is up.
    """
    prior = using(problem.prior, Denoise)
    if options.refresh > 1 and has(problem.prior, Matching):
        matching = problem.prior
        found = matching.match(x, sigma) if step % options.refresh == 0 else matches
        return matching.denoise(x, sigma, found), found
    turn = step % 8 if options.ensemble else 0
    if problem.prior.traits.oriented:  # left and right are all the same, up and down are not
        turn = 4 * (turn % 2)
    moved = x.flip(-1) if turn & 4 else x
    moved = prior.denoise(torch.rot90(moved, turn & 3, (-2, -1)), sigma)
    moved = torch.rot90(moved, -(turn & 3), (-2, -1))
    return (moved.flip(-1) if turn & 4 else moved).contiguous(), None


def penalty_at(problem: Problem, sigma: Tensor) -> Tensor:
    """rho = lam / sigma^2, ``(B,)``."""
    return vector(problem.lam, sigma[:, None]) / sigma**2


def settled(residual: Tensor, step: int, table: Tensor) -> Tensor:
    """A residual that cannot pass for convergence while sigma still changes."""
    return residual.clamp_min(1.0) if step < len(table) else residual
