"""The algebra of operators, A @ B, A + B, [A; B], c A, A^T, and of priors, R + S.

The rules give capabilities and traits. The same rules serve plans, which see declarations, and
components made in code. Imports nothing heavy.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from ipx.declare.capabilities import (
    Adjoint,
    Diagonal,
    Grad,
    Norm,
    NormalSolve,
    Prox,
    ProxConjugate,
    QuadraticPrior,
    Sampled,
    Spectrum,
    Value,
)
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
    return Traits(signed=any(p.traits.signed for p in parts), dims=_dims(parts))


def _dims(parts: Sequence[Facts]) -> tuple[int, ...]:
    """The numbers of axes that all parts take."""
    every = [{2} if p.traits.dims is None else set(p.traits.dims) for p in parts]
    return tuple(sorted(set.intersection(*every)))


def _kept(part: Facts, *capabilities: type) -> frozenset[type]:
    return frozenset({Adjoint, *(c for c in capabilities if part.has(c))})


def _pixel_by_pixel(parts: Sequence[Facts]) -> Facts:
    diagonal = {Diagonal} if all(p.has(Diagonal) for p in parts) else set()
    # the first part makes the data; in a sum all are alike
    first = parts[0].traits
    mixes = any(p.traits.mixes for p in parts)
    traits = replace(_signed(parts), complex=first.complex, absolute=first.absolute, mixes=mixes)
    return Facts(frozenset({Adjoint, *diagonal}), traits)


def _stack(parts: Sequence[Facts]) -> Facts:
    basis = _shared([p.gram for p in parts]) if all(p.has(Spectrum) for p in parts) else ""
    if not basis:
        return Facts(frozenset({Adjoint}), _signed(parts))
    return Facts(frozenset({Adjoint, Spectrum}), replace(_signed(parts), basis=basis))


def _shared(grams: Sequence[frozenset[str]]) -> Basis:
    """The transform in which the Gram matrices of all parts of a stack are diagonal."""
    common = frozenset.intersection(*grams) - {"pixel"}
    return "any" if len(common) > 1 else "fft" if "fft" in common else "dct" if common else ""


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

SUM = "sum"
"""The rule for priors."""

NAMED: dict[str, tuple[str, ...]] = {"operator": ("compose", SUM, "stack"), "prior": (SUM,)}
"""The rules that a request may name in place of a component, by kind."""


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


SPLIT = (ProxConjugate, QuadraticPrior, Prox)
"""What makes a prior with a value a part g(Kx) of a sum, the first that it has."""


def summed(parts: Sequence[Facts], names: Sequence[str]) -> Facts:
    """Capabilities and traits of the sum of priors with weights >= 0.

    It is g(Kx) with the stacked K of all parts, or smooth where all are. `part_gram` of it is what
    the parts have in common.

    Args:
        parts: capabilities and traits of the priors.
        names: theirs, for the message.

    Raises:
        UsageError: a part has no value, or no solver could take all of them.
    """
    for part, name in zip(parts, names, strict=True):
        if not part.has(Value):
            raise UsageError(
                f"prior {name} has no value R(x), as a denoiser or a penalty on codes; a sum takes "
                "priors that have one"
            )
    split = [any(p.has(c) for c in SPLIT) for p in parts]
    smooth = [p.has(Grad) for p in parts]
    if not (all(split) or all(smooth)):
        rough, whole = names[smooth.index(False)], names[split.index(False)]
        raise UsageError(
            f"{rough} has no gradient and {whole} no proximal map: no solver takes the sum of both"
        )
    able = ({ProxConjugate} if all(split) else set()) | ({Grad} if all(smooth) else set())
    traits = [p.traits for p in parts]
    special = [t.start_from for t in traits if t.start_from != "preview"]
    suits = [t.suits for t in traits if t.suits != "photograph"]
    return Facts(
        frozenset({Value, *able}),
        Traits(
            basis=_shared([_split_gram(p) for p in parts]) if all(split) else "",
            weighted=any(t.weighted for t in traits),
            informs=any(t.informs for t in traits),
            pixelwise=all(t.pixelwise for t in traits),
            convex=all(t.convex for t in traits),
            oriented=any(t.oriented for t in traits),
            unit=max(t.unit for t in traits),
            start_from=special[0] if special else "preview",
            suits=suits[0] if suits else "photograph",
            dims=_dims(parts),
        ),
    )


def _split_gram(part: Facts) -> frozenset[str]:
    """`part_gram` of a part of a sum; K = I for one that has a proximal map only."""
    linear = part.has(ProxConjugate) or part.has(QuadraticPrior)
    return part_gram(part.traits) if linear else frozenset(_bases("identity"))
