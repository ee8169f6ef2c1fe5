"""Filling of holes with patches of the rest of the picture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Literal

from ipx import Diagonal, Need, Options, SolverSpec, Traits, hookimpl, opt


class ExemplarOptions(Options):
    """Patches and the order of filling."""

    patch: int = opt(default=9, min=3, max=63, unit="pixels", help="Side of the patches, odd.")
    order: Literal["structure", "pixels"] = opt(
        default="structure",
        help="structure copies whole patches, first where edges meet the hole (Criminisi); pixels "
        "copies single pixels, first where most is known around (Efros, Leung).",
    )
    tolerance: float = opt(
        default=0.1,
        min=0.0,
        max=10.0,
        help="With order pixels, one of the patches that are at most this share worse than the "
        "best is drawn; 0 takes the best.",
    )
    seed: int = opt(default=0, min=0, help="Random seed of that choice.")


@hookimpl
def ipx_components() -> Iterable[SolverSpec]:
    """Declare the solver."""
    return [
        SolverSpec(
            name="exemplar",
            target="ipx_plugins.exemplar.solver:Exemplar",
            options=ExemplarOptions,
            needs=(Need((Diagonal,), ()),),
            # the patches of the picture as rows of a matrix
            traits=lambda options: Traits(own_prior=True, buffers=8 + 3 * options.patch**2),
            summary="Fills holes with patches from the rest of the picture: texture synthesis.",
            source="Criminisi et al., IEEE TIP 13, 2004; Efros, Leung, ICCV 1999",
            formula="the patch of highest priority is filled with its nearest neighbour",
            advice="Large holes in textures: it copies, so nothing in the hole is evidence.",
        )
    ]
