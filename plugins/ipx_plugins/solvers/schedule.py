"""Shared by the plug-and-play solvers: the schedule of sigma, and calls of the denoiser.

A denoiser D(x, sigma) takes the place of the proximal map of sigma^2 R. Where classical splitting
has the threshold lam / rho, plug-and-play has sigma^2 = lam / rho, and sigma decreases instead of
rho increasing. For lam = `DENOISER_SHARE` times the variance of the noise, which is DPIR's rule and
that of lam="auto", the last sigma is the noise standard deviation. lam is in the unit of the data
term; `unit` brings it to that of sigma.
"""

from __future__ import annotations

import torch
from torch import Tensor

from ipx import (
    DENOISER_SHARE,
    LEAST_SIGMA,
    Denoise,
    Latent,
    LinearOperator,
    Matching,
    Problem,
    Stabilised,
    has,
    noise_deviation,
    noise_variance,
    using,
)
from ipx.toolkit import is_identity, vector
from ipx_plugins.solvers import PnPOptions

_STRONG = 49 / 255  # first sigma of DPIR
_LEAST_PENALTY = 1e-6
_SEARCHED = 24  # steps where the noise finds something with the image


def sigmas(problem: Problem, options: PnPOptions, like: Tensor, steps: int) -> Tensor:
    """Sigma of each step and image, ``(steps, B)``, decreasing."""
    lam = vector(problem.lam, like)
    low = (
        (lam * unit(problem) / DENOISER_SHARE).sqrt()
        if options.sigma_end is None
        else vector(options.sigma_end, lam)
    )
    low = low.clamp_min(LEAST_SIGMA)
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


def unit(problem: Problem) -> Tensor:
    """Variance of the noise over its `ipx.noise_variance`, ``(B,)``; 1 for Gaussian noise.

    It is about the inverse of the second derivative of the data term: the mean intensity for
    photons.
    """
    one = torch.ones_like(problem.y.flatten(1)[:, 0])
    if problem.data.quadratic or problem.noise.silent:
        return one
    tiny = torch.finfo(one.dtype).tiny

    def found() -> Tensor:
        return noise_deviation(problem) ** 2 / noise_variance(problem).clamp_min(tiny)

    return problem.derived("unit of sigma", found)


def steps_of(problem: Problem, options: PnPOptions, holes: int = 24) -> int:
    """Number of steps: 8, ``holes`` where pixels are missing, 1 for denoising.

    For white Gaussian noise alone a single denoising is best, except with a flow, which needs
    several. What the noise finds with the image takes 24. Holes are filled from their borders
    inwards, a little in each step. Block matching has a wide reach and is slow; it takes no extra
    steps for them.
    """
    if options.steps is not None:
        return options.steps
    if problem.data.quadratic and _alone(problem):
        return 1
    if cleaned_data(problem, problem.y) is not None:
        return _SEARCHED
    return holes if has_holes(problem) and not has(problem.prior, Matching) else 8


def cleaned_data(problem: Problem, x: Tensor) -> Tensor | None:
    """The image x with white noise, as the data tell it; None unless they do.

    Of the prox of the data term, a mean of the data and of an image denoised before, a denoiser at
    the level of the noise removes too much.
    """
    return problem.noise.cleaned(x, problem.y) if _keeps(problem) else None


def stabilises(problem: Problem, options: PnPOptions) -> bool:
    """True if one denoising behind a transform of the noise is all that is to be done."""
    given = options.steps is not None or problem.data.quadratic
    return not given and has(problem.noise, Stabilised) and _alone(problem)


def stabilised(problem: Problem, options: PnPOptions, sigma: Tensor) -> Tensor:
    """T^-1(D(T(y), s)), T the transform of `ipx.Stabilised`.

    s is the level of T(y), times ``sigma`` over the deviation of the noise: 1 for lam="auto".
    """
    noise = using(problem.noise, Stabilised)
    z, level = noise.stabilised(problem.y)
    strength = vector(level, sigma[:, None]) * sigma / noise_deviation(problem)
    return noise.recovered(denoised(problem, options, z, strength, 0, None)[0])


def _alone(problem: Problem) -> bool:
    """True if there is noise alone, no given start and no flow."""
    return _keeps(problem) and problem.x0 is None and not has(problem.prior, Latent)


def _keeps(problem: Problem) -> bool:
    """True if the operator is the identity."""
    operator = problem.operator
    return isinstance(operator, LinearOperator) and is_identity(operator, problem.y)


def has_holes(problem: Problem) -> bool:
    """True if pixels are missing, or their values are not trusted."""
    masks = (problem.operator.known(problem.y), problem.noise.trusted(problem.y))
    return any(mask is not None and not bool(mask.all()) for mask in masks)


def sigma_at(table: Tensor, step: int) -> Tensor:
    """Sigma of a step, ``(B,)``; the last sigma beyond the schedule."""
    return table[min(step, len(table) - 1)]


def denoised(
    problem: Problem, options: PnPOptions, x: Tensor, sigma: Tensor, step: int, matches: object
) -> tuple[Tensor, object]:
    """D(x, sigma), and the block matches for the next step.

    With ``refresh`` above 1, block matching is repeated only every ``refresh`` steps. Otherwise,
    with ``ensemble``, the picture is rotated and flipped differently in each step, so that no
    direction is preferred (Zhang et al. 2022, section 4.3). For an ``oriented`` prior it is only
    flipped horizontally.
    """
    prior = using(problem.prior, Denoise)
    if options.refresh > 1 and has(problem.prior, Matching):
        matching = problem.prior
        found = matching.match(x, sigma) if step % options.refresh == 0 else matches
        return matching.denoise(x, sigma, found), found
    turn = step % 8 if options.ensemble else 0
    if problem.prior.traits.oriented:  # horizontal flips only
        turn = 4 * (turn % 2)
    moved = x.flip(-1) if turn & 4 else x
    moved = prior.denoise(torch.rot90(moved, turn & 3, (-2, -1)), sigma)
    moved = torch.rot90(moved, -(turn & 3), (-2, -1))
    return (moved.flip(-1) if turn & 4 else moved).contiguous(), None


def penalty_at(problem: Problem, sigma: Tensor) -> Tensor:
    """rho = lam / sigma^2, ``(B,)``, at least a small penalty, which keeps the prox unique."""
    return (vector(problem.lam, sigma[:, None]) / sigma**2).clamp_min(_LEAST_PENALTY)


def settled(residual: Tensor, step: int, table: Tensor) -> Tensor:
    """``residual``, raised to at least 1 while sigma still changes, to prevent a stop."""
    return residual.clamp_min(1.0) if step < len(table) else residual
