"""The priors and solvers for an operator and a noise, best first. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass

from ipx.declare.facts import Gain
from ipx.declare.registry import registry
from ipx.errors import UsageError
from ipx.planning.choice import Situation
from ipx.planning.matrix import Row, matrix
from ipx.planning.plan import NO_PRIOR
from ipx.planning.tree import AUTO, tree


@dataclass(frozen=True)
class Ranked:
    """A prior or a solver that fits.

    Attributes:
        kind: ``"prior"`` or ``"solver"``.
        name: its name.
        partner: of a prior the solver that ``auto`` takes; of a solver the best prior that fits.
        gain: what was measured with both for such data; None for nothing.
    """

    kind: str
    name: str
    partner: str
    gain: Gain | None

    @property
    def summary(self) -> str:
        """What it is."""
        return registry().get(self.kind, self.name).summary


@dataclass(frozen=True)
class Ranking:
    """What fits an operator and a noise, best first, and why the rest does not.

    Attributes:
        priors: what was measured comes first, by its worth, then the others by name.
        solvers: likewise, by the best prior that fits.
        refused: the reason for each other prior and solver, ``"prior NAME"`` to a line.
    """

    priors: tuple[Ranked, ...]
    solvers: tuple[Ranked, ...]
    refused: dict[str, str]


def situation(names: tuple[str, ...]) -> tuple[str, str]:
    """The operator and the noise among these names; by default identity and gaussian.

    Raises:
        UnknownNameError: a name is neither.
        UsageError: two of a kind.
    """
    found: dict[str, str] = {}
    for name in names:
        kind = "noise" if name in registry().names("noise") else "operator"
        registry().get(kind, name)
        if kind in found:
            raise UsageError(f"{found[kind]} and {name} are both of kind {kind}; give one")
        found[kind] = name
    return found.get("operator", "identity"), found.get("noise", "gaussian")


def ranking(op: str, noise: str) -> Ranking:
    """What fits an operator and a noise with their default options."""
    data = Situation(tree("operator", op), tree("noise", noise), tree("solver", AUTO))
    rows = list(matrix([op], [noise]))
    gains = {row.prior: data.known(registry().get("prior", row.prior)) for row in rows}
    priors = [Ranked("prior", r.prior, r.auto, gains[r.prior]) for r in rows if r.auto]
    refused = {f"prior {r.prior}": _why(r) for r in rows if not r.auto}
    solvers: list[tuple[tuple[object, ...], Ranked]] = []
    for name in registry().names("solver"):
        own = data.known(registry().get("solver", name))
        fitting = [r for r in rows if name in r.plans]
        if not fitting:
            closest = next((r for r in rows if r.prior == NO_PRIOR), rows[0])
            refused[f"solver {name}"] = closest.refused.get(name, "")
            continue
        best = min(fitting, key=lambda r: (*_order(gains[r.prior]), r.prior))
        plan, gain = best.plans[name], own or gains[best.prior]
        # it was measured with the solver that auto takes
        told = own or (gain if best.auto == plan.solver.name else None)
        key = (*_order(gain), not plan.exact, -plan.rank, name)
        solvers.append((key, Ranked("solver", name, best.prior, told)))
    return Ranking(
        tuple(sorted(priors, key=lambda r: (*_order(r.gain), r.name))),
        tuple(ranked for _, ranked in sorted(solvers, key=lambda pair: pair[0])),
        refused,
    )


def _order(gain: Gain | None) -> tuple[bool, float]:
    """What is measured first, then by worth."""
    return gain is None, 0.0 if gain is None else -gain.worth


def _why(row: Row) -> str:
    """Why no solver is taken for this prior: the reason that most of them give."""
    reasons = list(row.refused.values())
    return max(reasons, key=reasons.count) if reasons else "only solvers fit that need no prior"
