"""Plain methods that fill in missing pixels from their surroundings."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import Diagonal, Need, SolverSpec, Traits, hookimpl


@hookimpl
def ipx_components() -> Iterable[SolverSpec]:
    """Declare the solvers."""
    here = "ipx_plugins.filling."
    return [
        SolverSpec(
            name="harmonic",
            target=here + "smooth:Harmonic",
            needs=(Need((Diagonal,), ()),),
            traits=Traits(own_prior=True, buffers=40),
            summary="Fills holes with the solution of Laplace's equation; the rest is kept.",
            source="Shen, Chan, SIAM J. Appl. Math. 62(3), 2002, section 3",
            formula="Laplacian x = 0 in the holes, x = y elsewhere",
            advice="Small holes; the plain method to compare with.",
        ),
        SolverSpec(
            name="biharmonic",
            target=here + "smooth:Biharmonic",
            needs=(Need((Diagonal,), ()),),
            traits=Traits(own_prior=True, buffers=120),
            summary="Fills holes with the smoothest surface; the rest is kept.",
            source="Damelin, Hoang, Int. J. Math. Math. Sci. 2018",
            formula="Laplacian^2 x = 0 in the holes, x = y elsewhere",
            advice="Small holes in smooth pictures; drunet is better on photographs.",
        ),
    ]
