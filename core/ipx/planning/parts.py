"""The facts that a plan is made from. Imports nothing heavy."""

from __future__ import annotations

from dataclasses import dataclass, replace

from ipx.declare.capabilities import (
    Adjoint,
    JointSolve,
    Nonnegative,
    PartSolve,
    SampledSolve,
    capabilities_of,
)
from ipx.declare.specs import AdapterSpec
from ipx.declare.traits import Traits
from ipx.planning.rules import Facts, jointly_solved, part_gram, sampled_solved, widened
from ipx.planning.tree import Tree


@dataclass(frozen=True)
class Parts:
    """The names of the components, for messages, and their capabilities and traits."""

    operator: str
    noise: str
    prior: str
    data_caps: frozenset[type]  # of operator and noise together
    prior_caps: frozenset[type]
    op: Traits
    noise_traits: Traits
    prior_traits: Traits
    prefers: tuple[str, ...] = ()
    noiseless: bool = False
    dims: int = 2  # axes of an image, 3 for a volume

    @classmethod
    def of(cls, op: Tree, noise: Tree, prior: Tree, hard: bool = False, dims: int = 2) -> Parts:
        """The facts of three components; ``hard``: the data are known to be free of noise."""
        operator, model, regulariser = op.facts, noise.facts, prior.facts
        return cls(
            operator=op.name,
            noise=noise.name,
            prior=prior.title,
            data_caps=operator.capabilities | model.capabilities,
            prior_caps=regulariser.capabilities,
            op=operator.traits,
            noise_traits=model.traits,
            prior_traits=regulariser.traits,
            prefers=prior.prefers,
            noiseless=hard or noise.silent,
            dims=dims,
        )._together()

    def behind(self, bridge: AdapterSpec) -> Parts:
        """The facts after a bridge that changes the operator or the prior's linear part."""
        basis = self.prior_traits.basis if bridge.basis is None else bridge.basis
        own = self.data_caps & frozenset(capabilities_of("operator"))
        kept = widened(own) if bridge.widens else frozenset() if bridge.nonlinear else own
        changed = replace(
            self,
            data_caps=(self.data_caps - own) | kept,
            prior_traits=replace(
                self.prior_traits,
                basis=basis,
                weighted=self.prior_traits.weighted and not bridge.weightless,
            ),
        )
        return changed._together()

    def _together(self) -> Parts:
        """With the capabilities of data term and prior together."""
        data = self.data_caps - {JointSolve, SampledSolve, Nonnegative}
        prior, facts = self.prior_caps - {PartSolve}, Facts(data, self.op)
        if Adjoint in data and not self.op.signed:
            data |= {Nonnegative}
        if jointly_solved(facts, self.prior_traits):
            data |= {JointSolve}
        if sampled_solved(facts, self.prior_traits):
            data |= {SampledSolve}
        if part_gram(self.prior_traits):
            prior |= {PartSolve}
        return replace(self, data_caps=data, prior_caps=prior)
