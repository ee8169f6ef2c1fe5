"""Impulse noise: some values are lost altogether."""

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
    """Which values are wrong, and what stands in their place."""

    kind: Literal["salt-pepper", "random", "dead"] = opt(
        default="salt-pepper",
        help="Wrong values are 0 or 1 (salt-pepper), anything in [0, 1] (random), or 0 (dead).",
    )
    amount: float | None = opt(
        default=None,
        min=0.0,
        max=1.0,
        help="Share of wrong values; estimated from the data when it is not given, 0.1 in "
        "simulations.",
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
            summary="Salt and pepper, random or dead values: |Ax - y|_1.",
            source="Nikolova, J. Math. Imaging Vis. 20, 2004",
        )
    ]
