"""Where to begin: the data as they are, a classical restoration, the mean of a model, at random.

A convex problem ends at the same picture wherever it begins. One with a learned prior does not,
so the start is a choice to make and to report; several can be tried and the one that ends with
the lowest objective kept.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import reduce

import torch
from torch import Tensor

from ipx.declare.registry import registry
from ipx.errors import OptionError, did_you_mean
from ipx.solving.build import build
from ipx.solving.codes import code_start, latent_of
from ipx.solving.problem import Problem
from ipx.solving.progress import Result

STARTS = ("auto", "preview", "mean", "random")


def first_guess(
    problem: Problem, start: str, seed: int, solve: Callable[[Problem], Tensor]
) -> Tensor | None:
    """The start of a problem; None for `Operator.preview` of the data.

    Args:
        problem: with the bridges of its plan in place.
        start: ``auto`` (the prior's own choice), ``preview`` (the data as a picture), ``mean``
            (D(0)) and ``random`` (D(z), z ~ N(0, I)) for a prior with a decoder, or the name of
            another prior: what that one restores.
        seed: of ``random``.
        solve: restores a problem with that other prior.

    Raises:
        OptionError: no such start, or the prior has no decoder.
    """
    if start == "auto":
        start = problem.prior.traits.start_from
    if start == "preview":
        return None
    shape = problem.image_shape
    if start in ("mean", "random"):
        latent = latent_of(problem.prior)
        if latent is None:
            raise OptionError(f"start {start} is for priors with a decoder; take preview")
        code = code_start(latent, shape, problem.y, seed if start == "random" else None)
        return latent.decode(code, shape) if problem.code is None else code
    known = [s.name for s in registry().all("prior")]
    if start not in known:
        names = [*STARTS, *known]
        near = did_you_mean(start, names)
        raise OptionError(f"start {start} is none of {', '.join(STARTS)} and no prior{near}")
    other = Problem(
        problem.y, problem.physical, problem.noise, build("prior", start),
        hard=problem.hard, estimated=problem.estimated,
    )  # fmt: skip
    return solve(other)


def lowest(results: list[Result]) -> Result:
    """Image by image the result with the lowest objective; of one without objective the first."""

    def better(best: Result, other: Result) -> Result:
        take = other.objective < best.objective
        take |= torch.tensor([s == "diverged" for s in best.status], device=take.device)
        return other.where(take, best)

    return reduce(better, results)
