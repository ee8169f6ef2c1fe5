"""Richardson-Lucy deconvolution."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import Adjoint, Box, Need, Nonnegative, Options, SolverSpec, Traits, hookimpl, opt


class RichardsonLucyOptions(Options):
    """Multiplicative steps towards the maximum likelihood of photon counts."""

    accelerate: bool = opt(default=True, help="Extrapolate along the last step (Biggs, Andrews).")
    tv: float = opt(
        default=0.0,
        min=0.0,
        max=0.1,
        help="Weight of total variation in each step; 0.002 suits photographs at 100 photons.",
    )


@hookimpl
def ipx_components() -> Iterable[SolverSpec]:
    """Declare the solver."""
    return [
        SolverSpec(
            name="richardson-lucy",
            target="ipx_plugins.richardson_lucy.solver:RichardsonLucy",
            options=RichardsonLucyOptions,
            # plain, for comparison: never before an accelerated solver
            needs=(Need((Adjoint, Nonnegative), (Box,), rank=4),),
            traits=Traits(buffers=10),
            summary="Multiplicative deconvolution of photon counts; stops at the noise level.",
            source="Richardson, JOSA 62, 1972; Lucy, Astron. J. 79, 1974; Biggs, Andrews, 1997",
            formula="x <- x A^T(y / A x)",
            advice="Photon counts behind a PSF: no prior is needed and nothing gets negative.",
        )
    ]
