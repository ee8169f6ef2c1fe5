"""What fits with what: operator x noise x prior x solver, from declarations alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from ipx.declare.registry import registry
from ipx.declare.specs import SolverSpec
from ipx.errors import OptionError, PlanError
from ipx.planning.plan import Plan, fits, make_plan
from ipx.planning.request import declared_parts


@dataclass(frozen=True)
class Row:
    """One combination of operator, noise and prior.

    Attributes:
        auto: the solver that ``--solver auto`` takes; None when nothing fits.
        plans: the plan of each solver that fits.
        refused: the reason for each that does not.
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
    """The table, with default options; an empty choice means every component of the kind.

    Raises:
        UnknownNameError: a chosen name does not exist.
    """
    reg = registry()
    chosen = {
        kind: [_name(kind, n) for n in names] or reg.names(kind)
        for kind, names in (
            ("operator", operators),
            ("noise", noises),
            ("prior", priors),
            ("solver", solvers),
        )
    }
    specs = {n: s for n in chosen["solver"] if isinstance(s := reg.get("solver", n), SolverSpec)}
    extra = reg.all("adapter")
    for op in chosen["operator"]:
        for noise in chosen["noise"]:
            for prior in chosen["prior"]:
                plans: dict[str, Plan] = {}
                refused: dict[str, str] = {}
                try:
                    parts = declared_parts({"name": op}, {"name": noise}, {"name": prior})
                except OptionError as e:  # one of them has an option without default
                    yield Row(op, noise, prior, None, {}, dict.fromkeys(specs, str(e)))
                    continue
                for name, spec in specs.items():
                    plan, why = fits(parts, spec, extra, exact)
                    if plan is None:
                        refused[name] = why
                    else:
                        plans[name] = plan
                try:
                    auto = make_plan(parts, specs.values(), "auto", extra, exact).solver
                except PlanError:
                    auto = None
                yield Row(op, noise, prior, auto, plans, refused)


def _name(kind: str, name: str) -> str:
    registry().get(kind, name)
    return name
