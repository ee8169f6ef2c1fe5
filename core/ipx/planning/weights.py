"""How the weights of the priors are found: it follows from the declarations, as plans do.

The weight of a prior is given, follows from the noise, is fixed, or is searched for by a tuner.
Works on facts only, so that the dry run and the run itself tell the same. Imports nothing heavy.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from ipx.declare.capabilities import Denoise, Value
from ipx.declare.registry import registry
from ipx.declare.specs import Knowledge, TunerSpec
from ipx.declare.traits import DENOISER_SHARE, Traits
from ipx.errors import PlanError
from ipx.planning.parts import Parts
from ipx.planning.tree import Tree

NOISELESS_LAM = 1e-3
"""Weight of the prior for data free of noise, where it only fills in what was not measured."""

INTERVAL_LAM = 0.2
"""Weight for data known up to an interval, where the prior chooses among the images that fit.

The data term is the distance from the interval. With total variation, whose slope in a pixel is at
most 4, a weight below 1/4 leaves that of the distance larger, and no pixel outside.
"""


@dataclass(frozen=True)
class Chosen:
    """A tuner that fits.

    Attributes:
        tuner: the tuner.
        why: why it was chosen.
        rank: see `Knowledge`.
        partial: it may leave images to the next.
        truth: it needs the clean image.
    """

    tuner: Tree
    why: str
    rank: int = 0
    partial: bool = False
    truth: bool = False


@dataclass(frozen=True)
class Rule:
    """How the weights of a problem are found.

    Attributes:
        name: ``given`` (also for priors without weight), ``noise``, ``fixed`` or ``search``.
        why: in words, for the user.
        value: the weight over the variance of the noise (``noise``), or the weight (``fixed``).
        tuners: those that search, the best first: each takes what those before leave undecided.
    """

    name: Literal["given", "noise", "fixed", "search"]
    why: str = ""
    value: float = 0.0
    tuners: tuple[Chosen, ...] = ()

    def line(self) -> str:
        """The rule in words."""
        if self.tuners:
            return ", else ".join(f"{t.tuner.title} ({t.why})" for t in self.tuners)
        return f"{self.name}: {self.why}" if self.name == "fixed" else self.why or self.name


def rule_of(parts: Parts, lam: object, tuner: Tree, told: bool, truth: bool = False) -> Rule:
    """The rule for one prior, or for a sum with a constraint.

    Args:
        parts: the facts of operator, noise and prior.
        lam: the weight as it was asked for; a string is automatic.
        tuner: the tuner that was asked for, which then searches; auto takes those that fit, where
            a search is needed.
        told: the noise level is given.
        truth: the clean image is known.

    Raises:
        PlanError: the tuner does not fit; says why, and which tuners do.
    """
    if not isinstance(lam, str) or not parts.prior_traits.weighted:
        return Rule("given")
    share = share_of(parts.prior_caps, parts.prior_traits)
    if tuner.auto and share is not None:
        who = "prior" if parts.prior_traits.lam_per_variance is not None else "denoiser"
        why = f"{share:g} times the variance of the noise, for the {who} {parts.prior}"
        return Rule("noise", why, share)
    if tuner.auto and parts.noiseless:
        return Rule("fixed", "the data are free of noise", NOISELESS_LAM)
    if tuner.auto and parts.noise_traits.interval:
        return Rule("fixed", "the data are known up to an interval", INTERVAL_LAM)
    return Rule("search", tuners=tuners_for(parts, tuner, told, truth))


def share_of(capabilities: frozenset[type], traits: Traits) -> float | None:
    """lam over the variance of the noise, from the facts of a prior.

    None for a prior whose weight does not follow from it.
    """
    share = traits.lam_per_variance
    if share is None and Denoise in capabilities and Value not in capabilities:
        share = DENOISER_SHARE
    return share


def tuners_for(parts: Parts, asked: Tree, told: bool, truth: bool = False) -> tuple[Chosen, ...]:
    """The tuner that was asked for, or for ``auto`` those that fit, the best first.

    Raises:
        PlanError: see `rule_of`.
    """
    spec = asked.spec if asked.instance is None else asked.instance.declaration
    if not asked.auto:
        if not isinstance(spec, TunerSpec):  # made in code, by a class without declaration
            return (Chosen(asked, "as asked"),)
        chosen, why = _fits(parts, spec, told, truth)
        if chosen is not None:
            return (Chosen(asked, "as asked", truth=chosen.truth),)
    others = []
    first = ""
    for each in registry().all("tuner"):
        if isinstance(each, TunerSpec) and each is not spec and not each.demands:
            found, reason = _fits(parts, each, told, truth)
            first = first or reason
            if found is not None and not found.truth:
                named = Tree("tuner", each.name, each, each.options())
                because = found.because or "it fits"
                others.append(Chosen(named, because, found.rank, each.partial))
    others.sort(key=lambda c: (-c.rank, c.tuner.name))
    if asked.auto and others:
        ends = next((i for i, c in enumerate(others, 1) if not c.partial), len(others))
        return tuple(others[:ends])
    if asked.auto:
        raise PlanError(f"no tuner fits: {first}; give lam")
    names = ", ".join(c.tuner.title for c in others)
    raise PlanError(f"tuner {asked.name} does not fit: {why}; tuners that fit: {names or 'none'}")


def judge_for(parts: Parts, told: bool) -> Tree | None:
    """The tuner that compares solutions with different priors without the truth; None for none."""
    fitting: list[tuple[int, str, TunerSpec]] = []
    for spec in registry().all("tuner"):
        if isinstance(spec, TunerSpec) and spec.compares:
            found, _ = _best(parts, spec.compares, told, False)
            fitting += [] if found is None else [(-found.rank, spec.name, spec)]
    if not fitting:
        return None
    best = min(fitting, key=lambda entry: entry[:2])[2]
    return Tree("tuner", best.name, best, best.options())


def _fits(parts: Parts, spec: TunerSpec, told: bool, truth: bool) -> tuple[Knowledge | None, str]:
    """The best alternative of a tuner and an empty reason, or None and the reasons."""
    return _best(parts, spec.needs, told, truth)


def _best(
    parts: Parts, needs: tuple[Knowledge, ...], told: bool, truth: bool
) -> tuple[Knowledge | None, str]:
    """The best of some alternatives that holds, or the reasons against all."""
    reasons = {need: _missing(parts, need, told, truth) for need in needs}
    fitting = [need for need, missing in reasons.items() if not missing]
    if fitting:
        return max(fitting, key=lambda need: need.rank), ""
    least = [r for r in reasons.values() if not any(set(o) < set(r) for o in reasons.values())]
    return None, " or ".join(dict.fromkeys(" and ".join(r) for r in least))


def _missing(parts: Parts, need: Knowledge, told: bool, truth: bool) -> list[str]:
    """What a tuner needs and the problem lacks, in words."""
    data, prior = f"{parts.operator} with {parts.noise}", f"prior {parts.prior}"
    said = [f"{data} gives no {c.__name__}" for c in need.data if c not in parts.data_caps]
    said += [f"{data} is {c.__name__}" for c in need.lacks if c in parts.data_caps]
    said += [f"{prior} gives no {c.__name__}" for c in need.prior if c not in parts.prior_caps]
    if need.level == "told" and not told:
        said.append("the noise level is not told")
    if need.level == "estimated" and told:
        said.append("the noise level is told")
    if need.noisy and parts.noiseless:
        said.append("the data are free of noise")
    if need.noisy and parts.noise_traits.interval:
        said.append("the data are known up to an interval")
    if need.convex and not parts.prior_traits.convex:
        said.append(f"{prior} is not convex")
    if need.truth and not truth:
        said.append("the truth is not known (--truth, in code truth=)")
    return said
