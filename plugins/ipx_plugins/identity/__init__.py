"""The identity, for denoising."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import (
    Adjoint,
    Diagonal,
    Local,
    NoOptions,
    Norm,
    OperatorSpec,
    Spectrum,
    Traits,
    hookimpl,
)


@hookimpl
def ipx_components() -> Iterable[OperatorSpec]:
    """Declare the operator."""
    return [
        OperatorSpec(
            name="identity",
            target="ipx_plugins.identity.operator:Identity",
            options=NoOptions,
            provides=(Adjoint, Diagonal, Spectrum, Norm, Local),
            traits=Traits(basis="any", buffers=0, dims=(2, 3)),
            summary="The identity: denoising.",
            formula="y = x",
            advice="Noise only. It is the default.",
        )
    ]
