"""Starts: the data as an image, a classical restoration, the mean of a model, a random sample.

The result of a nonconvex problem, such as one with a learned prior, depends on the start.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import reduce
from typing import Any

import torch
from torch import Tensor

from ipx.declare.capabilities import Denoise, has
from ipx.declare.registry import registry
from ipx.declare.specs import PriorSpec
from ipx.errors import OptionError, did_you_mean
from ipx.numerics.tensors import column
from ipx.parts.prior import Prior
from ipx.solving.build import build
from ipx.solving.codes import code_start, latent_of
from ipx.solving.problem import Problem
from ipx.solving.progress import Result

STARTS = ("auto", "preview", "mean", "random")

ALIKE = 0.5
"""Square of the difference of neighbours over the variance: photographs 0.05, white noise 2."""


def first_guess(
    problem: Problem, start: str, seed: int, solve: Callable[[Problem], Tensor]
) -> Tensor | None:
    """The start of a problem; None for `Operator.preview` of the data.

    Args:
        problem: the problem with its bridges applied.
        start: ``auto`` (the prior's default; where that is the preview and this shows no picture,
            as for random projections, the prior of last resort), ``preview`` (the data as an
            image), ``mean`` (D(0)) and ``random`` (D(z), z ~ N(0, I)) for a prior with a decoder,
            or the name of another prior: the restoration with it.
        seed: of ``random``.
        solve: restores a problem with another prior.

    Raises:
        OptionError: no such start, or the prior has no decoder.
    """
    shown = None
    if start == "auto":
        start = problem.prior.traits.start_from
        if start == "preview" and _matters(problem.prior):
            shown = _shown(problem)
            if not shown.all():
                resorts = (s for s in registry().all("prior") if isinstance(s, PriorSpec))
                start = next((s.name for s in resorts if s.last_resort), start)
    if start == "preview":
        return None
    shape = problem.image_shape
    check_start(problem.prior, start)
    if start in ("mean", "random"):
        latent = latent_of(problem.prior)
        assert latent is not None
        code = code_start(latent, shape, problem.y, seed if start == "random" else None)
        return latent.decode(code, shape) if problem.code is None else code
    other = Problem(
        problem.y, problem.physical, problem.noise, build("prior", start),
        hard=problem.hard, estimated=problem.estimated,
    )  # fmt: skip
    found = solve(other)
    if shown is None:
        return found
    return torch.where(column(shown, found), problem.preview(), found)


def _matters(prior: Prior[Any]) -> bool:
    """True if the result depends on the start: the schedules of denoisers are short."""
    return not prior.traits.convex or has(prior, Denoise)


def _shown(problem: Problem) -> Tensor:
    """``(B,)``, true where the preview shows the picture: neighbours in it are alike.

    In a back-projection of random measurements, or of much noise, they are not.
    """
    everywhere = torch.ones(len(problem.y), dtype=torch.bool, device=problem.y.device)
    if problem.operator.data_shape == problem.operator.image_shape:
        return everywhere
    x = problem.preview()
    if x.shape[-1] < 2:
        return everywhere
    between = x.diff(dim=-1).flatten(1).square().mean(1)
    return between < ALIKE * x.flatten(1).var(1)


def check_start(prior: Prior[Any], start: str) -> None:
    """Check the name of a start.

    Raises:
        OptionError: no such start, or the prior has no decoder.
    """
    known = [s.name for s in registry().all("prior")]
    if start in ("mean", "random") and latent_of(prior) is None:
        raise OptionError(f"start {start} is for priors with a decoder; take preview")
    if start not in (*STARTS, *known):
        near = did_you_mean(start, [*STARTS, *known])
        raise OptionError(f"start {start} is neither a prior nor one of {', '.join(STARTS)}{near}")


def lowest(results: list[Result]) -> Result:
    """Image by image the result of lowest objective; the first where there is no objective."""

    def better(best: Result, other: Result) -> Result:
        take = other.objective < best.objective
        take |= torch.tensor([s == "diverged" for s in best.status], device=take.device)
        return replace(best.where(~take, other), seconds=best.seconds + other.seconds)

    return reduce(better, results)
