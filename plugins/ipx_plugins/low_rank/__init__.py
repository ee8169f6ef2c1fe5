"""Low rank: bands and neighbours that are alike up to a factor."""

from __future__ import annotations

from collections.abc import Iterable

from ipx import Gain, Options, PriorSpec, ProxConjugate, Traits, Value, hookimpl, opt


class LowRankOptions(Options):
    """The matrices whose nuclear norm is taken."""

    block: int | None = opt(
        default=8,
        min=2,
        max=4096,
        help="Side of the blocks, each of which is a matrix; none: the whole image is one.",
        unit="pixels",
    )
    patch: int = opt(
        default=3,
        min=1,
        max=9,
        help="A column is a patch of this side around a pixel, in all bands; 1: the bands alone.",
        unit="pixels",
    )


@hookimpl
def ipx_components() -> Iterable[PriorSpec]:
    """Declare the prior."""
    return [
        PriorSpec(
            name="low-rank",
            target="ipx_plugins.low_rank.prior:LowRank",
            options=LowRankOptions,
            provides=(Value, ProxConjugate),
            traits=Traits(basis="any"),
            examples=({"patch": 1, "block": None}, {"patch": 2, "block": 5}),
            summary="Nuclear norm of bands and patches, block by block; for images of many bands.",
            source="Cai, Candes, Shen, SIAM J. Opt. 20, 2010; Trzasko, Manduca, ISMRM 2011",
            formula="R(x) = sum over blocks of singular values of bands by pixels",
            advice="Images of many bands. For photographs tv is better.",
            gains=(
                Gain(
                    operators=("identity", "blur"),
                    noises=("gaussian",),
                    psnr=-1.36,
                    seconds=0.6,
                    where="benchmarks/priors.md",
                ),
            ),
        )
    ]
