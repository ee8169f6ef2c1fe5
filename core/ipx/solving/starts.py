"""Where to begin: the data as they are, a classical restoration, the mean of a model, at random.

A convex problem ends at the same picture wherever it begins. One with a learned prior does not,
so the start is a choice to make and to report; several can be tried and the one that ends with
the lowest objective kept.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor

from ipx.declare.registry import registry
from ipx.errors import OptionError, did_you_mean
from ipx.solving.build import build
from ipx.solving.codes import code_start, latent_of
from ipx.solving.loop import Result
from ipx.solving.problem import Problem

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
        start = problem.prior.start_from
    if start == "preview":
        return None
    operator = problem.operator
    if start in ("mean", "random"):
        latent = latent_of(problem.prior)
        if latent is None:
            raise OptionError(f"start {start} is for priors with a decoder; take preview")
        shape = operator.physical.image_shape
        code = code_start(problem.prior, shape, problem.y, seed if start == "random" else None)
        return code if tuple(code.shape[1:]) == operator.image_shape else latent.decode(code, shape)
    known = [s.name for s in registry().all("prior")]
    if start not in known:
        names = [*STARTS, *known]
        near = did_you_mean(start, names)
        raise OptionError(f"start {start} is none of {', '.join(STARTS)} and no prior{near}")
    other = Problem(
        problem.y, operator.physical, problem.noise, build("prior", start),
        hard=problem.hard, estimated=problem.estimated,
    )  # fmt: skip
    return solve(other)


def lowest(results: list[Result]) -> Result:
    """Image by image the result with the lowest objective; of one without objective the first."""
    best = results[0]
    for other in results[1:]:
        take = other.objective < best.objective
        take |= torch.tensor([s == "diverged" for s in best.status], device=take.device)
        column = take.view(-1, *([1] * (best.x.ndim - 1)))
        pick: Any = zip(best.status, other.status, take.tolist(), strict=True)
        best = replace(
            best,
            x=torch.where(column, other.x, best.x),
            status=[b if t else a for a, b, t in pick],
            iterations=torch.where(take, other.iterations, best.iterations),
            residual=torch.where(take, other.residual, best.residual),
            objective=torch.where(take, other.objective, best.objective),
            seconds=best.seconds + other.seconds,
        )
    return best
