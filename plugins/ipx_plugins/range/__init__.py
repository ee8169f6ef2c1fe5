"""The range constraint: every value lies between two bounds."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import (
    Box,
    OptionError,
    Options,
    PriorSpec,
    Prox,
    ProxConjugate,
    Traits,
    Value,
    hookimpl,
    opt,
)


class RangeOptions(Options):
    """The bounds; none means no bound (upper none: non-negativity)."""

    lower: float | None = opt(default=0.0, help="Smallest value.")
    upper: float | None = opt(default=1.0, help="Largest value.")

    def __post_init__(self) -> None:
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise OptionError(f"lower must be below upper, not {self.lower:g} and {self.upper:g}")


@hookimpl
def ipx_components() -> Iterable[PriorSpec]:
    """Declare the prior."""
    return [
        PriorSpec(
            name="range",
            target="ipx_plugins.range.prior:Range",
            options=RangeOptions,
            provides=(Value, Prox, ProxConjugate, Box),
            traits=Traits(weighted=False, basis="identity", dims=(2, 3)),
            examples=({"upper": None},),
            summary="Box constraint on every value, or non-negativity.",
            formula="R(x) = 0 where low <= x <= high, else infinite",
            advice="Values that are surely within bounds; in a sum with another prior.",
        )
    ]
