"""The solver ipx-example-solver: its declaration. Nothing heavy is imported here."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import DataGrad, Need, Options, Prox, SolverSpec, hookimpl, opt


class IpxExampleSolverOptions(Options):
    """How far each step goes."""

    relaxation: float = opt(
        default=1.0, above=0.0, max=1.0, help="Share of the way to the next iterate."
    )


@hookimpl
def ipx_components() -> Iterable[SolverSpec]:
    """Declare the solver."""
    return [
        SolverSpec(
            name="ipx-example-solver",
            target="ipx_example_solver.solver:IpxExampleSolver",
            options=IpxExampleSolverOptions,
            needs=(Need(data=(DataGrad,), prior=(Prox,), rank=5),),
            examples=({"relaxation": 0.8},),
            summary="Proximal gradient descent.",
            source="Combettes, Wajs, Multiscale Model. Simul. 4, 2005, equation 3.6",
        )
    ]
