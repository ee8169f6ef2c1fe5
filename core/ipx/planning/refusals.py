"""Combinations that would run but cannot restore anything: a table of rules and reasons."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

from ipx.declare.capabilities import (
    DataQuadratic,
    Denoise,
    Diagonal,
    Latent,
    NoiseGrad,
    ProxConjugate,
    Quadratic,
    QuadraticPrior,
)
from ipx.declare.registry import registry
from ipx.declare.specs import SolverSpec
from ipx.declare.traits import Traits
from ipx.errors import OptionError
from ipx.planning.parts import Parts

Rule = Callable[[Parts, SolverSpec], bool]


def _diagonal(p: Parts) -> bool:
    return Diagonal in p.data_caps


def _negative_counts(p: Parts, s: SolverSpec) -> bool:
    return p.op.signed and p.noise_traits.counts


def _no_images(p: Parts, s: SolverSpec) -> bool:
    return p.noise_traits.images and (p.op.signed or p.op.absolute)


def _no_slope(p: Parts, s: SolverSpec) -> bool:
    rough = p.prior_traits.weighted and not p.prior_traits.convex
    return p.noise_traits.interval and rough and Denoise not in p.prior_caps


def _second_prior(p: Parts, s: SolverSpec) -> bool:
    return s.traits_for().own_prior and p.prior_traits.informs


def _nothing_known(p: Parts, s: SolverSpec) -> bool:
    return not s.traits_for().own_prior and not p.prior_traits.informs and _diagonal(p)


def _only_scaled(p: Parts, s: SolverSpec) -> bool:
    prior = p.prior_traits
    return prior.pixelwise and prior.weighted and p.noise_traits.counts


def _all_pixelwise(p: Parts, s: SolverSpec) -> bool:
    return p.prior_traits.pixelwise and _diagonal(p) and Quadratic not in p.data_caps


def _outliers(p: Parts, s: SolverSpec) -> bool:
    smooth = {NoiseGrad, Quadratic} & p.data_caps
    return not (smooth or p.prior_traits.weighted or p.noiseless or s.traits_for().own_prior)


def _mixed(p: Parts, s: SolverSpec) -> bool:
    return p.op.mixes and not ({Denoise, Latent} & p.prior_caps or s.traits_for().own_prior)


def _inverted_noise(p: Parts, s: SolverSpec) -> bool:
    one_shot = any(DataQuadratic in n.data and QuadraticPrior in n.prior for n in s.needs)
    return not p.prior_traits.informs and one_shot and not p.noiseless


def _no_conjugate(p: Parts, s: SolverSpec) -> bool:
    split = all(ProxConjugate in n.prior for n in s.needs) and bool(s.needs)
    return split and not p.prior_traits.convex and ProxConjugate not in p.prior_caps


REFUSALS: tuple[tuple[Rule, str], ...] = (
    (_negative_counts, "{noise} counts, and data of {operator} may be negative"),
    (_no_images, "{noise} acts on images, and data of {operator} are none"),
    (
        _no_slope,
        "{noise} leaves an interval, in which {prior}, which is not convex, removes all it can; "
        "take a convex prior, such as tv, or a denoiser",
    ),
    (_second_prior, "it regularises by itself; take prior none"),
    (_nothing_known, "without a prior {operator} leaves each pixel as it was measured"),
    (
        _mixed,
        "{operator} adds up bands, and {prior} does not know how they go together; take a model of "
        "such images, such as glow-map, or a denoiser, such as drunet, which leaves them grey; or "
        "a stack with an operator that measures some of the bands",
    ),
    (
        _only_scaled,
        "{noise} data determine the sum of an image well, and {prior} only scales it down; "
        "take a prior on neighbours, such as tv, or range",
    ),
    (
        _all_pixelwise,
        "{operator}, {noise} and {prior} all act on each pixel separately, so each pixel is known "
        "from its measured value only; take a prior on neighbours",
    ),
    (
        _outliers,
        "{noise} leaves outliers, which {prior} cannot tell from detail; take a prior with a "
        "weight, such as tv",
    ),
    (
        _no_conjugate,
        "{prior} is not convex, so that it has no dual form",
    ),
    (
        _inverted_noise,
        "without a prior the closed form inverts the noise too; take prior tikhonov or smooth, or "
        "an iterative solver, which stops at the noise level",
    ),
)
"""Rules and reasons; the first rule that holds gives the reason."""


DIMS = {2: "pictures", 3: "volumes"}
"""What images with so many axes are called."""


def takes(traits: Traits, dims: int, default: tuple[int, ...] = (2,)) -> bool:
    """True if a component takes images with so many axes."""
    return dims in (default if traits.dims is None else traits.dims)


def _that_take(kind: str, dims: int) -> Iterator[str]:
    """The components that take such images, with the options of an example where these matter."""
    for spec in registry().all(kind):
        for values in ({}, *spec.examples):
            with suppress(OptionError):  # without options that it requires
                if takes(spec.traits_for(spec.options.from_mapping(values)), dims):
                    told = " ".join(f"{k}={v}" for k, v in values.items())
                    yield f"{spec.name} ({told})" if told else spec.name
                    break


def _misfit(p: Parts, s: SolverSpec) -> str:
    """Why images with so many axes are refused; empty when they are not."""
    traits = s.traits_for()
    generic = (2, 3) if s.kind == "solver" and not traits.own_prior else (2,)
    kinds = (
        ("operator", p.operator, takes(p.op, p.dims)),
        ("noise", p.noise, takes(p.noise_traits, p.dims)),
        ("prior", p.prior, takes(p.prior_traits, p.dims)),
        (s.kind, s.name, takes(traits, p.dims, generic)),
    )
    for kind, name, fits in kinds:
        if not fits:
            told = [] if kind == s.kind else sorted(_that_take(kind, p.dims))
            others = f"; {kind}s that do: {', '.join(told)}" if told else ""
            # a stack has no draws
            alone = "save a plane as a file of its own"
            plane = alone if s.kind == "sampler" else "axes TYX restores plane by plane"
            way = f"; {plane}" if p.dims == 3 else ""
            return f"{kind} {name} takes no {DIMS[p.dims]}{others}{way}"
    return ""


def refused(parts: Parts, solver: SolverSpec) -> str:
    """Why this solver is refused here; empty when it is not."""
    misfit = _misfit(parts, solver)
    if misfit:
        return misfit
    for holds, reason in REFUSALS:
        if holds(parts, solver):
            return reason.format(operator=parts.operator, noise=parts.noise, prior=parts.prior)
    return ""
