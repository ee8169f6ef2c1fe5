"""What to do to a picture, as plain values, and the plan for it from declarations alone.

Imports nothing heavy: ``--dry-run`` and ``ipx matrix`` plan without torch.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ipx.declare import capabilities as cap
from ipx.declare.options import Options
from ipx.declare.registry import registry
from ipx.declare.specs import NoiseSpec, OperatorSpec, PriorSpec, SolverSpec, Spec
from ipx.errors import InputError, OptionError, UsageError
from ipx.planning.plan import Parts, Plan, make_plan

ALGEBRA = ("compose", "sum", "stack")
ROLES = {
    "op": "operator",
    "noise": "noise",
    "prior": "prior",
    "solver": "solver",
    "tuner": "tuner",
}
"""Roles in a request to kinds of component."""

PRIOR = "tv"
"""The prior where none was named."""

Table = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Request:
    """Everything that decides the bits of a restoration, but the picture.

    Attributes:
        op: ``{"name": "blur", "sigma": 2}``; the other components alike. An operator may be
            composed, see `ipx.compose`.
        prior: without a name it is tv, or none for a solver that is a trained network.
        lam: weight of the prior, or ``"auto"``.
        iterations: budget of steps; the solver's usual one when None.
        tol: stop at this fixed-point residual.
        start: where to begin, see `ipx.starts`.
        restarts: solves from so many random starts; the lowest objective counts.
        keep: the ``last`` iterate, or the ``best`` by the objective.
        exact: refuse approximate bridges.
        seed: of the simulated noise and of random starts.
        device: where to work; the CPU when None.
    """

    op: Table = field(default_factory=lambda: {"name": "identity"})
    noise: Table = field(default_factory=lambda: {"name": "gaussian"})
    prior: Table = field(default_factory=dict)
    solver: Table = field(default_factory=lambda: {"name": "auto"})
    tuner: Table = field(default_factory=lambda: {"name": "discrepancy"})
    lam: float | str = "auto"
    iterations: int | None = None
    tol: float = 1e-4
    start: str = "auto"
    restarts: int = 1
    keep: Literal["last", "best"] = "last"
    exact: bool = False
    seed: int = 0
    device: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.tol < math.inf:
            raise OptionError(f"tol must be a number >= 0, not {self.tol!r}")
        if not self.prior:
            object.__setattr__(self, "prior", {"name": prior_for(str(self.solver.get("name")))})

    @property
    def subject(self) -> Literal["photograph", "face"]:
        """Which bundled picture suits the prior."""
        spec, _ = checked("prior", self.prior)
        return "face" if isinstance(spec, PriorSpec) and spec.suits == "face" else "photograph"

    def to_mapping(self) -> Table:
        """Plain values, every option of every component in full; paths are made absolute.

        `Request` of the same mapping gives the same bits.
        """
        out: Table = dataclasses.asdict(self)
        for role, kind in ROLES.items():
            out[role] = resolved(kind, getattr(self, role))
        return out

    def plan(self) -> Plan:
        """The plan, from the declarations.

        Raises:
            UsageError: unknown names or options, or nothing fits; says why and what would.
        """
        if self.lam == "auto":
            checked("tuner", self.tuner)
        parts = declared_parts(self.op, self.noise, self.prior)
        reg = registry()
        specs = [s for s in reg.all("solver") if isinstance(s, SolverSpec)]
        name, values = named(self.solver)
        if name == "auto":
            if values:
                raise OptionError("solver auto has no options; name a solver to set its options")
        else:
            chosen, _ = checked("solver", self.solver)
            specs = [s for s in specs if s.name != chosen.name or s.id == chosen.id]
            name = chosen.name
        return make_plan(parts, specs, name, reg.all("adapter"), self.exact)


def prior_for(solver: str) -> str:
    """The prior where none was named: a solver that is a trained network has its own.

    Raises:
        UnknownNameError: there is no such solver.
    """
    if solver == "auto":
        return PRIOR
    spec = registry().get("solver", solver)
    return "none" if isinstance(spec, SolverSpec) and spec.own_prior else PRIOR


def named(table: Mapping[str, Any]) -> tuple[str, Table]:
    """The name and the other entries of a component's table.

    Raises:
        InputError: it has no name.
    """
    values = dict(table)
    name = values.pop("name", None)
    if not isinstance(name, str):
        raise InputError("a component needs a name, as in {name = ...}")
    return name, values


def checked(kind: str, table: Mapping[str, Any]) -> tuple[Spec, Options]:
    """The declaration and the checked options of a component."""
    name, values = named(table)
    reg = registry()
    return reg.get(kind, name), reg.options(kind, name, values)


def parts_of(table: Mapping[str, Any]) -> list[Table]:
    """The parts of a composed operator.

    Raises:
        InputError: they are no list of at least two tables or names.
    """
    name, values = named(table)
    parts = values.get("parts")
    if not isinstance(parts, list | tuple) or len(parts) < 2 or set(values) != {"parts"}:
        raise InputError(f"operator {name} takes a list of at least two parts and nothing else")
    tables = [{"name": p} if isinstance(p, str) else p for p in parts]
    if not all(isinstance(t, Mapping) for t in tables):
        raise InputError(f"each part of operator {name} is a name or a table with a name")
    return [dict(t) for t in tables]


def resolved(kind: str, table: Mapping[str, Any]) -> Table:
    """A component's table in full: id and every option, paths absolute."""
    name, values = named(table)
    if kind == "solver" and name == "auto":
        return {"name": "auto", **values}
    if kind == "operator" and name in ALGEBRA:
        parts = []
        for part in parts_of(table):
            scale = {"scale": part.pop("scale")} if "scale" in part else {}
            parts.append({**resolved(kind, part), **scale})
        return {"name": name, "parts": parts}
    spec, options = checked(kind, table)
    plain = options.to_mapping()
    for path in _paths(options):
        plain[path] = str(Path(plain[path]).absolute())
    return {"name": spec.id, **plain}


def files_of(kind: str, table: Mapping[str, Any]) -> list[Path]:
    """The files that the options of a component name."""
    name, _ = named(table)
    if name == "auto":
        return []
    if kind == "operator" and name in ALGEBRA:
        parts = [{k: v for k, v in p.items() if k != "scale"} for p in parts_of(table)]
        return [path for part in parts for path in files_of(kind, part)]
    _, options = checked(kind, table)
    return [Path(getattr(options, path)) for path in _paths(options)]


def _paths(options: Options) -> list[str]:
    infos = type(options).infos()
    single = [n for n, i in infos.items() if i.kind is Path and i.length is None]
    return [n for n in single if getattr(options, n) is not None]


def operator_capabilities(table: Mapping[str, Any]) -> frozenset[type]:
    """What an operator can do by its declaration; composed ones by the rules of the algebra."""
    values = dict(table)
    scaled = values.pop("scale", 1) != 1
    name, _ = named(values)
    if name not in ALGEBRA:
        spec, options = checked("operator", values)
        found = spec.capabilities(options)
        kept = (cap.Adjoint, cap.Diagonal, cap.Spectrum, cap.Norm)
        return found.intersection(kept) if scaled else found
    parts = [operator_capabilities(p) for p in parts_of(values)]
    if not all(cap.Adjoint in p for p in parts):
        raise UsageError(f"{name} takes linear operators only")
    diagonal = name != "stack" and all(cap.Diagonal in p for p in parts)
    return frozenset({cap.Adjoint, cap.Diagonal} if diagonal else {cap.Adjoint})


def _signed(table: Mapping[str, Any]) -> bool:
    """True if data of the operator, or of one that it is made of, may be negative."""
    values = {k: v for k, v in table.items() if k != "scale"}
    if named(values)[0] in ALGEBRA:
        return any(_signed(p) for p in parts_of(values))
    spec, _ = checked("operator", values)
    return isinstance(spec, OperatorSpec) and spec.signed


def noiseless(options: Options) -> bool:
    """True if the level of a noise, its first option that may be left open, is set to 0."""
    for name, info in type(options).infos().items():
        if info.optional and info.kind is float and info.default is None:
            return bool(getattr(options, name) == 0)
    return False


def declared_parts(
    op: Mapping[str, Any], noise: Mapping[str, Any], prior: Mapping[str, Any]
) -> Parts:
    """What a plan is made from, out of the declarations."""
    noise_spec, noise_options = checked("noise", noise)
    prior_spec, prior_options = checked("prior", prior)
    assert isinstance(prior_spec, PriorSpec)
    assert isinstance(noise_spec, NoiseSpec)
    return Parts(
        operator=named(op)[0],
        noise=named(noise)[0],
        prior=named(prior)[0],
        data_caps=operator_capabilities(op) | noise_spec.capabilities(noise_options),
        prior_caps=prior_spec.capabilities(prior_options),
        weighted=prior_spec.weighted,
        informs=prior_spec.informs,
        pixelwise=prior_spec.pixelwise,
        counts=noise_spec.counts,
        signed=_signed(op),
        noiseless=noiseless(noise_options),
    )
