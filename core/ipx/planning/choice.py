"""The prior of ``--prior auto``: of those that fit, the best by what was measured.

Works on declarations only, as plans do. Imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from ipx.declare.capabilities import Box
from ipx.declare.facts import Gain, held
from ipx.declare.registry import registry
from ipx.declare.specs import PriorSpec, SolverSpec, Spec
from ipx.errors import PlanError
from ipx.planning.plan import NO_PRIOR, Plan, make_plan
from ipx.planning.tree import AUTO, Description, Tree, tree

NEAR = 0.4
"""dB below the best measured gain up to which priors are compared on the data."""

QUICK = 5.0
"""Seconds, as in `ipx.Gain`, that a prior may take to be compared."""


@dataclass(frozen=True)
class Situation:
    """What a prior is chosen for.

    Attributes:
        op: the operator.
        noise: the noise model.
        solver: the solver that was asked for; auto for any.
        exact: approximate bridges are refused.
        channels: of the data; None if they are not known yet.
        explicit: why a prior with a weight of its own is wanted, such as ``"a weight is given"``;
            then a reference is taken, see `ipx.Gain`. Empty if any prior will do.
        dims: axes of an image, 3 for a volume.
    """

    op: Tree
    noise: Tree
    solver: Tree
    exact: bool = False
    channels: int | None = None
    explicit: str = ""
    dims: int = 2

    @property
    def what(self) -> str:
        """Operator and noise in words."""
        return f"{' with '.join(sorted(self.op.families - {''})) or self.op.name} under " + (
            self.noise.name
        )

    def known(self, spec: Spec) -> Gain | None:
        """What was measured of a component for such data; None for nothing."""
        (noise,) = self.noise.families
        return held(spec.gains, self.op.families, noise, self.channels)

    def planned(self, spec: Spec) -> Candidate | str:
        """A prior, or a solver that is its own, with its plan; or why it does not fit."""
        own, name = isinstance(spec, SolverSpec), short(spec)
        prior = tree("prior", NO_PRIOR if own else name)
        solver = tree("solver", name) if own else self.solver
        try:
            plan = make_plan(self.op, self.noise, prior, solver, self.exact, dims=self.dims)
        except PlanError as e:
            return str(e)
        return Candidate(spec, prior, solver, plan, self.known(spec))


@dataclass(frozen=True)
class Candidate:
    """A prior that fits, or a solver with prior none.

    Attributes:
        spec: its declaration.
        prior: the prior.
        solver: the solver; auto where it is not named.
        plan: the plan with both.
        gain: what is known of it for such data; None for nothing.
    """

    spec: Spec
    prior: Tree
    solver: Tree
    plan: Plan
    gain: Gain | None


def usual_prior(solver: Description) -> str:
    """The default prior for a solver: ``auto``.

    It is ``none`` for one that has its own, and for one that takes bounds at most.

    Raises:
        UnknownNameError: there is no such solver.
    """
    described = tree("solver", solver)
    needs = getattr(described.spec, "needs", ())
    bounds = bool(needs) and all(Box in need.prior for need in needs)
    return NO_PRIOR if bounds or described.facts.traits.own_prior else AUTO


def short(spec: Spec) -> str:
    """The shortest name of a component."""
    reg = registry()
    return reg.names(spec.kind)[reg.all(spec.kind).index(spec)]


def choosable(solver: Tree) -> Iterator[Spec]:
    """All priors; with any solver also the solvers that are their own prior."""
    yield from (s for s in registry().all("prior") if isinstance(s, PriorSpec))
    if solver.auto:
        solvers = (s for s in registry().all("solver") if isinstance(s, SolverSpec))
        yield from (s for s in solvers if s.gains and s.traits_for().own_prior)


def chosen(wanted: Situation) -> Candidate:
    """The prior that ``auto`` stands for before the data are seen: the one of most worth that fits.

    Raises:
        PlanError: none fits; tells why a reference prior, or else the first, does not.
    """
    return rivals(wanted)[0]


def rivals(wanted: Situation) -> list[Candidate]:
    """The priors that ``auto`` may stand for, the one of most worth first.

    The others are at most `NEAR` below it and `QUICK`, so that they can be compared on the data.

    Raises:
        PlanError: none fits; tells why a reference prior, or else the first, does not.
    """
    every = choosable(wanted.solver)
    known = [(spec, m) for spec in every if (m := wanted.known(spec)) is not None]
    if wanted.explicit:
        known = [(spec, m) for spec, m in known if m.reference]
    known.sort(key=lambda pair: (-pair[1].worth, pair[0].name))
    refused, found = "", list[Candidate]()
    for spec, measured in known:
        if found and (wanted.explicit or not _near(measured, found[0])):
            continue
        planned = wanted.planned(spec)
        if isinstance(planned, Candidate):
            why = _why(wanted, spec, measured)
            found.append(replace(planned, plan=replace(planned.plan, why=why)))
        elif not found and (measured.reference or not refused):
            refused = planned  # of the reference, which most users know, if it was tried
    if not found:
        raise PlanError(refused or f"no prior was measured for {wanted.what}; give --prior NAME")
    if len(found) > 1:
        first, near = found[0].plan, " and ".join(c.plan.title for c in found[1:])
        told = f"{first.why}; {near} may be as good, which the data tell"
        found[0] = replace(found[0], plan=replace(first, why=told))
    return found


def last_resort(wanted: Situation) -> Candidate | None:
    """The prior that is returned to where the data refute another one; None if none fits."""
    for spec in registry().all("prior"):
        if isinstance(spec, PriorSpec) and spec.last_resort:
            found = wanted.planned(spec)
            if isinstance(found, Candidate):
                return found
    return None


def _near(measured: Gain, best: Candidate) -> bool:
    """True if the data may well decide otherwise than the mean over pictures, and soon."""
    assert best.gain is not None
    return measured.seconds <= QUICK and measured.worth >= best.gain.worth - NEAR


def _why(wanted: Situation, spec: Spec, measured: Gain) -> str:
    """Why it was chosen, for the user."""
    if wanted.explicit:
        return f"the prior of reference, since {wanted.explicit}"
    if measured.reference:
        return f"no better one that fits was measured for {wanted.what} noise"
    gain = f"measured {measured.psnr:+.1f} dB over total variation for {wanted.what} noise"
    return f"{spec.name} needs none, and was {gain}" if isinstance(spec, SolverSpec) else gain
