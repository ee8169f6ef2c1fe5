"""Filling of holes with patches of the rest of the picture, or of other pictures."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Literal

from ipx import Diagonal, Need, OptionError, Options, SolverSpec, Traits, hookimpl, opt


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
    pictures: Path | None = opt(
        default=None,
        help="Folder of other pictures whose patches fill holes, too; the nearest ones are "
        "searched.",
    )
    nearest: int = opt(
        default=8, min=1, max=10_000, help="Search so many of these pictures, the most alike."
    )
    patches: int = opt(
        default=50_000, min=1, max=10_000_000, help="Number of patches drawn from them."
    )
    own: bool = opt(default=True, help="Take patches of the picture itself, too.")
    seed: int = opt(default=0, min=0, help="Random seed of all that is drawn.")

    def __post_init__(self) -> None:
        if not self.own and self.pictures is None:
            raise OptionError("without own patches exemplar needs a folder; give option pictures")


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
            summary="Fills holes with patches of the picture, or of a folder of other pictures.",
            source="Criminisi et al., IEEE TIP 13, 2004; Efros, Leung, ICCV 1999; Hays, Efros, "
            "SIGGRAPH 2007",
            formula="the patch of highest priority is filled with its nearest neighbour",
            advice="Large holes in textures: it copies, so nothing in the hole is evidence. A "
            "folder of like pictures fills what the picture itself does not show.",
        )
    ]
