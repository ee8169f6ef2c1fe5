"""Images of many bands by their principal components."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import (
    Diagonal,
    Need,
    Options,
    Prox,
    ProxConjugate,
    Quadratic,
    QuadraticPrior,
    SolverSpec,
    hookimpl,
    opt,
)

NEEDS = tuple(
    Need((Diagonal, Quadratic), (able,), rank=1) for able in (QuadraticPrior, ProxConjugate, Prox)
)


class SubspaceOptions(Options):
    """The subspace."""

    rank: int | None = opt(
        default=None,
        min=1,
        max=1000,
        help="Number of components; by default those that stand out of the noise.",
    )


@hookimpl
def ipx_components() -> Iterable[SolverSpec]:
    """Declare the solver."""
    return [
        SolverSpec(
            name="subspace",
            target="ipx_plugins.subspace.solver:Subspace",
            options=SubspaceOptions,
            needs=NEEDS,
            summary="Principal components of the measured spectra, restored with the prior.",
            source="Monier, Oberlin et al., IEEE Trans. Comput. Imaging 4(2), 2018",
        )
    ]
