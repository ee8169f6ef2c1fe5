"""Completion of a matrix of low rank by singular value thresholding."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import Diagonal, Need, Options, SolverSpec, Traits, hookimpl, opt


class SVTOptions(Options):
    """Singular value thresholding."""

    matrix: Literal["auto", "bands", "rows"] = opt(
        default="auto",
        help="The matrix of low rank: bands has a row for each channel and a column for each "
        "pixel; rows is each channel as it stands; auto takes bands from 4 channels on.",
    )
    threshold: float = opt(
        default=5.0,
        above=0.0,
        help="Threshold tau in units of sqrt(rows x columns) times the root mean square of the "
        "data; large values come near the least nuclear norm.",
    )
    step: float = opt(
        default=1.2,
        above=0.0,
        max=1.99,
        help="Step delta times the share of known values; below 2 it converges if all are known.",
    )


@hookimpl
def ipx_components() -> Iterable[SolverSpec]:
    """Declare the solver."""
    return [
        SolverSpec(
            name="svt",
            target="ipx_plugins.svt.solver:SVT",
            options=SVTOptions,
            needs=(Need((Diagonal,), ()),),
            traits=Traits(own_prior=True, buffers=10),
            summary="Fills in a matrix of low rank: bands by pixels, or rows by columns.",
            source="Cai, Candes, Shen, SIAM J. Optim. 20(4), 2010",
            formula="x = D_t(z), z <- z + s M (y - x), D_t shrinks singular values",
            advice="Missing values of a matrix of low rank, or of bands by pixels.",
        )
    ]
