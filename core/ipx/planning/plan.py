"""Plans: which bridges make operator, noise and prior fit a solver, or why nothing does.

Works on sets of capabilities alone, so the same code plans from declarations (``--dry-run``,
``ipx matrix``: nothing heavy is imported) and from instances.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from ipx.declare import capabilities as cap
from ipx.declare.adapters import choose
from ipx.declare.specs import AdapterSpec, Need, SolverSpec, Spec
from ipx.errors import PlanError


@dataclass(frozen=True)
class Parts:
    """What a plan is made from: names for the messages, capabilities for the decisions."""

    operator: str
    noise: str
    prior: str
    data_caps: frozenset[type]  # of operator and noise together
    prior_caps: frozenset[type]
    weighted: bool = True  # the prior has a weight
    informs: bool = True  # the prior says something at all
    pixelwise: bool = False  # the prior looks at each pixel by itself
    counts: bool = False  # the data are counts
    signed: bool = False  # what the operator gives of pictures may be negative
    noiseless: bool = False


@dataclass(frozen=True)
class Plan:
    """A solver and the bridges it works over."""

    operator: str
    noise: str
    prior: str
    solver: str
    need: Need
    bridges: dict[type, AdapterSpec] = field(default_factory=dict)
    own_prior: bool = False  # the solver is a trained network

    @property
    def exact(self) -> bool:
        """True if no bridge approximates."""
        return all(b.exact for b in self.bridges.values())

    def lines(self) -> list[str]:
        """The plan in words, one bridge a line."""
        out = [f"{self.solver}: minimise {self.noise}({self.operator}(x), y) + lam {self.prior}(x)"]
        if self.own_prior:
            out = [f"{self.solver}: a trained network for {self.noise}({self.operator}(x), y)"]
        for gives, bridge in self.bridges.items():
            how = "exact" if bridge.exact else "approximate"
            out.append(f"{cap.name_of(gives)} by {bridge.name} ({how}): {bridge.summary}")
        return out

    def to_json(self) -> dict[str, object]:
        """Plain values for the record."""
        return {
            "operator": self.operator,
            "noise": self.noise,
            "prior": self.prior,
            "solver": self.solver,
            "exact": self.exact,
            "bridges": {cap.name_of(k): b.name for k, b in self.bridges.items()},
        }


def route(
    parts: Parts, need: Need, extra: Iterable[Spec] = (), exact_only: bool = False
) -> tuple[dict[type, AdapterSpec], list[str]]:
    """The bridges for one need, and what is missing (empty when it fits)."""
    extra = tuple(extra)
    bridges: dict[type, AdapterSpec] = {}
    missing: list[str] = []
    wanted = [(c, "data", parts.data_caps) for c in need.data if c not in parts.data_caps]
    wanted += [(c, "prior", parts.prior_caps) for c in need.prior if c not in parts.prior_caps]
    for capability, side, available in wanted:
        # a constraint smoothed is no constraint: only exact bridges serve a prior without weight
        strict = exact_only or (side == "prior" and not parts.weighted)
        bridge = choose(capability, side, available, extra, strict)
        if bridge is not None:
            bridges[capability] = bridge
            continue
        who = f"{parts.operator} with {parts.noise}" if side == "data" else f"prior {parts.prior}"
        approximate = strict and choose(capability, side, available, extra) is not None
        only = ", only an approximate one" if approximate else ""
        missing.append(f"{who} gives no {cap.name_of(capability)}{only}")
    return bridges, missing


def fits(
    parts: Parts, solver: SolverSpec, extra: Iterable[Spec] = (), exact_only: bool = False
) -> tuple[Plan | None, str]:
    """The best plan for one solver; or None and the reason."""
    refused = _nothing_to_do(parts, solver)
    if refused:
        return None, refused
    extra = tuple(extra)
    best: Plan | None = None
    reasons: list[list[str]] = []
    for need in sorted(solver.needs, key=lambda n: -n.rank):
        bridges, missing = route(parts, need, extra, exact_only)
        if missing:
            reasons.append(missing)
            continue
        found = Plan(
            parts.operator, parts.noise, parts.prior, solver.name, need, bridges, solver.own_prior
        )
        if best is None or (found.exact and not best.exact):
            best = found
    if best is not None:
        return best, ""
    # what lacks more than another way of the same solver tells nothing
    least = [r for r in reasons if not any(set(other) < set(r) for other in reasons)]
    return None, " or ".join(dict.fromkeys(" and ".join(r) for r in least))


def _nothing_to_do(parts: Parts, solver: SolverSpec) -> str:
    """Combinations that run but cannot restore anything, refused with the reason."""
    if parts.signed and parts.counts:
        return f"{parts.noise} counts, and data of {parts.operator} may be negative"
    if solver.own_prior:
        return "" if not parts.informs else "it has a prior of its own, learned; take prior none"
    diagonal = cap.Diagonal in parts.data_caps
    if not parts.informs and diagonal:
        return f"without a prior {parts.operator} leaves each pixel as it was measured"
    if parts.pixelwise and parts.weighted and parts.counts:
        return (
            f"the sum of a picture is what {parts.noise} data tell best, and {parts.prior} only "
            "scales it down; take a prior on neighbours, such as tv, or range"
        )
    if parts.pixelwise and diagonal and cap.Quadratic not in parts.data_caps:
        return (
            f"{parts.operator}, {parts.noise} and {parts.prior} all look at each pixel by itself, "
            "where nothing but the measured value is known; take a prior on neighbours"
        )
    outliers = not {cap.NoiseGrad, cap.Quadratic} & parts.data_caps
    if outliers and not parts.weighted and not parts.noiseless:
        return (
            f"{parts.noise} leaves outliers, which {parts.prior} cannot tell from detail; take a "
            "prior with a weight, such as tv"
        )
    one_shot = any(
        cap.DataQuadratic in n.data and cap.QuadraticPrior in n.prior for n in solver.needs
    )
    if not parts.informs and one_shot and not parts.noiseless:
        return (
            "without a prior the closed form inverts the noise too; take prior tikhonov or "
            "smooth, or an iterative solver, which stops at the noise level"
        )
    return ""


def make_plan(
    parts: Parts,
    solvers: Iterable[SolverSpec],
    solver: str = "auto",
    extra: Iterable[Spec] = (),
    exact_only: bool = False,
) -> Plan:
    """The plan for a named solver, or the best one for ``"auto"``.

    Raises:
        PlanError: nothing fits; says why, and which solvers or priors would.
    """
    solvers, extra = tuple(solvers), tuple(extra)
    plans: list[Plan] = []
    why = ""
    for spec in solvers:
        plan, reason = fits(parts, spec, extra, exact_only)
        if plan is not None:
            if solver == spec.name or not spec.own_prior:
                plans.append(plan)
        elif spec.name == solver:
            why = reason
        else:
            why = why or (reason if solver == "auto" else "")
    if solver == "auto":
        if plans:
            return max(plans, key=lambda p: (p.exact, p.need.rank, p.solver))
    else:
        chosen = [p for p in plans if p.solver == solver]
        if chosen:
            return chosen[0]
    others = sorted(p.solver for p in plans)
    hint = f"; solvers that fit: {', '.join(others)}" if others else "; no solver fits these three"
    exactly = " exactly" if exact_only else ""
    name = "no solver" if solver == "auto" else f"solver {solver}"
    raise PlanError(
        f"{name} does not fit{exactly} operator {parts.operator}, noise {parts.noise}, "
        f"prior {parts.prior}: {why}{hint}"
    )
