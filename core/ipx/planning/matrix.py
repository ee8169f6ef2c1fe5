"""What fits with what: operator x noise x prior x solver, from declarations alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from ipx.declare.registry import registry
from ipx.errors import UsageError
from ipx.planning.parts import Parts
from ipx.planning.plan import Plan, all_solvers, best, fits
from ipx.planning.tree import Tree, tree


@dataclass(frozen=True)
class Row:
    """One combination of operator, noise and prior.

    Attributes:
        auto: the solver that ``--solver auto`` takes; None when nothing fits.
        plans: the plan of each solver that fits.
        refused: the reason for each solver that does not fit.
    """

    operator: str
    noise: str
    prior: str
    auto: str | None
    plans: dict[str, Plan]
    refused: dict[str, str]

    def to_json(self) -> dict[str, Any]:
        """Plain values."""
        solvers: dict[str, Any] = {
            name: {"fits": True, "exact": p.exact, "bridges": p.to_json()["bridges"], "why": None}
            for name, p in self.plans.items()
        }
        for name, why in self.refused.items():
            solvers[name] = {"fits": False, "exact": None, "bridges": {}, "why": why}
        return {
            "operator": self.operator,
            "noise": self.noise,
            "prior": self.prior,
            "auto": self.auto,
            "solvers": dict(sorted(solvers.items())),
        }


def matrix(
    operators: Sequence[str] = (),
    noises: Sequence[str] = (),
    priors: Sequence[str] = (),
    solvers: Sequence[str] = (),
    exact: bool = False,
) -> Iterator[Row]:
    """The rows, with default options; an empty argument means every component of the kind.

    A prior such as ``tv+wavelet`` is a sum.

    Raises:
        UnknownNameError: a name does not exist.
    """
    reg = registry()
    asked = {"operator": operators, "noise": noises, "prior": priors, "solver": solvers}
    for kind, names in asked.items():
        for name in names:
            for part in name.split("+") if kind == "prior" else (name,):
                reg.get(kind, part)
    chosen = {kind: list(names) or reg.names(kind) for kind, names in asked.items()}
    known = cache(tree)
    for op in chosen["operator"]:
        for noise in chosen["noise"]:
            for prior in chosen["prior"]:
                try:
                    parts = Parts.of(
                        known("operator", op),
                        known("noise", noise),
                        known("prior", tuple(prior.split("+"))),
                    )
                except UsageError as e:  # an option without default, or priors that have no sum
                    refused = dict.fromkeys(chosen["solver"], str(e))
                    yield Row(op, noise, prior, None, {}, refused)
                    continue
                yield _row((op, noise, prior), parts, chosen["solver"], exact)


def fitting(op: Tree, noise: Tree, prior: Tree, exact: bool = False) -> Row:
    """The row of operator, noise and prior with their options, over all solvers.

    Raises:
        UsageError: the parts cannot be put together, whatever the solver.
    """
    names = (op.name, noise.name, prior.title)
    return _row(names, Parts.of(op, noise, prior), registry().names("solver"), exact)


def _row(names: tuple[str, str, str], parts: Parts, solvers: Sequence[str], exact: bool) -> Row:
    """The row of operator, noise and prior with these names and facts."""
    every = {spec.id: fits(parts, spec, exact) for spec in all_solvers()}
    plans: dict[str, Plan] = {}
    refused: dict[str, str] = {}
    for name in solvers:
        plan, why = every[registry().get("solver", name).id]
        if plan is None:
            refused[name] = why
        else:
            plans[name] = plan
    auto = best(parts, [plan for plan, _ in every.values() if plan is not None])
    return Row(*names, auto.solver.name if auto else None, plans, refused)
