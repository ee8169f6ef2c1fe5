"""Plans: the bridges that make operator, noise and prior fit a solver, or why nothing fits.

Works on `Tree` only, so that the dry run, ``ipx matrix`` and the run itself make the same plan.
Imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ipx.declare.capabilities import Denoise, Grad, Prox, Value
from ipx.declare.capability import methods
from ipx.declare.registry import registry
from ipx.declare.specs import AdapterSpec, Need, SolverSpec
from ipx.errors import PlanError, did_you_mean
from ipx.planning.parts import Parts
from ipx.planning.refusals import refused
from ipx.planning.tree import PLUS, Tree, solver_spec

NO_PRIOR = "none"
"""The prior R(x) = 0: the data term alone, or a solver that regularises by itself."""


@dataclass(frozen=True)
class Plan:
    """A solver and the bridges it uses, in the order in which they are attached.

    ``why`` tells why this prior was taken, where another, or ``auto``, was asked for.
    """

    operator: str
    noise: str
    prior: str
    solver: SolverSpec
    need: Need
    bridges: tuple[AdapterSpec, ...] = ()
    why: str = field(default="", compare=False)

    @property
    def exact(self) -> bool:
        """True if no bridge approximates."""
        return all(b.exact for b in self.bridges)

    @property
    def title(self) -> str:
        """The prior, or the solver that is its own."""
        return self.solver.name if self.solver.traits_for().own_prior else self.prior

    @property
    def tolerance(self) -> float:
        """The largest tolerance of an iterative bridge; 0 if there is none."""
        own = [b.tolerance for b in self.bridges if b.tolerance]
        return max((self.need.tolerance or t for t in own), default=0.0)

    def closed(self, capability: type) -> bool:
        """True if a bridge gives this capability in closed form."""
        return any(b.gives is capability and b.exact and not b.tolerance for b in self.bridges)

    @property
    def rank(self) -> int:
        """How good a choice the solver is; ``--solver auto`` takes the largest."""
        return self.need.rank - sum(b.cost for b in self.bridges)

    def lines(self) -> list[str]:
        """The plan in words, one bridge per line."""
        name, f = self.solver.name, f"{self.noise}({self.operator}(x), y)"
        priors = self.prior.split(PLUS)
        numbers = range(1, len(priors) + 1) if len(priors) > 1 else ("",)
        terms = [
            f"lam{i} {prior}(x)"
            for i, prior in zip(numbers, priors, strict=True)
            if prior != NO_PRIOR
        ]
        whole = PLUS.join([f, *terms])
        drawn = self.solver.kind == "sampler"
        out = [f"{name}: draws from exp(-({whole}) / T)" if drawn else f"{name}: minimise {whole}"]
        if self.solver.traits_for().own_prior:
            out = [f"{name}: {f} without a prior. {self.solver.summary}"]
        if self.why:
            out.append(f"prior {self.prior}: {self.why}")
        for b in self.bridges:
            how = b.accuracy(self.need.tolerance)
            out.append(f"{b.gives.__name__} by {b.name} ({how}): {b.summary}")
        return out

    def to_json(self) -> dict[str, object]:
        """Plain values for the record."""
        return {
            "operator": self.operator,
            "noise": self.noise,
            "prior": self.prior,
            "why": self.why,
            "solver": self.solver.name,
            "exact": self.exact,
            "tolerance": self.tolerance,
            "bridges": {b.gives.__name__: b.name for b in self.bridges},
        }


def route(
    parts: Parts, need: Need, exact_only: bool = False
) -> tuple[tuple[AdapterSpec, ...], list[str]]:
    """The bridges for one need, those of the prior first, and what is missing."""
    bridges: list[AdapterSpec] = []
    missing: list[str] = []
    # smoothing turns a constraint into none: a prior without weight needs exact bridges
    rigid = exact_only or not parts.prior_traits.weighted
    for side, wanted, strict in (("prior", need.prior, rigid), ("data", need.data, exact_only)):
        for capability in wanted:
            available = parts.prior_caps if side == "prior" else parts.data_caps
            if capability in available:
                continue
            found = registry().bridge(capability, side, available, strict)
            if found is None or (need.closed and found.tolerance):
                missing.append(_missing(parts, capability, side, available, strict))
                continue
            bridges.append(found)
            if found.nonlinear or found.widens or found.basis is not None:
                parts = parts.behind(found)
    return tuple(bridges), missing


def _missing(
    parts: Parts, capability: type, side: str, available: frozenset[type], strict: bool
) -> str:
    who = f"{parts.operator} with {parts.noise}" if side == "data" else f"prior {parts.prior}"
    other = registry().bridge(capability, side, available)
    only = ", only an approximate one" if strict and other is not None and not other.exact else ""
    return f"{who} gives no {capability.__name__}{only}"


def fits(parts: Parts, solver: SolverSpec, exact_only: bool = False) -> tuple[Plan | None, str]:
    """The best plan for one solver and an empty reason, or None and the reason."""
    why = refused(parts, solver)
    if why or not solver.needs:
        return None, why or f"{solver.name} declares no needs"
    plans: list[Plan] = []
    reasons: list[list[str]] = []
    for need in solver.needs:
        bridges, missing = route(parts, need, exact_only)
        if missing:
            reasons.append(missing)
        else:
            plans.append(Plan(parts.operator, parts.noise, parts.prior, solver, need, bridges))
    if plans:
        return max(plans, key=lambda p: (p.exact, p.rank)), ""
    # of the solver's alternatives report only those that lack least
    least = [r for r in reasons if not any(set(other) < set(r) for other in reasons)]
    return None, " or ".join(dict.fromkeys(" and ".join(r) for r in least))


def all_solvers(kind: str = "solver") -> tuple[SolverSpec, ...]:
    """Every declared solver, or sampler."""
    return tuple(s for s in registry().all(kind) if isinstance(s, SolverSpec))


def best(parts: Parts, plans: Iterable[Plan]) -> Plan | None:
    """The plan that ``--solver auto`` takes: by the prior's preference, else by rank."""
    free = [p for p in plans if not p.solver.traits_for().own_prior]
    for name in parts.prefers:
        for plan in free:
            if plan.solver.name == name and plan.exact:
                return plan
    return max(free, key=lambda p: (p.exact, p.rank, p.solver.name), default=None)


def make_plan(
    op: Tree,
    noise: Tree,
    prior: Tree,
    solver: Tree,
    exact_only: bool = False,
    hard: bool = False,
    dims: int = 2,
) -> Plan:
    """The plan for a solver, or the best one for ``"auto"``.

    Samplers are planned in the same way.

    Args:
        op: the operator.
        noise: the noise model.
        prior: the prior.
        solver: the solver or sampler.
        exact_only: refuse approximate bridges.
        hard: the data have no noise.
        dims: axes of an image, 3 for a volume.

    Raises:
        PlanError: nothing fits; says why, and which solvers do fit.
    """
    parts = Parts.of(op, noise, prior, hard, dims)
    asked = solver_spec(solver)
    if asked is not None:
        plan, why = fits(parts, asked, exact_only)
        if plan is not None:
            return plan
    others: list[Plan] = []
    first = ""
    for spec in all_solvers(solver.kind):
        if asked is not None and asked.name == spec.name:
            continue
        plan, reason = fits(parts, spec, exact_only)
        if plan is not None and not spec.traits_for().own_prior:
            others.append(plan)
        first = first or reason
    if asked is None:
        chosen = best(parts, others)
        if chosen is not None:
            return chosen
        why = first
    names = sorted({p.solver.name for p in others})
    kind = solver.kind
    hint = f"; {kind}s that fit: {', '.join(names)}" if names else f"; no {kind} fits these three"
    exactly = " exactly" if exact_only else ""
    combination = f"operator {parts.operator}, noise {parts.noise}, prior {parts.prior}"
    why = _idle(prior) or why
    if asked is None:
        raise PlanError(f"no {kind} fits {combination}{exactly}: {why}")
    raise PlanError(f"{kind} {asked.name} does not fit{exactly} {combination}: {why}{hint}")


def _idle(prior: Tree) -> str:
    """What a prior of a class of one's own lacks; empty if it has something for a solver."""
    if prior.instance is None or prior.facts.capabilities or not prior.facts.traits.informs:
        return ""
    usual = [methods(c)[0] for c in (Value, Grad, Prox, Denoise)]
    own = [name for name in vars(type(prior.instance)) if not name.startswith("_")]
    near = (f"; it has {n}{did_you_mean(n, usual)}" for n in own if did_you_mean(n, usual))
    told = f"{prior.title} has no method that solvers use, such as {', '.join(usual)}"
    return told + next(near, "")
