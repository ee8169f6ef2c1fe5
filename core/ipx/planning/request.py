"""A restoration request as plain values, and its plan. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ipx.declare.kinds import ROLES
from ipx.errors import OptionError, UsageError
from ipx.planning.choice import Candidate, Situation, rivals, usual_prior
from ipx.planning.parts import Parts
from ipx.planning.plan import Plan, make_plan
from ipx.planning.settings import SolveSettings
from ipx.planning.tree import AUTO, Description, Tree, tree
from ipx.planning.weights import Rule, rule_of

Table = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class Request:
    """Everything that determines a restoration except the image.

    Attributes:
        op: ``{"name": "blur", "sigma": 2}``, as for the other components; an operator may be
            composed, see `ipx.planning.tree`; by default identity.
        prior: by default auto, or none for a solver that is a trained network; a sum of priors is
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
    named: bool | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        if self.named is None:  # a changed copy keeps what was said of the first
            object.__setattr__(self, "named", bool(self.op))
        if not self.op:
            object.__setattr__(self, "op", {"name": "identity"})
        if not self.prior:
            object.__setattr__(self, "prior", {"name": usual_prior(self.tree("solver"))})

    def tree(self, role: str) -> Tree:
        """The component of a role, such as ``op`` or ``noise``."""
        return tree(ROLES[role], getattr(self, role))

    @property
    def subject(self) -> Literal["photograph", "face", "digit"]:
        """The bundled image that suits the prior."""
        return subject_for(self.tree("prior"))

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

    def packages(self, command: str = "solve") -> dict[str, str]:
        """The packages of third parties whose plugins gave components, with their versions."""
        trees = map(self.tree, CONCERNS[command][0])
        return {name: version for tree in trees for name, version in tree.packages.items()}

    def plan(self) -> Plan:
        """The plan, from the declarations.

        Raises:
            UsageError: unknown names or options, or nothing fits; says why and what does fit.
        """
        asked, picked = self.settled()
        op, noise, prior, solver = map(asked.tree, ("op", "noise", "prior", "solver"))
        check_weights(self.lam, prior)
        s = self.settings
        plan = picked or make_plan(op, noise, prior, solver, s.exact, dims=s.dims)
        asked.drawing()
        return plan

    def settled(self, channels: int | None = None) -> tuple[Request, Plan | None]:
        """The first of `rivals`: what is taken before the data are seen."""
        return self.rivals(channels)[0]

    def rivals(self, channels: int | None = None) -> list[tuple[Request, Plan | None]]:
        """The request with each prior that may stand for ``auto``, and the plan with it.

        Without ``auto`` it is the request, and None. Where the prior is part of a solver, that is
        named, too.

        Args:
            channels: of the data, if they are known.

        Raises:
            PlanError: no prior fits.
        """
        found = picks(
            self.op, self.noise, self.tree("prior"), self.tree("solver"), self.lam,
            self.tree("tuner"), self.settings, channels,
        )  # fmt: skip
        return [(self._with(each), each.plan) for each in found] or [(self, None)]

    def _with(self, found: Candidate) -> Request:
        names: dict[str, Any] = {"prior": {"name": found.prior.name}}
        names |= {} if found.solver.auto else {"solver": {"name": found.solver.name}}
        return replace(self, **names)

    def seeded(self, seed: int) -> Request:
        """The same with this seed."""
        return replace(self, settings=replace(self.settings, seed=seed))

    def drawing(self) -> Plan | None:
        """The plan of the sampler; None if the settings ask for no draws.

        Raises:
            UsageError: as for `plan`.
        """
        check_drawn(self.tree("sampler"), self.settings)
        if not self.settings.sampled:
            return None
        asked = self.settled()[0]
        op, noise, prior, sampler = map(asked.tree, ("op", "noise", "prior", "sampler"))
        s = self.settings
        return make_plan(op, noise, prior, sampler, s.exact, dims=s.dims)

    def rule(self, plan: Plan, truth: bool) -> Rule:
        """How the weights are found; ``truth``: the clean image is known.

        Raises:
            PlanError: the tuner does not fit.
        """
        prior, tuner = self.settled()[0].tree("prior"), self.tree("tuner")
        return weight_rule(self.op, self.noise, prior, plan, self.lam, tuner, truth)


def subject_for(prior: Tree) -> Literal["photograph", "face", "digit"]:
    """The bundled image that suits a prior."""
    suits = prior.facts.traits.suits
    return "photograph" if suits == "sparse" else suits


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


def picks(
    op: Description, noise: Description, prior: Tree, solver: Tree, lam: Any, tuner: Tree,
    settings: SolveSettings, channels: int | None, dims: int | None = None,
) -> list[Candidate]:  # fmt: skip
    """The priors that may stand for ``auto``, the best first; none if another was asked for.

    A weight, a tuner and draws are about a prior R with a weight of its own. ``dims`` are the axes
    of an image; by default the settings tell.
    """
    if not prior.auto:
        return []
    reasons = {
        "a weight is given": not isinstance(lam, str),
        "a tuner is named": not tuner.auto,
        "draws are asked for": settings.sampled,
    }
    explicit = next((reason for reason, holds in reasons.items() if holds), "")
    described = tree("operator", op), tree("noise", noise)
    known = settings.dims if dims is None else dims
    return rivals(Situation(*described, solver, settings.exact, channels, explicit, known))


CONCERNS: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "solve": (tuple(ROLES), tuple(SolveSettings.infos())),
    "degrade": (("op", "noise"), ("seed", "device", "dtype", "axes")),
}
"""The roles and the settings that a command uses."""


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
