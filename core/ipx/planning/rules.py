"""The algebra of linear operators: capabilities and traits of A @ B, A + B, [A; B], c A, A^T.

The same rules serve plans, which see declarations, and operators made in code. Imports nothing
heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ipx.declare.capabilities import Adjoint, Diagonal, Norm, NormalSolve, Sampled, Spectrum
from ipx.declare.traits import Basis, Traits
from ipx.errors import UsageError


@dataclass(frozen=True)
class Facts:
    """Capabilities and traits of a component."""

    capabilities: frozenset[type]
    traits: Traits

    def has(self, capability: type) -> bool:
        """True if it has the capability."""
        return capability in self.capabilities

    @property
    def gram(self) -> frozenset[str]:
        """The transforms in which A^T A is diagonal."""
        pixel = {"pixel"} if self.has(Diagonal) else set()
        return frozenset(pixel | (_bases(self.traits.basis) if self.has(Spectrum) else set()))

    @property
    def solves(self) -> frozenset[str]:
        """The transforms for which (A^T A + W) x = b has a closed form with W diagonal in it."""
        own = _bases(self.traits.basis) if self.has(NormalSolve) else set()
        return self.gram | own


def _bases(basis: Basis) -> set[str]:
    several = {"any": {"fft", "dct"}, "identity": {"fft", "dct", "pixel"}, "": set[str]()}
    return several.get(basis, {basis})


def part_gram(prior: Traits) -> frozenset[str]:
    """The transforms in which K^T K is diagonal, K the linear or quadratic part of a prior."""
    return frozenset(_bases(prior.basis))


def jointly_solved(operator: Facts, prior: Traits) -> bool:
    """True if (A^T A + rho K^T K) x = b has a closed form."""
    if operator.has(NormalSolve) and prior.basis == "identity":
        return True
    return bool(operator.solves & part_gram(prior))


def sampled_solved(operator: Facts, prior: Traits) -> bool:
    """True if (B^T B + rho K^T K) x = b has a closed form, A = S B."""
    return operator.has(Sampled) and bool(_bases(operator.traits.basis) & part_gram(prior))


def _signed(parts: Sequence[Facts]) -> Traits:
    return Traits(signed=any(p.traits.signed for p in parts))


def _kept(part: Facts, *capabilities: type) -> frozenset[type]:
    return frozenset({Adjoint, *(c for c in capabilities if part.has(c))})


def _pixel_by_pixel(parts: Sequence[Facts]) -> Facts:
    diagonal = {Diagonal} if all(p.has(Diagonal) for p in parts) else set()
    # the first part makes the data; in a sum all are alike
    first = parts[0].traits
    traits = replace(_signed(parts), complex=first.complex, absolute=first.absolute)
    return Facts(frozenset({Adjoint, *diagonal}), traits)


def _stack(parts: Sequence[Facts]) -> Facts:
    common = frozenset.intersection(*(p.gram for p in parts)) - {"pixel"}
    if not common or not all(p.has(Spectrum) for p in parts):
        return Facts(frozenset({Adjoint}), _signed(parts))
    basis: Basis = "any" if len(common) > 1 else "fft" if "fft" in common else "dct"
    return Facts(frozenset({Adjoint, Spectrum}), replace(_signed(parts), basis=basis))


def _scale(parts: Sequence[Facts]) -> Facts:
    (part,) = parts
    return Facts(_kept(part, Diagonal, Spectrum, Norm), part.traits)


def _adjoint(parts: Sequence[Facts]) -> Facts:
    (part,) = parts
    return Facts(_kept(part, Diagonal, Norm), _signed(parts))


def widened(capabilities: frozenset[type]) -> frozenset[type]:
    """Capabilities of A S, where S takes the image from an unknown with further channels."""
    if Adjoint not in capabilities:
        return frozenset()
    solved = {NormalSolve} if capabilities & {Diagonal, Spectrum, NormalSolve} else set()
    return frozenset({Adjoint, Norm, *solved})


RULES: dict[str, Callable[[Sequence[Facts]], Facts]] = {
    "compose": _pixel_by_pixel,
    "sum": _pixel_by_pixel,
    "stack": _stack,
    "scale": _scale,
    "adjoint": _adjoint,
}
"""Capabilities and traits of A @ B, A + B, [A; B], c A and A^T from those of their parts."""

NAMED = ("compose", "sum", "stack")
"""The rules that a request may name as an operator."""


def made(rule: str, parts: Sequence[Facts], factor: float = 1.0) -> Facts:
    """Capabilities and traits of an operator made by a rule of `RULES`.

    Args:
        rule: its name.
        parts: capabilities and traits of the parts.
        factor: c of c A; data change their sign with it.

    Raises:
        UsageError: a part is not linear.
    """
    if not all(p.has(Adjoint) for p in parts):
        raise UsageError(f"{rule} takes linear operators only")
    found = RULES[rule](parts)
    return found if factor >= 0 else replace(found, traits=replace(found.traits, signed=True))
