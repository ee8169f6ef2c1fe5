"""The operator ipx-example: its declaration. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import Adjoint, Diagonal, Norm, OperatorSpec, Options, hookimpl, opt


class IpxExampleOptions(Options):
    """How much the corners fade."""

    strength: float = opt(
        default=0.5, min=0.0, max=0.95, help="Share of the light lost in the corners."
    )


@hookimpl
def ipx_components() -> Iterable[OperatorSpec]:
    """Declare the operator."""
    return [
        OperatorSpec(
            name="ipx-example",
            target="ipx_example.operator:IpxExample",
            options=IpxExampleOptions,
            provides=(Adjoint, Diagonal, Norm),
            examples=({"strength": 0.95},),
            summary="An image that fades towards its corners.",
        )
    ]
