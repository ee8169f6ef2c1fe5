"""Impulse noise: some values are replaced by arbitrary ones."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import (
    NoiseProx,
    NoiseSpec,
    Options,
    Traits,
    hookimpl,
    opt,
)


class ImpulseOptions(Options):
    """Fraction of wrong values, and what replaces them."""

    kind: Literal["salt-pepper", "random", "dead"] = opt(
        default="salt-pepper",
        help="Wrong values are 0 or 1 (salt-pepper), uniform in [0, 1] (random), or 0 (dead).",
    )
    amount: float | None = opt(
        default=None,
        min=0.0,
        max=1.0,
        help="Fraction of wrong values. By default it is estimated from the data, and 0.1 in "
        "simulations.",
    )
    detect: bool = opt(
        default=True,
        help="Leave out values that are surely wrong, and let the prior fill them in.",
    )


@hookimpl
def ipx_components() -> Iterable[NoiseSpec]:
    """Declare the noise."""
    return [
        NoiseSpec(
            name="impulse",
            target="ipx_plugins.impulse.noise:Impulse",
            options=ImpulseOptions,
            provides=(NoiseProx,),
            traits=Traits(level="amount"),
            examples=(
                {"kind": "dead"},
                {"detect": False},
                {"kind": "random", "detect": False},
            ),
            summary="Salt and pepper, random or dead values: |Ax - y|_1 over credible values.",
            source="Nikolova, JMIV 20, 2004; Chan, Ho, Nikolova, IEEE TIP 14, 2005",
            explains="outliers",
            formula="f(x) = |A x - y|_1 over the values that are no detected impulses",
            advice="Salt and pepper, dead or hot pixels.",
        )
    ]
