# mypy: disable-error-code="empty-body"
"""Greedy solvers: the picture has few nonzero coefficients in an orthonormal transform."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from ipx import (
    AdapterSpec,
    Adjoint,
    Capability,
    Need,
    Options,
    Orthonormal,
    Quadratic,
    SolverSpec,
    hookimpl,
    opt,
)

if TYPE_CHECKING:
    from ipx import Linear, Shape


class Sparse(Capability, of="prior"):
    """The picture has few nonzero coefficients W x: a bound on their number replaces R."""

    def transform(self, image_shape: Shape) -> Linear:
        """W, orthonormal, for images of this shape."""


def _k(more: str) -> Any:
    return opt(
        default=None,
        min=1,
        max=10_000_000,
        help=f"Number of nonzero coefficients of an image; by default {more} until the residual "
        "is down to the noise.",
    )


class OMPOptions(Options):
    """One coefficient a step."""

    k: int | None = _k("it grows")


class ThresholdOptions(Options):
    """Hard thresholding."""

    k: int | None = _k("it grows by a third whenever the iterations stall,")


@hookimpl
def ipx_components() -> Iterable[SolverSpec | AdapterSpec]:
    """Declare the solvers and the bridge to what they need."""
    here = "ipx_plugins.greedy."
    needs = (Need((Adjoint, Quadratic), (Sparse,), rank=5),)
    return [
        AdapterSpec(
            name="sparsity",
            target=here + "sparsity:sparsity",
            summary="A bound on the number of nonzero coefficients in place of the weighted R.",
            side="prior",
            gives=Sparse,
            needs=(Orthonormal,),
            weightless=True,
            exact=False,
        ),
        SolverSpec(
            name="omp",
            target=here + "omp:OMP",
            options=OMPOptions,
            needs=needs,
            summary="Orthogonal matching pursuit: one coefficient a step, then least squares.",
            source="Pati, Rezaiifar, Krishnaprasad, Asilomar 1993; Tropp, Gilbert, IEEE TIT 2007",
            formula="add the atom most correlated with the residual, least squares",
            advice="Very sparse pictures, of some hundred coefficients at most.",
        ),
        SolverSpec(
            name="cosamp",
            target=here + "cosamp:CoSaMP",
            options=ThresholdOptions,
            needs=needs,
            summary="Compressive sampling matching pursuit: 2k candidates, least squares, prune.",
            source="Needell, Tropp, Appl. Comput. Harmon. Anal. 26, 2009, algorithm 1",
            formula="support of the 2k largest of A^T r, least squares, keep k",
            advice="Compressed sensing with a known number of coefficients.",
        ),
        SolverSpec(
            name="iht",
            target=here + "iht:IHT",
            options=ThresholdOptions,
            needs=needs,
            summary="Normalised iterative hard thresholding.",
            source="Blumensath, Davies, IEEE J. Sel. Top. Signal Process. 4(2), 2010",
            formula="x <- H_k(x + t A^T (y - A x))",
            advice="Sparse pictures with a known number of coefficients.",
        ),
    ]
