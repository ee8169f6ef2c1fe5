"""The prior ipx-example-prior: its declaration. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import Grad, Options, PriorSpec, Prox, Traits, Value, hookimpl, opt


class IpxExamplePriorOptions(Options):
    """Where the penalty turns from a square to a line."""

    delta: float = opt(
        default=0.02, above=0.0, help="Largest pixel that counts as small.", unit="image range"
    )


@hookimpl
def ipx_components() -> Iterable[PriorSpec]:
    """Declare the prior."""
    return [
        PriorSpec(
            name="ipx-example-prior",
            target="ipx_example_prior.prior:IpxExamplePrior",
            options=IpxExamplePriorOptions,
            provides=(Value, Grad, Prox),
            traits=Traits(suits="sparse", pixelwise=True),
            examples=({"delta": 0.5},),
            summary="Few bright pixels on black: the Huber function of each pixel.",
            source="Huber, Ann. Math. Statist. 35, 1964",
        )
    ]
