"""A restoration request as plain values, and its plan. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from ipx.declare.capabilities import Box
from ipx.declare.kinds import ROLES
from ipx.errors import OptionError, UsageError
from ipx.planning.parts import Parts
from ipx.planning.plan import Plan, make_plan
from ipx.planning.settings import SolveSettings
from ipx.planning.tree import AUTO, Description, Tree, tree
from ipx.planning.weights import Rule, rule_of

PRIOR = "tv"
"""The default prior."""

Table = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Request:
    """Everything that determines a restoration except the image.

    Attributes:
        op: ``{"name": "blur", "sigma": 2}``, as for the other components; an operator may be
            composed, see `ipx.planning.tree`; by default identity.
        prior: by default tv, or none for a solver that is a trained network; a sum of priors is
            ``{"name": "sum", "parts": [...]}``.
        sampler: used if the settings ask for draws from the posterior.
        lam: weight of the prior, of a sum one for each prior that has a weight, or ``"auto"``.
        settings: the rest.
        named: False if no operator was given.
    """

    op: Table = field(default_factory=dict)
    noise: Table = field(default_factory=lambda: {"name": "gaussian"})
    prior: Table = field(default_factory=dict)
    solver: Table = field(default_factory=lambda: {"name": AUTO})
    tuner: Table = field(default_factory=lambda: {"name": AUTO})
    sampler: Table = field(default_factory=lambda: {"name": AUTO})
    lam: float | list[float] | str = AUTO
    settings: SolveSettings = field(default_factory=SolveSettings)
    named: bool = field(init=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "named", bool(self.op))
        if not self.op:
            object.__setattr__(self, "op", {"name": "identity"})
        if not self.prior:
            object.__setattr__(self, "prior", {"name": usual_prior(self.tree("solver"))})

    def tree(self, role: str) -> Tree:
        """The component of a role, such as ``op`` or ``noise``."""
        return tree(ROLES[role], getattr(self, role))

    @property
    def subject(self) -> Literal["photograph", "face"]:
        """The bundled image that suits the prior."""
        return "face" if self.tree("prior").facts.traits.suits == "face" else "photograph"

    def to_mapping(self, command: str = "solve") -> Table:
        """What determines the result of a command: plain values, all options, absolute paths."""
        roles, settings = CONCERNS[command]
        plain: Table = {role: self.tree(role).to_mapping() for role in roles}
        every = self.settings.to_mapping()
        plain |= {name: every[name] for name in settings}
        return plain | ({"lam": self.lam} if command == "solve" else {})

    def files(self, command: str = "solve") -> list[Path]:
        """The files named by options of the components, such as a PSF or a mask."""
        return [path for role in CONCERNS[command][0] for path in self.tree(role).files()]

    def plan(self) -> Plan:
        """The plan, from the declarations.

        Raises:
            UsageError: unknown names or options, or nothing fits; says why and what does fit.
        """
        op, noise, prior, solver = map(self.tree, ("op", "noise", "prior", "solver"))
        check_weights(self.lam, prior)
        plan = make_plan(op, noise, prior, solver, self.settings.exact)
        self.drawing()
        return plan

    def drawing(self) -> Plan | None:
        """The plan of the sampler; None if the settings ask for no draws.

        Raises:
            UsageError: as for `plan`.
        """
        check_drawn(self.tree("sampler"), self.settings)
        if not self.settings.sampled:
            return None
        op, noise, prior, sampler = map(self.tree, ("op", "noise", "prior", "sampler"))
        return make_plan(op, noise, prior, sampler, self.settings.exact)

    def rule(self, plan: Plan, truth: bool) -> Rule:
        """How the weights are found; ``truth``: the clean image is known.

        Raises:
            PlanError: the tuner does not fit.
        """
        prior, tuner = self.tree("prior"), self.tree("tuner")
        return weight_rule(self.op, self.noise, prior, plan, self.lam, tuner, truth)


def check_drawn(sampler: Tree, settings: SolveSettings) -> None:
    """Refuse a sampler without anything to draw.

    Raises:
        UsageError: see above.
    """
    if sampler.name != AUTO and not settings.sampled:
        raise UsageError(
            "a sampler is used if draws are asked for: by estimate mmse or median, interval, "
            "samples or claim"
        )


def weight_rule(
    op: Description, noise: Description, prior: Tree, plan: Plan, lam: Any, tuner: Tree, truth: bool
) -> Rule:
    """How the weights are found, see `ipx.planning.weights.rule_of`."""
    model = tree("noise", noise)
    parts = Parts.of(tree("operator", op), model, prior)
    for bridge in plan.bridges:
        parts = parts.behind(bridge) if bridge.nonlinear or bridge.weightless else parts
    return rule_of(parts, lam, tuner, model.told, truth)


CONCERNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "solve": (tuple(ROLES), tuple(SolveSettings.infos())),
    "degrade": (("op", "noise"), ("seed", "device", "dtype")),
}
"""The roles and the settings that a command uses."""


def usual_prior(solver: Description) -> str:
    """The default prior for a solver.

    It is ``none`` for one that has its own, and for one that takes bounds at most.

    Raises:
        UnknownNameError: there is no such solver.
    """
    described = tree("solver", solver)
    needs = getattr(described.spec, "needs", ())
    bounds = bool(needs) and all(Box in need.prior for need in needs)
    return "none" if bounds or described.facts.traits.own_prior else PRIOR


def check_weights(lam: Any, prior: Tree) -> None:
    """Check that ``lam`` is auto, or has a weight for each prior of a sum that has a weight.

    Raises:
        OptionError: it is another word.
        UsageError: there are more or fewer weights.
    """
    if isinstance(lam, str):
        if lam != AUTO:
            raise OptionError(f"lam must be a number >= 0 or auto, not {lam!r}")
        return
    weighted = [part.title for part in prior.parts if part.facts.traits.weighted]
    if len(weighted) < 2:  # then lam may be one value for each image of a batch
        return
    try:
        given = len(lam)
    except TypeError:
        given = 1
    if given != len(weighted):
        raise UsageError(
            f"prior {prior.title} takes {len(weighted)} weights, of {' and '.join(weighted)}, or "
            f"auto for all; given: {given}"
        )
