"""Sparse cosine coefficients."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import Orthonormal, PriorSpec, Prox, ProxConjugate, Traits, Value, hookimpl


@hookimpl
def ipx_components() -> Iterable[PriorSpec]:
    """Declare the prior."""
    return [
        PriorSpec(
            name="dct",
            target="ipx_plugins.dct.prior:DCT",
            provides=(Value, Prox, ProxConjugate, Orthonormal),
            traits=Traits(basis="any"),
            summary="Sparse cosine coefficients: |Cx|_1 without the mean, for textures.",
            source="Ahmed, Natarajan, Rao, IEEE Trans. Computers C-23, 1974 (the transform)",
        )
    ]
