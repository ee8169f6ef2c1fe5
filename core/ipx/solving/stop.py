"""Stopping rules."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from ipx.declare.traits import Traits
from ipx.solving.problem import Problem, known_count
from ipx.solving.progress import Progress, Result

Stop = Callable[[Progress], Tensor]
"""A function of `ipx.Progress`: true for each image that is done, ``(B,)``."""


def converged(tol: float) -> Stop:
    """Done when the solver's fixed-point residual is at most ``tol``; never when tol is 0."""
    return lambda p: (p.residual <= tol) & (tol > 0)


def noise_reached(factor: float = 1.0) -> Stop:
    """Done when the data term is at most its expected value for the truth (Morozov).

    For a prior without weight this early stopping is the regularisation.
    """

    def rule(p: Progress) -> Tensor:
        level = p.problem.noise.expected(p.problem.y, known_count(p.problem))
        return p.problem.data.value(p.unknown) <= factor * level

    return rule


def stops_at_noise(problem: Problem, algorithm: Traits) -> bool:
    """True if nothing but the noise level keeps the iterations from fitting the noise.

    Args:
        problem: the problem.
        algorithm: the facts of the solver.
    """
    return not (problem.prior.traits.weighted or problem.hard or algorithm.own_prior)


def steps_made(twin: Result) -> Stop:
    """Done after as many steps as another run of the same images, image by image."""
    return lambda p: twin.iterations <= p.iteration


def any_of(*rules: Stop) -> Stop:
    """Done when one of the rules holds."""
    return lambda p: torch.stack([rule(p) for rule in rules]).any(0)
